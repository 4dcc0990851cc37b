// The sixteen bytes that move a clock, and what is done to them as a whole. Byte 0 is the first on the wire.
#pragma once

#include <cstdint>

#include "shim/array.hpp"
#include "shim/bits.hpp"
#include "shim/pragma.hpp"

namespace cutwater::hw {

inline constexpr unsigned kBlockBytes = 16;
using Block = Array<std::uint8_t, kBlockBytes>;
using Key = Array<std::uint8_t, 32>;  // AES-128 uses the first half
using BlockBytes = UInt<5>;           // 0 to 16 of them

inline Block exclusive_or(const Block& a, const Block& b) noexcept {
  Block out{};
  CUTWATER_LOOP(bytes)
  for (unsigned i = 0; i < kBlockBytes; ++i) out[i] = static_cast<std::uint8_t>(a[i] ^ b[i]);
  return out;
}

/// The first `count` bytes, and zeros behind them.
inline Block first_bytes(const Block& block, BlockBytes count) noexcept {
  Block out{};
  CUTWATER_LOOP(bytes)
  for (unsigned i = 0; i < kBlockBytes; ++i) out[i] = i < count ? block[i] : std::uint8_t{0};
  return out;
}

/// Byte i goes to place (i + by) mod 16. Four rows of multiplexers, whatever `by` is.
inline Block rotated(const Block& block, UInt<4> by) noexcept {
  Block out = block;
  CUTWATER_LOOP(rows)
  for (unsigned row = 0; row < 4; ++row) {
    const Block before = out;
    CUTWATER_LOOP(bytes)
    for (unsigned i = 0; i < kBlockBytes; ++i) {
      out[i] = (by >> row & 1U) != 0 ? before[(i + kBlockBytes - (1U << row)) % kBlockBytes] : before[i];
    }
  }
  return out;
}

/// Whether all bytes are zero, found by one OR over all of them: where two tags differ does not show.
inline bool is_zero(const Block& block) noexcept {
  std::uint8_t any = 0;
  CUTWATER_LOOP(bytes)
  for (unsigned i = 0; i < kBlockBytes; ++i) any = static_cast<std::uint8_t>(any | block[i]);
  return any == 0;
}

/// So many blocks hold `bytes` bytes.
inline constexpr std::uint32_t blocks_of(std::uint32_t bytes) noexcept { return (bytes + kBlockBytes - 1) / kBlockBytes; }

/// So many bytes of `bytes` lie in the block of that index: 16, fewer in the last, 0 behind it.
inline BlockBytes bytes_in_block(std::uint32_t bytes, std::uint32_t index) noexcept {
  const std::uint32_t before = index * kBlockBytes;
  const std::uint32_t left = bytes > before ? bytes - before : 0;
  return left < kBlockBytes ? left : kBlockBytes;
}

/// So many bytes fill the last block, 1 to 16. Of no bytes at all: 16, so that what follows them begins a block.
inline BlockBytes bytes_in_last(std::uint32_t bytes) noexcept { return (bytes + kBlockBytes - 1) % kBlockBytes + 1; }

}  // namespace cutwater::hw
