// The AES S-box as a table of constants, worked out by the compiler from its definition: the inverse in GF(2^8), then an affine map.
// A table because on an FPGA eight inputs and one output are four 6-input LUTs and the multiplexers behind them, always the same two
// levels; the composite-field circuits that save area on silicon are three times as deep there. A constant in LUTs takes the same clock for
// every index. (On a CPU it would be a cache's secret-dependent load; this is a model there, and no backend of the product.)
// Source: FIPS 197 5.1.1.
#pragma once

#include "core/block.hpp"

namespace cutwater::hw {

/// Times x, modulo x^8 + x^4 + x^3 + x + 1.
inline constexpr std::uint8_t times_x(std::uint8_t a) noexcept {
  return static_cast<std::uint8_t>(static_cast<unsigned>(a) << 1U ^ ((a & 0x80U) != 0 ? 0x1bU : 0U));
}

namespace sbox {

inline constexpr std::uint8_t affine(std::uint8_t a) noexcept {
  unsigned out = 0x63;
  for (unsigned turn = 0; turn < 5; ++turn) out ^= (static_cast<unsigned>(a) << turn | static_cast<unsigned>(a) >> (8 - turn)) & 0xffU;
  return static_cast<std::uint8_t>(out);
}

/// x + 1 generates all that is not zero, so the inverse of its i-th power is its (255 - i)-th. Zero has none and counts as its own.
inline constexpr Array<std::uint8_t, 256> table() noexcept {
  Array<std::uint8_t, 256> powers{}, entries{};
  powers[0] = 1;
  for (unsigned i = 1; i < 256; ++i) powers[i] = static_cast<std::uint8_t>(powers[i - 1] ^ times_x(powers[i - 1]));
  entries[0] = affine(0);
  for (unsigned i = 0; i < 255; ++i) entries[powers[i]] = affine(powers[255 - i]);
  return entries;
}

inline constexpr Array<std::uint8_t, 256> kTable = table();

}  // namespace sbox

inline std::uint8_t substitute(std::uint8_t a) noexcept {
  CUTWATER_HLS(HLS ARRAY_PARTITION variable = sbox::kTable complete)  // logic, not a memory: 280 are read in one clock
  return sbox::kTable[a];
}

}  // namespace cutwater::hw
