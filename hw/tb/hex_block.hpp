// Blocks and keys out of hex text: published vectors stay readable.
#pragma once

#include "core/slot.hpp"
#include "vectors/hex.hpp"

namespace cutwater::hw::tb {

inline Block block(std::string_view text) {
  const auto bytes = vectors::hex(text);
  Block out{};
  for (unsigned i = 0; i < kBlockBytes && i < bytes.size(); ++i) out[i] = bytes[i];
  return out;
}

inline Key key(std::string_view text) {
  const auto bytes = vectors::hex(text);
  Key out{};
  for (unsigned i = 0; i < 32 && i < bytes.size(); ++i) out[i] = bytes[i];
  return out;
}

template <unsigned kSize>
std::vector<std::uint8_t> bytes_of(const Array<std::uint8_t, kSize>& array) {
  return {array.items, array.items + kSize};
}

}  // namespace cutwater::hw::tb
