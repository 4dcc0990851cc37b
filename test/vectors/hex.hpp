// Hex text to bytes, blanks ignored: published vectors stay readable in the tests. Aborts on a typing error.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

namespace cutwater::vectors {

inline std::vector<std::uint8_t> hex(std::string_view text) {
  std::vector<std::uint8_t> bytes;
  int half = -1;
  for (const char c : text) {
    if (c == ' ' || c == '\n') continue;
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (value < 0) std::abort();
    if (half < 0) {
      half = value;
    } else {
      bytes.push_back(static_cast<std::uint8_t>(half * 16 + value));
      half = -1;
    }
  }
  if (half >= 0) std::abort();
  return bytes;
}

}  // namespace cutwater::vectors
