// Checksums put right: what a fuzzer makes up would never get behind them.
#pragma once

#include <cstring>

#include "wire/checksum.hpp"

namespace cutwater::fuzz {

inline void put_checksum(std::uint8_t* at, std::uint64_t sum) {
  const std::uint16_t folded = wire::fold(sum);
  std::memcpy(at, &folded, 2);
}

}  // namespace cutwater::fuzz
