#include "core/sbox.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace cutwater::hw;

TEST_CASE("the S-box has the values of FIPS 197, is a permutation, and leaves no byte where it was or turned over") {
  // FIPS 197 figure 7: corners, and the example of 5.1.1.
  CHECK(substitute(0x00) == 0x63);
  CHECK(substitute(0x0f) == 0x76);
  CHECK(substitute(0xf0) == 0x8c);
  CHECK(substitute(0xff) == 0x16);
  CHECK(substitute(0x53) == 0xed);
  std::set<std::uint8_t> seen;
  for (unsigned a = 0; a < 256; ++a) {
    const std::uint8_t s = substitute(static_cast<std::uint8_t>(a));
    seen.insert(s);
    CHECK(s != a);
    CHECK((s ^ a) != 0xff);
  }
  CHECK(seen.size() == 256);
}
