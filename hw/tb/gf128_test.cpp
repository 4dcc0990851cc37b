#include "core/gf128.hpp"

#include <doctest/doctest.h>

#include <random>

#include "tb/hex_block.hpp"
#include "tb/slow_field.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

namespace {

Block random_block(std::mt19937_64& random) {
  Block out{};
  for (unsigned i = 0; i < 16; ++i) out[i] = static_cast<std::uint8_t>(random());
  return out;
}

Field product(const Field& a, const Field& b) {
  Field out{};
  for (unsigned place = kDigits; place != 0; --place) out = multiply_digit(out, a, digit(b, place - 1));
  return out;
}

}  // namespace

TEST_CASE("four digits are the product of SP 800-38D, and a square is a product with itself") {
  std::mt19937_64 random{1};
  for (unsigned i = 0; i < 300; ++i) {
    Block a = random_block(random), b = random_block(random);
    if (i < 128) a = {}, a[i / 8] = static_cast<std::uint8_t>(1U << (i % 8));  // each power of x
    CHECK(bytes_of(to_block(to_field(a))) == bytes_of(a));
    CHECK(bytes_of(to_block(product(to_field(a), to_field(b)))) == bytes_of(slow_product(a, b)));
    CHECK(bytes_of(to_block(square(to_field(a)))) == bytes_of(slow_product(a, a)));
  }
}
