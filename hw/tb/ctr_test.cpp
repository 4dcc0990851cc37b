#include "core/ctr.hpp"

#include <doctest/doctest.h>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("a counter block is the nonce and a counter, the highest byte first") {
  const Block from = block("cafebabefacedbaddecaf888");
  Nonce nonce{};
  for (unsigned i = 0; i < 12; ++i) nonce[i] = from[i];
  CHECK(bytes_of(counter_block(nonce, kTagCounter)) == bytes_of(block("cafebabefacedbaddecaf88800000001")));
  CHECK(bytes_of(counter_block(nonce, 0x01020304)) == bytes_of(block("cafebabefacedbaddecaf88801020304")));
}
