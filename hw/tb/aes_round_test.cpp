#include "core/aes_round.hpp"

#include <doctest/doctest.h>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

// FIPS 197 appendix B, the first round.
TEST_CASE("a round's steps give the states of FIPS 197 appendix B") {
  const Block start = block("193de3bea0f4e22b9ac68d2ae9f84808");
  const Block substituted = sub_bytes(start);
  CHECK(bytes_of(substituted) == bytes_of(block("d42711aee0bf98f1b8b45de51e415230")));
  const Block shifted = shift_rows(substituted);
  CHECK(bytes_of(shifted) == bytes_of(block("d4bf5d30e0b452aeb84111f11e2798e5")));
  CHECK(bytes_of(mix_columns(shifted)) == bytes_of(block("046681e5e0cb199a48f8d37a2806264c")));
  CHECK(bytes_of(aes_round(start, block("a0fafe1788542cb123a339392a6c7605"))) == bytes_of(block("a49c7ff2689f352b6b5bea43026a5049")));
}
