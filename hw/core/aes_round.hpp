// One round of AES encryption: one clock of the pipeline. GCM never decrypts with the cipher, so there is no inverse.
// A state is a block, its columns one behind the other (FIPS 197 3.4).
#pragma once

#include "core/sbox.hpp"

namespace cutwater::hw {

inline Block sub_bytes(const Block& state) noexcept {
  Block out{};
  CUTWATER_LOOP(bytes)
  for (unsigned i = 0; i < kBlockBytes; ++i) out[i] = substitute(state[i]);
  return out;
}

/// Row r turns left by r columns. Wires. Source: FIPS 197 5.1.2.
inline Block shift_rows(const Block& state) noexcept {
  Block out{};
  CUTWATER_LOOP(bytes)
  for (unsigned i = 0; i < kBlockBytes; ++i) out[i] = state[(i + 4 * (i % 4)) % kBlockBytes];
  return out;
}

/// Source: FIPS 197 5.1.3.
inline Block mix_columns(const Block& state) noexcept {
  Block out{};
  CUTWATER_LOOP(columns)
  for (unsigned column = 0; column < kBlockBytes; column += 4) {
    CUTWATER_LOOP(rows)
    for (unsigned row = 0; row < 4; ++row) {
      const std::uint8_t a = state[column + row], b = state[column + (row + 1) % 4];
      const std::uint8_t c = state[column + (row + 2) % 4], d = state[column + (row + 3) % 4];
      out[column + row] = static_cast<std::uint8_t>(times_x(static_cast<std::uint8_t>(a ^ b)) ^ b ^ c ^ d);
    }
  }
  return out;
}

inline Block aes_round(const Block& state, const Block& round_key) noexcept {
  return exclusive_or(mix_columns(shift_rows(sub_bytes(state))), round_key);
}

/// Without MixColumns. Source: FIPS 197 5.1.
inline Block aes_last_round(const Block& state, const Block& round_key) noexcept {
  return exclusive_or(shift_rows(sub_bytes(state)), round_key);
}

}  // namespace cutwater::hw
