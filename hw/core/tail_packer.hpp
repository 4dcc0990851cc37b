// Puts the tag right behind the last byte of ciphertext, as on the wire: a record of N blocks leaves as N + 1.
//
//   in    [ c0 .. c15 ][ c16 .. c20 0 .. 0 ][ tag 16 ]   -
//   out         -      [ c0 .. c15 ]        [ c16 .. c20 t0 .. t10 ][ t11 .. t15 0 .. 0 ]
//
// A block is held for one clock, until it shows whether it is the last. The clock behind a tag has no block of its own (it is the next
// record's hash key, or idle), so the tag's rest has it.
#pragma once

#include "core/record_job.hpp"
#include "core/slot.hpp"

namespace cutwater::hw {

struct TailPacker {
  enum class Held : std::uint8_t { nothing, text, tail };

  struct Output {
    bool is_there = false;
    OutBlock block{};
  };

  Held held = Held::nothing;
  Block block{};
  JobId id = 0;

  /// One clock, with what leaves the pipeline and whose it is.
  Output step(const Slot& slot, JobId slot_id) noexcept {
    const bool is_tag = slot.kind == SlotKind::tag, is_text = slot.kind == SlotKind::data;
    const BlockBytes filled = bytes_in_last(slot.text_bytes);
    const Block turned = rotated(slot.block, filled % kBlockBytes);
    Block joined{}, tail{};
    CUTWATER_LOOP(bytes)
    for (unsigned i = 0; i < kBlockBytes; ++i) {
      joined[i] = i < filled ? block[i] : turned[i];
      tail[i] = i < filled ? turned[i] : std::uint8_t{0};
    }
    Output out{};
    out.is_there = held == Held::tail || (held == Held::text && (is_tag || is_text));
    out.block = {is_tag ? joined : block, id, held == Held::tail};
    if (is_tag || is_text) {
      held = is_tag ? Held::tail : Held::text;
      block = is_tag ? tail : slot.block;
      id = slot_id;
    } else if (held == Held::tail) {
      held = Held::nothing;
      block = {};
    }
    return out;
  }
};

}  // namespace cutwater::hw
