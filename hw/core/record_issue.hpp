// From a job and its blocks to slots, one a clock: hash key, text, tag. Keeps what the job's later slots need, the key among it, and forgets
// it with the tag's slot. The input need not come every clock, nor be what the job said: then the record is broken, what is
// missing is blank, what is too much is thrown away up to the block that says it is the last, and the next job is begun in step again.
#pragma once

#include "core/record_frame.hpp"
#include "core/ghash.hpp"

namespace cutwater::hw {

enum class IssuePhase : std::uint8_t {
  ready,    // for a job
  text,     // its blocks
  tag,      // its tag
  discard,  // what came behind its last block
};

struct RecordIssue {
  IssuePhase phase = IssuePhase::ready;
  SlotMark mark = SlotMark::sound;
  Key key{};
  KeySize key_size = KeySize::aes_128;
  Nonce nonce{};
  UInt<15> text_bytes = 0;
  UInt<5> aad_bytes = 0;
  UInt<11> text_blocks = 0;
  UInt<11> next = 0;      // index of the text's next block
  UInt<11> expected = 0;  // input blocks still to come
  bool has_excess = false;
  Block before{};  // open: the last input block, of which the tag may need the end

  /// The first slot of a job that was found good. `expected_blocks` come on the input, at least one.
  GcmInput begin(const RecordJob& job, const Nonce& record_nonce, const Block& aad, std::uint32_t bytes,
                 std::uint32_t expected_blocks) noexcept {
    key = job.key;
    key_size = job.key_size;
    nonce = record_nonce;
    text_bytes = bytes;
    aad_bytes = aad_bytes_of(job.version);
    text_blocks = blocks_of(bytes);
    expected = expected_blocks;
    phase = text_blocks == 0 ? IssuePhase::tag : IssuePhase::text;
    GcmInput in = input(SlotKind::hash_key, Block{}, 0);
    in.slot.block = aad;
    return in;
  }

  /// A job that was not begun: all its blocks are thrown away.
  GcmInput refuse() noexcept {
    phase = IssuePhase::discard;
    GcmInput in{};
    in.slot.kind = SlotKind::refused;
    return in;
  }

  /// Whether the next slot cannot go without a block of input.
  [[nodiscard]] bool wants_input() const noexcept {
    return (phase == IssuePhase::text || phase == IssuePhase::tag) && expected != 0;
  }

  /// Takes note of an input block, and whether it is the last as it should be.
  void count(const InBlock& in) noexcept {
    const bool is_due = expected == 1;
    if (in.is_last != is_due) mark = SlotMark::broken;
    if (is_due && !in.is_last) has_excess = true;
    expected = in.is_last ? 0U : expected - 1;
  }

  /// The slot of the text's next block. From where the input broke off it is blank.
  GcmInput text(const Block& block) noexcept {
    GcmInput in = input(SlotKind::data, counter_block(nonce, kFirstTextCounter + next), 1 + next);
    in.slot.block = block;
    in.slot.bytes = mark == SlotMark::sound ? bytes_in_block(text_bytes, next) : BlockBytes{0};
    next = next + 1;
    if (next == text_blocks) phase = IssuePhase::tag;
    return in;
  }

  /// The last slot. Leaves: nothing of the job.
  GcmInput finish(const Block& received_tag) noexcept {
    GcmInput in = input(SlotKind::tag, counter_block(nonce, kTagCounter), 1 + text_blocks);
    in.slot.block = received_tag;
    const IssuePhase after = has_excess ? IssuePhase::discard : IssuePhase::ready;
    *this = {};
    phase = after;
    return in;
  }

  void discard(const InBlock& in) noexcept {
    if (in.is_last) phase = IssuePhase::ready;
  }

 private:
  [[nodiscard]] GcmInput input(SlotKind kind, const Block& counter, std::uint32_t hash_index) const noexcept {
    GcmInput in{};
    in.slot.kind = kind;
    in.slot.mark = mark;
    in.slot.place = hash_place(hash_index, text_blocks + 2);  // additional data, text, lengths
    in.slot.text_bytes = text_bytes;
    in.slot.aad_bytes = aad_bytes;
    in.counter = counter;
    in.key = key;
    in.key_size = key_size;
    return in;
  }
};

}  // namespace cutwater::hw
