// What a TCP sender has on its way, as runs of bytes with a fate and the time they were last sent: the scoreboard of SACK and of
// loss detection by time (RFC 6675 2, RFC 8985 5.1). Bytes sent within a fraction of a round trip share a run, so a window of a
// thousand segments is a few dozen runs; when even those are too many, knowledge is given up in the direction that resends more.
// Not here: what follows from it (send_control). Thread: owning worker. Implements: A11.
#pragma once

#include <array>
#include <optional>

#include "base/seq_num.hpp"
#include "base/tick.hpp"
#include "wire/tcp.hpp"

namespace cutwater::splice {

class Flight {
 public:
  enum class State : std::uint8_t { sent, lost, held /* by the receiver, says its SACK */ };
  struct Run {
    SeqNum begin;
    State state = State::sent;
    bool is_resent = false;
    Tick sent;  // when its first byte was
  };
  /// What an acknowledgement has newly brought: take_ack() and then take_sack() for each block add to it.
  struct News {
    SeqNum highest_held;        // before it
    std::uint32_t bytes = 0;
    Tick sent;          // of what was sent last of it
    SeqNum end;
    bool is_resent = false;
    bool has_fresh = false;     // some of it was sent only once
    Tick fresh_sent;            // the newest of those
    bool is_reordered = false;  // something sent once came after what was sent later
  };

  void start(SeqNum at) noexcept;
  [[nodiscard]] SeqNum begin() const noexcept { return begin_; }
  [[nodiscard]] SeqNum end() const noexcept { return end_; }
  [[nodiscard]] std::uint32_t sent_bytes() const noexcept { return sent_bytes_; }
  [[nodiscard]] std::uint32_t lost_bytes() const noexcept { return lost_bytes_; }
  [[nodiscard]] std::uint32_t held_bytes() const noexcept { return held_bytes_; }

  /// New bytes, up to `end`. Those sent within `coalesce_us` of the run's first share it.
  void append(SeqNum end, Tick now, std::uint64_t coalesce_us) noexcept;
  /// The next bytes to be sent again, at most `limit` of them. They count as sent.
  std::optional<wire::SackBlock> resend(std::uint32_t limit, Tick now, std::uint64_t coalesce_us) noexcept;

  [[nodiscard]] News no_news() const noexcept {
    News news;
    news.highest_held = highest_held_;
    return news;
  }
  void take_ack(SeqNum ack, News& news) noexcept;
  /// Requires: inside [begin(), end()).
  void take_sack(const wire::SackBlock& block, News& news) noexcept;

  /// Everything of [from, to) that is on its way is lost. Returns: how many bytes are now, that were not.
  std::uint32_t lose(SeqNum from, SeqNum to) noexcept;
  /// Calls is_lost(run, end of run) for every run on its way; those for which it is true are lost. Returns: as lose().
  template <class Judge>
  std::uint32_t lose_if(Judge&& is_lost) noexcept {
    const std::uint32_t before_it = lost_bytes_;
    for (std::size_t i = 0; i < count_; ++i) {
      if (runs_[i].state == State::sent && is_lost(runs_[i], end_of(i))) runs_[i].state = State::lost;
    }
    settle();
    return lost_bytes_ - before_it;
  }
  /// What SACK said counts no more: the receiver may take back its word (RFC 2018 8).
  void forget_sack() noexcept;
  [[nodiscard]] bool is_front_held() const noexcept { return count_ != 0 && runs_[0].state == State::held; }

 private:
  static constexpr std::size_t kMaxRuns = 96;
  [[nodiscard]] SeqNum end_of(std::size_t i) const noexcept { return i + 1 < count_ ? runs_[i + 1].begin : end_; }
  [[nodiscard]] std::uint32_t bytes_of(std::size_t i) const noexcept { return static_cast<std::uint32_t>(end_of(i) - runs_[i].begin); }
  std::size_t cut_at(SeqNum at) noexcept;
  static void note(const Run& run, SeqNum end, News& news) noexcept;
  void erase(std::size_t at, std::size_t n) noexcept;
  void make_room() noexcept;
  void settle() noexcept;

  SeqNum begin_, end_, highest_held_;
  std::uint32_t sent_bytes_ = 0, lost_bytes_ = 0, held_bytes_ = 0;
  std::uint64_t coalesce_us_ = 0;
  std::size_t count_ = 0;
  std::array<Run, kMaxRuns> runs_{};
};

}  // namespace cutwater::splice
