// What a direction of the relay does to its packets, and the words that set it.
// Used by: line.cpp, main.cpp.
#pragma once

#include <cstdint>
#include <string_view>

namespace relay {

/// Chances are per packet, 0 to 1. Times are those of one way.
struct Impairment {
  double loss = 0, duplicate = 0, reorder = 0, corrupt = 0;
  std::uint32_t delay_us = 0;
  std::uint32_t jitter_us = 0;         // added, uniformly; packets may overtake each other by it
  std::uint32_t reorder_by_us = 2'000;  // how much later a reordered packet comes
  std::uint64_t rate_bits_per_s = 0;   // 0: as fast as it comes
  std::uint32_t queue_bytes = 262'144;  // what waits for the rate; more is dropped
  std::uint32_t mtu_bytes = 0;         // of IP packets; 0: no limit
};

/// Takes `name=value`: loss, duplicate, reorder, corrupt in per cent; delay, jitter, reorder-by in milliseconds; rate in
/// Mbit/s; queue in bytes; mtu in bytes. Returns: false for anything else; then nothing has changed.
bool set(Impairment& impairment, std::string_view word);

}  // namespace relay
