// What a TCP sender may send next, as arithmetic on sequence numbers: window, congestion window, SACK, recovery, timer.
// The bytes belong to somebody else (custody towards the server; local bytes towards the client).
// Sources: RFC 5681 (congestion), RFC 6675 (SACK recovery, simplified to one hole at a time), RFC 6298, RFC 6928 (initial window).
// Not here: packets, bytes. Thread: owning worker. Implements: A11, A12.
#pragma once

#include <array>
#include <optional>
#include <span>

#include "splice/rto.hpp"
#include "wire/tcp.hpp"

namespace cutwater::splice {

class SendControl {
 public:
  struct Range {
    SeqNum begin, end;
    bool is_resent = false;
  };

  /// Begins a stream at `at`, nothing sent yet. `mss` is payload bytes per segment.
  void start(SeqNum at, std::uint16_t mss, SeqNum window_edge, std::uint32_t rtt_us) noexcept;

  /// What the peer says. `is_duplicate` as RFC 5681 2 defines it (pure, same window, something outstanding).
  void on_ack(SeqNum ack, SeqNum window_edge, std::span<const wire::SackBlock> sack, bool is_duplicate, Tick now) noexcept;
  /// The next range to send, of what lies before `end`; call until nullopt. The range counts as sent.
  std::optional<Range> next(SeqNum end, Tick now) noexcept;
  /// To be called when deadline() has come. Returns: false when the peer is given up.
  bool on_timer(Tick now, SeqNum end) noexcept;
  [[nodiscard]] Tick deadline() const noexcept { return deadline_; }

  [[nodiscard]] SeqNum una() const noexcept { return una_; }
  [[nodiscard]] SeqNum nxt() const noexcept { return nxt_; }
  [[nodiscard]] const Rto& rto() const noexcept { return rto_; }
  /// The path has become narrower: everything unacknowledged is sent again, cut smaller (RFC 1191 6.5), without a penalty.
  void set_mss(std::uint16_t mss, Tick now) noexcept;
  /// The window moved without an acknowledgement of ours.
  void set_edge(SeqNum window_edge) noexcept { edge_ = window_edge; }

 private:
  enum class State : std::uint8_t { open, recovery, loss };
  void note_sack(std::span<const wire::SackBlock> blocks) noexcept;
  void forget_sack_before(SeqNum limit) noexcept;
  [[nodiscard]] std::uint32_t outstanding() const noexcept;
  std::optional<Range> next_resend(Tick now) noexcept;
  void arm(Tick now) noexcept { deadline_ = now + rto_.interval_us(); }

  SeqNum una_, nxt_, edge_, recover_, resend_;
  std::uint32_t cwnd_ = 0, ssthresh_ = ~0U;
  std::uint16_t mss_ = 536;
  State state_ = State::open;
  std::uint8_t duplicates_ = 0, sack_count_ = 0;
  bool is_timing_ = false, is_probing_ = false;
  SeqNum timed_;
  Tick timed_at_, deadline_ = kNever;
  Rto rto_;
  std::array<wire::SackBlock, 8> sack_{};  // sorted, disjoint, above una_
};

}  // namespace cutwater::splice
