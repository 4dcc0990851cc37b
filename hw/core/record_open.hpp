// The opening machine: jobs and records' bodies in, verdicts and fragments out, a clock a step. A record of N blocks of text takes N + 2 clocks
// of it. The verdict comes kOpenClocks after the clock that took the tag; then the fragment, a block a clock, while the next records come in.
// Unless the job asks for streaming nothing of a record is outside of the buffer before its tag was compared.
#pragma once

#include "core/plaintext_release.hpp"
#include "core/record_issue.hpp"
#include "core/record_verdict.hpp"

namespace cutwater::hw {

/// From the clock that takes a record's tag to the one that gives its verdict out: the register behind the issue, the pipeline, the queue.
inline constexpr unsigned kOpenClocks = 1 + kGcmClocks + 1;

struct RecordOpen {
  static constexpr unsigned kJobBits = 5;    // as in RecordSeal
  static constexpr unsigned kInnerBits = 4;  // records between plaintext and verdict: kHashClocks / 2, and some

  RecordIssue issue{};
  GcmInput issued{};
  GcmOpen gcm{};
  PlaintextBuffer buffer{};
  PlaintextRelease release{};
  InnerEnd inner{};
  Queue<InnerEnd, kInnerBits> inners{};
  Queue<RecordNote, kJobBits> under_way{};
  Queue<RecordCompletion, kJobBits> completed{};
  UInt<kJobBits + 1> jobs = 0;  // begun and their completion not yet given out
  BufferIndex blocks = 0;       // entered and not yet out of the buffer

  template <class Jobs, class In, class Out, class Completions>
  void step(Jobs& job_in, In& block_in, Out& block_out, Completions& completion_out) noexcept {
    give_out(block_out, completion_out);
    const GcmOpened leaving = gcm.step(issued);
    issued = next_slot(job_in, block_in);
    keep(leaving.plain);
    judge(leaving.judged);
  }

 private:
  template <class Out, class Completions>
  void give_out(Out& block_out, Completions& completion_out) noexcept {
    if (release.step(buffer, block_out)) blocks = blocks - 1;
    if (!completed.is_empty() && !completion_out.full()) {
      completion_out.write(completed.pop());
      jobs = jobs - 1;
    }
  }

  template <class Jobs, class In>
  GcmInput next_slot(Jobs& job_in, In& block_in) noexcept {
    if (issue.phase == IssuePhase::ready) {
      if (jobs == under_way.kDepth || release.orders.is_full() || job_in.empty()) return {};
      return begin(job_in.read());
    }
    if (issue.phase == IssuePhase::discard) {
      if (!block_in.empty()) issue.discard(block_in.read());
      return {};
    }
    const bool needs_room = issue.phase == IssuePhase::text;
    if ((needs_room && blocks == kBufferBlocks) || (issue.wants_input() && block_in.empty())) return {};
    InBlock in{};
    if (issue.wants_input()) {
      in = block_in.read();
      issue.count(in);
    }
    if (!needs_room) return issue.finish(received_tag(in.data));
    blocks = blocks + 1;
    issue.before = in.data;
    return issue.text(in.data);
  }

  GcmInput begin(const RecordJob& job) noexcept {
    const JobVerdict verdict = judge_open(job);
    const std::uint32_t text_bytes = verdict.status == RecordStatus::ok ? job.bytes - bytes_around(job.version) : 0;
    jobs = jobs + 1;
    under_way.push({job.id, job.version, job.release, job.type, text_bytes, verdict});
    if (verdict.status != RecordStatus::ok) return issue.refuse();
    release.orders.push({job.id, job.release, text_bytes});
    const Header header{job.type, job.wire_version, static_cast<std::uint16_t>(job.bytes)};
    return issue.begin(job, record_nonce(job, job.explicit_nonce),
                       additional_data(job.version, job.number, header, static_cast<std::uint16_t>(text_bytes)), text_bytes,
                       blocks_of(text_bytes) + 1);
  }

  /// The tag begins behind the last byte of ciphertext, in the block before, and ends in this one.
  [[nodiscard]] Block received_tag(const Block& last) const noexcept {
    const BlockBytes filled = bytes_in_last(issue.text_bytes);
    Block mixed{};
    CUTWATER_LOOP(bytes)
    for (unsigned i = 0; i < kBlockBytes; ++i) mixed[i] = i < filled ? last[i] : issue.before[i];
    return rotated(mixed, kBlockBytes - filled);
  }

  void keep(const Slot& plain) noexcept {
    if (plain.kind == SlotKind::data) {
      buffer.write(plain.block);
      inner.see(plain.block);
    }
    if (plain.kind == SlotKind::tag) {
      inners.push(inner);
      inner = {};
    }
  }

  void judge(const Slot& judged) noexcept {
    if (judged.kind != SlotKind::tag && judged.kind != SlotKind::refused) return;
    const RecordNote note = under_way.pop();
    InnerEnd end{};
    if (judged.kind == SlotKind::tag) end = inners.pop();
    const RecordCompletion completion = record_verdict(note, end, judged);
    completed.push(completion);
    const bool waits = judged.kind == SlotKind::tag && note.release == Release::after_verdict;
    if (waits) release.verdicts.push(completion.bytes);
  }
};

}  // namespace cutwater::hw
