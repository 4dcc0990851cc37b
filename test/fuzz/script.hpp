// What fuzz targets share: a promise that aborts when it does not hold, and bytes read as a script.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "base/bytes.hpp"

namespace cutwater::fuzz {

inline void require(bool is_true, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (is_true) return;
  std::fprintf(stderr, "%s:%d does not hold\n", file, line);
  std::abort();
}

/// Bytes one after the other; zeros behind the last.
struct Script {
  Bytes bytes;
  std::uint8_t next() {
    if (bytes.empty()) return 0;
    const std::uint8_t byte = bytes.front();
    bytes = bytes.subspan(1);
    return byte;
  }
};

}  // namespace cutwater::fuzz
