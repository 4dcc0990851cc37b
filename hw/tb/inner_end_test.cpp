#include "core/inner_end.hpp"

#include <doctest/doctest.h>

#include <initializer_list>

using namespace cutwater::hw;

TEST_CASE("the last byte that is not zero is the type, wherever it stands and whatever is before it") {
  for (unsigned at = 0; at < 64; ++at) {
    for (const std::uint8_t before : {std::uint8_t{0}, std::uint8_t{0xff}}) {
      InnerEnd inner;
      for (unsigned index = 0; index < 4; ++index) {
        Block block{};
        for (unsigned i = 0; i < 16; ++i) block[i] = 16 * index + i < at ? before : 16 * index + i == at ? std::uint8_t{22} : std::uint8_t{0};
        inner.see(block);
      }
      CHECK(inner.end == at + 1);
      CHECK(inner.type == 22);
    }
  }
  InnerEnd none;
  none.see({});
  CHECK(none.end == 0);
}
