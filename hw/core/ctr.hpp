// The blocks that AES encrypts in GCM with a nonce of 96 bits: zero for the hash key, nonce and 1 for the tag's mask, nonce and 2, 3, … for the
// text. Source: SP 800-38D 7.1.
#pragma once

#include "core/block.hpp"

namespace cutwater::hw {

using Nonce = Array<std::uint8_t, 12>;

inline constexpr std::uint32_t kTagCounter = 1;
inline constexpr std::uint32_t kFirstTextCounter = 2;

inline Block counter_block(const Nonce& nonce, std::uint32_t counter) noexcept {
  Block out{};
  CUTWATER_LOOP(nonce_bytes)
  for (unsigned i = 0; i < 12; ++i) out[i] = nonce[i];
  CUTWATER_LOOP(counter_bytes)
  for (unsigned i = 0; i < 4; ++i) out[12 + i] = static_cast<std::uint8_t>(counter >> (24 - 8 * i));
  return out;
}

}  // namespace cutwater::hw
