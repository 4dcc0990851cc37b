// The random of a ServerHello that was sent before any TLS object existed (H3): OpenSSL draws it by itself and has no way to set
// it, so here the draw is answered. Only while a ServerRandom lives, only on its thread, and only the one draw that a TLS 1.2
// server makes for its hello; whatever else is drawn comes from where it always does, and makes the ServerRandom say that it did
// not go as expected. Then nothing may be built on it.
// Not here: whether the ServerHello came out the same (openssl_session.cpp compares it byte for byte).
// Thread: any; one at a time on a thread. Implements: H5.
#pragma once

#include <cstddef>

#include "base/bytes.hpp"

namespace cutwater::secure {

inline constexpr std::size_t kServerRandomBytes = 32;

class ServerRandom {
 public:
  /// Requires: `random` outlives it and has kServerRandomBytes.
  explicit ServerRandom(Bytes random) noexcept;
  ~ServerRandom();
  ServerRandom(const ServerRandom&) = delete;
  ServerRandom& operator=(const ServerRandom&) = delete;

  /// Whether exactly one random of the right size was drawn.
  [[nodiscard]] bool is_drawn_once() const noexcept { return draws_ == 1 && is_as_expected_; }
  /// What the library wants `bytes` of. Returns: nothing when it is not the draw that is meant.
  Bytes draw(std::size_t bytes) noexcept;

 private:
  Bytes random_;
  unsigned draws_ = 0;
  bool is_as_expected_ = true;
};

}  // namespace cutwater::secure
