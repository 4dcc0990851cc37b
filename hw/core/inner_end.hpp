// Where the text of a TLS 1.3 record ends: its last byte that is not zero is the type, what stands behind it is padding. Found while the
// blocks pass, so nobody has to look back through them. The time does not depend on the bytes. Source: RFC 9846 5.2, 5.4.
#pragma once

#include "core/block.hpp"

namespace cutwater::hw {

struct InnerEnd {
  UInt<15> end = 0;  // one behind the last byte that is not zero; 0: all were
  std::uint8_t type = 0;
  UInt<11> blocks = 0;  // seen so far

  void see(const Block& block) noexcept {
    CUTWATER_LOOP(bytes)
    for (unsigned i = 0; i < kBlockBytes; ++i) {
      const bool is_later = block[i] != 0;
      type = is_later ? block[i] : type;
      end = is_later ? blocks * kBlockBytes + i + 1 : static_cast<std::uint32_t>(end);
    }
    blocks = blocks + 1;
  }
};

}  // namespace cutwater::hw
