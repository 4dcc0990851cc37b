#include "core/plaintext_buffer.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("I5: the buffer holds a record of the greatest size and what comes behind it, in order, and wipes each block a clock after it was taken") {
  auto buffer = std::make_unique<PlaintextBuffer>();
  std::uint32_t written = 0, taken = 0;
  const auto number = [](std::uint32_t n) {
    Block out{};
    for (unsigned i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>((n + 1) >> (8 * i));
    return out;
  };
  for (std::uint32_t round = 0; round < 5; ++round) {
    while (written - taken != kBufferBlocks) {
      buffer->clock();
      buffer->write(number(written++));
    }
    for (unsigned i = 0; i < kSettleClocks; ++i) {
      CHECK(buffer->count < kBufferBlocks);  // the last is not there yet
      buffer->clock();
    }
    CHECK(buffer->count == kBufferBlocks);
    for (std::uint32_t i = 0; i < 700 + 100 * round; ++i) {
      buffer->clock();
      const BufferIndex wiped = buffer->wipe_at;
      const BufferIndex at = buffer->read_at;
      CHECK(bytes_of(buffer->take()) == bytes_of(number(taken++)));
      if (i != 0) CHECK(wiped % 2 != at % 2);  // never both in one bank
      if (i != 0) CHECK(is_zero(buffer->banks[wiped % 2][wiped / 2]));
    }
  }
  while (buffer->count != 0) buffer->clock(), buffer->take();
  buffer->clock();
  for (const auto& bank : buffer->banks) {
    for (const Block& block : bank) CHECK(is_zero(block));
  }
}
