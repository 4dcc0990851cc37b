// OpenSSL's randomness replaced by a seeded generator, for as long as this lives: two runs of a seed send the same bytes.
// Only for simulations: what is generated meanwhile is no secret at all.
// Thread: all handshakes on the thread that made it.
#pragma once

#include <cstdint>

namespace cutwater::sim {

class SeededOpenssl {
 public:
  explicit SeededOpenssl(std::uint64_t seed);
  ~SeededOpenssl();
  SeededOpenssl(const SeededOpenssl&) = delete;
  SeededOpenssl& operator=(const SeededOpenssl&) = delete;
  static void reseed(std::uint64_t seed);
};

}  // namespace cutwater::sim
