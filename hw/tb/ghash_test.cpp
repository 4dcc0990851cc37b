#include "core/ghash.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "tb/hex_block.hpp"
#include "tb/slow_field.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

namespace {

struct Message {
  Block h{};
  std::vector<Slot> slots;
  Block hash{};
};

/// A hash key with additional data, `blocks` of text, the lengths. The tag's own block is zero, so it leaves as the hash.
Message message(std::mt19937_64& random, unsigned blocks) {
  Message out;
  std::vector<Block> hashed;
  const auto fill = [&](Block& block) {
    for (unsigned i = 0; i < 16; ++i) block[i] = static_cast<std::uint8_t>(random());
  };
  fill(out.h);
  for (unsigned i = 0; i < blocks + 2; ++i) {
    Slot slot{};
    slot.kind = i == 0 ? SlotKind::hash_key : i == blocks + 1 ? SlotKind::tag : SlotKind::data;
    slot.place = hash_place(i, blocks + 2);
    slot.text_bytes = 16 * blocks;
    slot.aad_bytes = 13;
    if (slot.kind != SlotKind::tag) fill(slot.block);
    hashed.push_back(slot.kind == SlotKind::tag ? lengths_block(slot) : slot.block);
    out.slots.push_back(slot);
  }
  out.hash = slow_ghash(out.h, hashed);
  return out;
}

void check(unsigned idle_in_eight) {
  std::mt19937_64 random{idle_in_eight + 1};
  std::vector<Message> messages;
  for (unsigned i = 0; i < 60; ++i) messages.push_back(message(random, i < 20 ? i : static_cast<unsigned>(random() % 12)));
  Ghash ghash;
  std::vector<unsigned> entered;  // the clocks of the tags' slots
  std::size_t left = 0;
  unsigned clock = 0;
  const auto step = [&](const Slot& slot, const Block& h) {
    const Slot out = ghash.step(slot, h);
    if (out.kind == SlotKind::tag) {
      CHECK(clock == entered[left] + kHashClocks);
      CHECK(bytes_of(out.block) == bytes_of(messages[left++].hash));
    }
    ++clock;
  };
  for (const Message& m : messages) {
    for (const Slot& slot : m.slots) {
      while (random() % 8 < idle_in_eight) step({}, {});
      if (slot.kind == SlotKind::tag) entered.push_back(clock);
      step(slot, slot.kind == SlotKind::hash_key ? m.h : Block{});
    }
  }
  for (unsigned i = 0; i <= kHashClocks; ++i) step({}, {});
  CHECK(left == messages.size());
  for (const Field& lane : ghash.lanes) CHECK((lane.low | lane.high) == 0);
  CHECK((ghash.kept.first.low | ghash.kept.fourth.high | ghash.sum.low) == 0);
}

}  // namespace

TEST_CASE("GHASH takes a block a clock with four lanes, one message behind the other under another key, and gives the hash kHashClocks later") {
  check(0);
}

TEST_CASE("pauses between the blocks do not change a hash") {
  check(2);
  check(6);
}
