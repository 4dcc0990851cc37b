#include "core/block.hpp"

#include <doctest/doctest.h>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("a block turned by n has byte i at place i + n") {
  const Block from = block("000102030405060708090a0b0c0d0e0f");
  for (unsigned by = 0; by < 16; ++by) {
    for (unsigned i = 0; i < 16; ++i) CHECK(rotated(from, by)[(i + by) % 16] == i);
  }
}

TEST_CASE("bytes that do not count are zero") {
  const Block from = block("ffffffffffffffffffffffffffffffff");
  for (unsigned count = 0; count <= 16; ++count) {
    for (unsigned i = 0; i < 16; ++i) CHECK(first_bytes(from, count)[i] == (i < count ? 0xff : 0));
  }
}

TEST_CASE("any one bit makes a block not zero") {
  CHECK(is_zero({}));
  for (unsigned bit = 0; bit < 128; ++bit) {
    Block one{};
    one[bit / 8] = static_cast<std::uint8_t>(1U << (bit % 8));
    CHECK_FALSE(is_zero(one));
  }
}

TEST_CASE("a length is as many blocks and bytes in each as it should be") {
  for (std::uint32_t bytes = 0; bytes < 100; ++bytes) {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < blocks_of(bytes); ++i) sum += bytes_in_block(bytes, i);
    CHECK(sum == bytes);
    CHECK(bytes_in_block(bytes, blocks_of(bytes)) == 0);
    CHECK(bytes_in_last(bytes) == (bytes == 0 ? BlockBytes{16} : bytes_in_block(bytes, blocks_of(bytes) - 1)));
  }
}
