// The sealing machine: jobs and fragments in, records and completions out, a clock a step. A record of N blocks of text takes N + 2 clocks of
// it, whoever's key it has; what one clock began leaves kSealClocks later. Nothing in the pipeline can stop, so a slot enters only
// when there is room at the other end for what it will become.
#pragma once

#include "core/gcm_seal.hpp"
#include "core/queue.hpp"
#include "core/record_issue.hpp"
#include "core/tail_packer.hpp"

namespace cutwater::hw {

/// From the clock that takes a block to the one that gives it out: the register behind the issue, the pipeline, the packer's wait for the
/// next block, the queue.
inline constexpr unsigned kSealClocks = 1 + kGcmClocks + 1 + 1;

struct RecordSeal {
  static constexpr unsigned kJobBits = 5;    // 32 jobs under way: the shortest take 2 clocks, and 14 of those fill the pipeline
  static constexpr unsigned kBlockBits = 6;  // 64 blocks: more than kSealClocks, or a clock would be lost waiting for room

  RecordIssue issue{};
  GcmInput issued{};
  GcmSeal gcm{};
  TailPacker packer{};
  Queue<RecordCompletion, kJobBits> under_way{};  // as they will be when all goes well
  Queue<RecordCompletion, kJobBits> completed{};
  Queue<OutBlock, kBlockBits> sealed{};
  std::uint8_t seal_type = 0;         // TLS 1.3: goes behind the fragment
  UInt<15> fragment_bytes = 0;
  UInt<kJobBits + 1> jobs = 0;        // begun and their completion not yet given out
  UInt<kBlockBits + 1> blocks = 0;    // entered and not yet given out

  template <class Jobs, class In, class Out, class Completions>
  void step(Jobs& job_in, In& block_in, Out& block_out, Completions& completion_out) noexcept {
    give_out(block_out, completion_out);
    const Slot leaving = gcm.step(issued);
    issued = next_slot(job_in, block_in);
    finish(leaving);
  }

 private:
  template <class Out, class Completions>
  void give_out(Out& block_out, Completions& completion_out) noexcept {
    if (!sealed.is_empty() && !block_out.full()) {
      block_out.write(sealed.pop());
      blocks = blocks - 1;
    }
    if (!completed.is_empty() && !completion_out.full()) {
      completion_out.write(completed.pop());
      jobs = jobs - 1;
    }
  }

  template <class Jobs, class In>
  GcmInput next_slot(Jobs& job_in, In& block_in) noexcept {
    if (issue.phase == IssuePhase::ready) {
      if (jobs == under_way.kDepth || job_in.empty()) return {};
      return begin(job_in.read());
    }
    if (issue.phase == IssuePhase::discard) {
      if (!block_in.empty()) issue.discard(block_in.read());
      return {};
    }
    if (blocks == sealed.kDepth || (issue.wants_input() && block_in.empty())) return {};
    InBlock in{};
    if (issue.wants_input()) {
      in = block_in.read();
      issue.count(in);
    }
    blocks = blocks + 1;
    if (issue.phase == IssuePhase::tag) {
      seal_type = 0;
      return issue.finish({});
    }
    return issue.text(with_type(in.data));
  }

  GcmInput begin(const RecordJob& job) noexcept {
    const JobVerdict verdict = judge_seal(job);
    const bool is_1_3 = job.version == RecordVersion::tls_1_3;
    const std::uint32_t text_bytes = job.bytes + (is_1_3 ? 1 : 0);
    const std::uint32_t body_bytes = text_bytes + bytes_around(job.version);
    const Header header{is_1_3 ? kApplicationDataType : job.type, 0x0303, static_cast<std::uint16_t>(body_bytes)};
    RecordCompletion completion{};
    completion.id = job.id;
    completion.status = verdict.status;
    completion.alert = verdict.alert;
    jobs = jobs + 1;
    if (verdict.status == RecordStatus::ok) {
      completion.type = header.type;
      completion.bytes = static_cast<std::uint16_t>(text_bytes + kTagBytes);
      completion.front = record_front(job.version, job.number, header);
    }
    under_way.push(completion);
    if (verdict.status != RecordStatus::ok) return issue.refuse();
    seal_type = job.type;
    fragment_bytes = job.bytes;
    const std::uint32_t fragment_blocks = blocks_of(job.bytes);
    return issue.begin(job, record_nonce(job, number_bytes_of(job.number)),
                       additional_data(job.version, job.number, header, static_cast<std::uint16_t>(text_bytes)), text_bytes,
                       fragment_blocks == 0 ? 1 : fragment_blocks);
  }

  /// The fragment's next block, with the type behind its last byte: in TLS 1.3 the text is one byte longer than the fragment, and in TLS 1.2
  /// what stands behind the text does not count.
  [[nodiscard]] Block with_type(const Block& from) const noexcept {
    const BlockBytes count = bytes_in_block(fragment_bytes, issue.next);
    Block block = first_bytes(from, count);
    CUTWATER_LOOP(bytes)
    for (unsigned i = 0; i < kBlockBytes; ++i) {
      if (i == count) block[i] = seal_type;
    }
    return block;
  }

  void finish(const Slot& leaving) noexcept {
    const bool is_end = leaving.kind == SlotKind::tag || leaving.kind == SlotKind::refused;
    Slot slot = leaving;
    if (slot.kind == SlotKind::tag && slot.mark == SlotMark::broken) slot.block = {};
    const TailPacker::Output packed = packer.step(slot, under_way.front().id);
    if (packed.is_there) sealed.push(packed.block);
    if (!is_end) return;
    RecordCompletion completion = under_way.pop();
    if (slot.mark == SlotMark::broken) {
      completion = {completion.id, RecordStatus::bad_input, RecordAlert::internal_error, 0, 0, {}};
    }
    completed.push(completion);
  }
};

}  // namespace cutwater::hw
