// One end of the relay: a packet socket on a network device. Counts what the kernel dropped before we saw it, because a
// loss that nobody drew would spoil a measurement.
// Used by: main.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "line.hpp"

namespace relay {

class WireEnd {
 public:
  /// @throws std::runtime_error when the device cannot be opened.
  explicit WireEnd(const std::string& device);
  ~WireEnd();
  WireEnd(const WireEnd&) = delete;
  WireEnd& operator=(const WireEnd&) = delete;

  [[nodiscard]] int fd() const { return fd_; }
  /// Up to kBurst packets that have come; valid until the next call. Empty: none.
  std::span<const std::span<const std::uint8_t>> rx();
  void tx(std::span<const std::uint8_t> packet);
  /// Packets that this end could neither take nor send, since the start.
  std::uint64_t missed();

 private:
  static constexpr unsigned kBurst = 64;
  int fd_ = -1;
  std::uint64_t missed_ = 0;
  std::vector<std::uint8_t> memory_;
  std::vector<std::span<const std::uint8_t>> burst_;
};

}  // namespace relay
