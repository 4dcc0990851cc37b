#include "core/tail_packer.hpp"

#include <doctest/doctest.h>

#include <vector>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("the tag stands right behind the last byte, whatever the length, and N blocks leave as N + 1") {
  for (std::uint32_t bytes = 0; bytes <= 70; ++bytes) {
    TailPacker packer;
    std::vector<std::uint8_t> wanted, got;
    unsigned blocks = 0, ends = 0;
    const auto step = [&](SlotKind kind, const Block& block) {
      Slot slot{};
      slot.kind = kind;
      slot.block = block;
      slot.text_bytes = bytes;
      const TailPacker::Output out = packer.step(slot, 9);
      if (!out.is_there) return;
      ++blocks;
      ends += out.block.is_last ? 1 : 0;
      CHECK(out.block.id == 9);
      got.insert(got.end(), out.block.data.items, out.block.data.items + 16);
    };
    step(SlotKind::hash_key, {});
    for (std::uint32_t i = 0; i < blocks_of(bytes); ++i) {
      Block text{};
      for (unsigned at = 0; at < bytes_in_block(bytes, i); ++at) wanted.push_back(text[at] = static_cast<std::uint8_t>(1 + 16 * i + at));
      step(SlotKind::data, text);
      if (bytes % 2 == 0) step(SlotKind::idle, {});
    }
    const Block tag = block("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
    wanted.insert(wanted.end(), tag.items, tag.items + 16);
    step(SlotKind::tag, tag);
    step(bytes % 3 == 0 ? SlotKind::hash_key : SlotKind::idle, {});
    step(SlotKind::idle, {});
    wanted.resize(16 * (blocks_of(bytes) + 1));
    CHECK(got == wanted);
    CHECK(blocks == blocks_of(bytes) + 1);
    CHECK(ends == 1);
    CHECK(packer.held == TailPacker::Held::nothing);
  }
}
