#include "core/key_expand.hpp"

#include <doctest/doctest.h>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

// FIPS 197 appendix A.1 and A.3.
TEST_CASE("the key schedule gives the round keys of FIPS 197 appendix A, each a round ahead of its use") {
  RoundKeys small = first_keys(key("2b7e151628aed2a6abf7158809cf4f3c"), KeySize::aes_128);
  CHECK(bytes_of(small.next) == bytes_of(block("a0fafe1788542cb123a339392a6c7605")));
  small = next_keys<0>(small, KeySize::aes_128);
  CHECK(bytes_of(small.next) == bytes_of(block("f2c295f27a96b9435935807a7359f67f")));

  RoundKeys large = first_keys(key("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"), KeySize::aes_256);
  CHECK(bytes_of(large.next) == bytes_of(block("1f352c073b6108d72d9810a30914dff4")));
  large = next_keys<0>(large, KeySize::aes_256);
  CHECK(bytes_of(large.next) == bytes_of(block("9ba354118e6925afa51a8b5f2067fcde")));
  large = next_keys<1>(large, KeySize::aes_256);
  CHECK(bytes_of(large.next) == bytes_of(block("a8b09c1a93d194cdbe49846eb75d5b9a")));
}
