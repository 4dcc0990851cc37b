#include "core/aes_pipe.hpp"

#include <doctest/doctest.h>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

// FIPS 197 appendix C.1 and C.3.
TEST_CASE("a block of either key size leaves the AES pipeline after kAesClocks clocks, and every clock takes another key") {
  GcmInput small{}, large{};
  small.counter = large.counter = block("00112233445566778899aabbccddeeff");
  small.key = key("000102030405060708090a0b0c0d0e0f");
  large.key = key("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
  large.key_size = KeySize::aes_256;
  small.slot.kind = large.slot.kind = SlotKind::data;
  AesPipe pipe;
  for (unsigned clock = 0; clock < 3 * kAesClocks; ++clock) {
    const AesOutput out = pipe.step(clock % 2 == 0 ? small : large);
    CHECK(out.slot.kind == (clock < kAesClocks ? SlotKind::idle : SlotKind::data));
    if (clock < kAesClocks) continue;
    const bool is_small = (clock - kAesClocks) % 2 == 0;
    CHECK(bytes_of(out.keystream) == bytes_of(block(is_small ? "69c4e0d86a7b0430d8cdb78070b4c55a" : "8ea2b7ca516745bfeafc49904b496089")));
  }
}
