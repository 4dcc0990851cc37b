// GF(2^128) as SP 800-38D 6.3 writes it, bit by bit over GHASH's own bytes: what the digits of core/gf128.hpp are held against.
#pragma once

#include "core/block.hpp"

namespace cutwater::hw::tb {

inline Block slow_product(const Block& x, Block v) {
  Block z{};
  for (unsigned i = 0; i < 128; ++i) {
    if ((x[i / 8] >> (7 - i % 8) & 1) != 0) z = exclusive_or(z, v);
    const bool is_odd = (v[15] & 1) != 0;
    for (unsigned at = 15; at != 0; --at) v[at] = static_cast<std::uint8_t>(v[at] >> 1 | v[at - 1] << 7);
    v[0] = static_cast<std::uint8_t>(v[0] >> 1 ^ (is_odd ? 0xe1 : 0));
  }
  return z;
}

/// GHASH of whole blocks, one after the other.
template <class Blocks>
Block slow_ghash(const Block& h, const Blocks& blocks) {
  Block y{};
  for (const Block& block : blocks) y = slow_product(exclusive_or(y, block), h);
  return y;
}

}  // namespace cutwater::hw::tb
