// What drives a machine in a test: sources and sinks round its four streams, which may pause at random, and a clock that counts.
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <vector>

#include "core/record_job.hpp"
#include "shim/stream.hpp"

namespace cutwater::hw::tb {

/// How often the two sides of a machine look away.
enum class Pace : std::uint8_t { steady, random };

/// A job with the bytes of its blocks.
struct Request {
  RecordJob job{};
  std::vector<InBlock> blocks;
};

/// What came out for one job.
struct Answer {
  RecordCompletion completion{};
  std::vector<std::uint8_t> bytes;  // whole blocks
  std::uint64_t completed_at = 0;   // the clock
  std::uint64_t first_block_at = 0;
  std::uint64_t last_block_at = 0;
  unsigned blocks = 0;
  unsigned ends = 0;  // blocks that said they were the last
};

/// Bytes in blocks, the last one said to be so; none at all are one block.
inline std::vector<InBlock> in_blocks(const std::vector<std::uint8_t>& bytes) {
  std::vector<InBlock> blocks(bytes.empty() ? 1 : blocks_of(static_cast<std::uint32_t>(bytes.size())));
  for (std::size_t i = 0; i < bytes.size(); ++i) blocks[i / kBlockBytes].data[static_cast<unsigned>(i % kBlockBytes)] = bytes[i];
  blocks.back().is_last = true;
  return blocks;
}

using Top = void (*)(Stream<RecordJob>&, Stream<InBlock>&, Stream<OutBlock>&, Stream<RecordCompletion>&) noexcept;

class Bench {
 public:
  static constexpr unsigned kQuietClocks = 1200;  // a record of the greatest size, refused, is wiped without a word before the next may leave

  explicit Bench(Top top, Pace pace = Pace::steady, unsigned seed = 1) : top_(top), pace_(pace), random_(seed) {}

  void ask(Request request) {
    waiting_jobs_.push_back(request.job);
    waiting_blocks_.insert(waiting_blocks_.end(), request.blocks.begin(), request.blocks.end());
  }

  /// One clock.
  void clock() {
    if (!waiting_jobs_.empty() && !jobs_.full() && goes()) {
      jobs_.write(waiting_jobs_.front());
      waiting_jobs_.pop_front();
    }
    if (!waiting_blocks_.empty() && !in_.full() && goes()) {
      in_.write(waiting_blocks_.front());
      waiting_blocks_.pop_front();
    }
    top_(jobs_, in_, out_, completions_);
    ++now_;
    if (!out_.empty() && goes()) take_block(out_.read());
    if (!completions_.empty() && goes()) take_completion(completions_.read());
  }

  /// Clocks until `answers` jobs are complete and for `quiet_clocks` no block has come. Returns: whether they were in bounded time, and took all there was.
  bool run(std::size_t answers, unsigned quiet_clocks = kQuietClocks) {
    for (std::uint64_t i = 0; i < kMostClocks && completions_seen_ < answers; ++i) clock();
    for (unsigned quiet = 0; quiet < quiet_clocks; ++quiet) {
      const std::uint64_t before = blocks_seen_;
      clock();
      if (blocks_seen_ != before) quiet = 0;
    }
    return completions_seen_ == answers && waiting_jobs_.empty() && waiting_blocks_.empty();
  }

  /// By the order of completion.
  [[nodiscard]] const std::vector<Answer>& answers() const { return answers_; }
  [[nodiscard]] std::uint64_t blocks_seen() const { return blocks_seen_; }
  [[nodiscard]] std::uint64_t now() const { return now_; }
  void forget() { answers_.clear(), pending_.clear(), completions_seen_ = 0, blocks_seen_ = 0; }
  [[nodiscard]] const std::deque<Answer>& unclaimed() const { return pending_; }

 private:
  static constexpr std::uint64_t kMostClocks = 200'000;

  bool goes() { return pace_ == Pace::steady || random_() % 3 != 0; }

  Answer& answer_of(JobId id) {
    for (Answer& answer : answers_) {
      if (answer.completion.id == id) return answer;
    }
    for (Answer& answer : pending_) {
      if (answer.completion.id == id) return answer;
    }
    pending_.emplace_back();
    pending_.back().completion.id = id;
    return pending_.back();
  }

  void take_block(const OutBlock& block) {
    ++blocks_seen_;
    Answer& answer = answer_of(block.id);
    if (answer.blocks++ == 0) answer.first_block_at = now_;
    answer.last_block_at = now_;
    answer.ends += block.is_last ? 1 : 0;
    answer.bytes.insert(answer.bytes.end(), block.data.items, block.data.items + kBlockBytes);
  }

  void take_completion(const RecordCompletion& completion) {
    ++completions_seen_;
    Answer answer{};
    if (!pending_.empty() && pending_.front().completion.id == completion.id) {
      answer = pending_.front();
      pending_.pop_front();
    }
    answer.completion = completion;
    answer.completed_at = now_;
    answers_.push_back(answer);
  }

  Top top_;
  Pace pace_;
  std::mt19937_64 random_;
  Stream<RecordJob> jobs_{"jobs"};
  Stream<InBlock> in_{"blocks in"};
  Stream<OutBlock> out_{"blocks out"};
  Stream<RecordCompletion> completions_{"completions"};
  std::deque<RecordJob> waiting_jobs_;
  std::deque<InBlock> waiting_blocks_;
  std::deque<Answer> pending_;  // blocks came, the completion did not yet
  std::vector<Answer> answers_;
  std::uint64_t now_ = 0, blocks_seen_ = 0;
  std::size_t completions_seen_ = 0;
};

}  // namespace cutwater::hw::tb
