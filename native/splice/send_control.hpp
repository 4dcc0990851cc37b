// What a TCP sender may send next, as arithmetic on sequence numbers: window, loss detection, recovery, timers.
// The bytes belong to somebody else (custody towards the server). Loss is told by time, not by counting: what was sent a round
// trip and a reordering window before something that has arrived is lost. A link that only reorders costs a few superfluous
// segments, which the receiver reports (D-SACK), and then nothing.
// Sources: RFC 8985 (RACK-TLP), RFC 2018 and 2883 (SACK, D-SACK), RFC 3708 (undoing), RFC 5681 and 6582 (peers without SACK),
// RFC 6298, RFC 9293 3.8.6 (windows).
// Not here: packets, bytes; how much may be on its way, and how fast (send_limit). Thread: owning worker. Implements: A11, A12.
#pragma once

#include <optional>
#include <span>

#include "splice/flight.hpp"
#include "splice/rto.hpp"
#include "splice/send_limit.hpp"

namespace cutwater::splice {

class SendControl {
 public:
  struct Range {
    SeqNum begin, end;
    bool is_resent = false;
  };

  /// Begins a stream at `at`, nothing sent yet. `mss` is payload bytes per segment.
  void start(SeqNum at, std::uint16_t mss, SeqNum window_edge, bool has_sack,
             CongestionControl congestion = CongestionControl::cubic) noexcept;

  /// What the peer says. `is_duplicate` as RFC 5681 2 defines it (pure, same window, something outstanding).
  void on_ack(SeqNum ack, SeqNum window_edge, std::span<const wire::SackBlock> sack, bool is_duplicate, Tick now) noexcept;
  /// The next range to send, of what lies before `end`; call until nullopt. The range counts as sent.
  std::optional<Range> next(SeqNum end, Tick now) noexcept;
  /// To be called when deadline() has come. Returns: false when the peer is given up.
  bool on_timer(Tick now, SeqNum end) noexcept;
  [[nodiscard]] Tick deadline() const noexcept { return std::min({rto_at_, probe_at_, reorder_at_, paced_at_}); }

  [[nodiscard]] SeqNum una() const noexcept { return flight_.begin(); }
  [[nodiscard]] SeqNum nxt() const noexcept { return flight_.end(); }
  [[nodiscard]] const Rto& rto() const noexcept { return rto_; }
  [[nodiscard]] const SendLimit& congestion() const noexcept { return congestion_; }
  /// The path has become narrower: everything unacknowledged is sent again, cut smaller (RFC 1191 6.5), without a penalty.
  void set_mss(std::uint16_t mss, Tick now) noexcept;
  /// The window moved without an acknowledgement of ours.
  void set_edge(SeqNum window_edge) noexcept { edge_ = window_edge; }

 private:
  enum class State : std::uint8_t { open, recovery, loss };
  enum class TailProbe : std::uint8_t { none, due, fresh /* new data was sent */, repeated /* the last segment was */ };

  [[nodiscard]] bool is_idle() const noexcept { return una() == nxt(); }
  [[nodiscard]] std::uint32_t in_flight() const noexcept { return flight_.sent_bytes() - std::min(blind_bytes_, flight_.sent_bytes()); }
  [[nodiscard]] std::uint64_t coalesce_us() const noexcept { return rto_.smoothed_us() / 32; }
  [[nodiscard]] std::uint64_t reorder_window_us() const noexcept;

  bool take_duplicate_report(SeqNum ack, std::span<const wire::SackBlock> sack) noexcept;
  void measure(const Flight::News& news, Tick now) noexcept;
  std::uint32_t find_lost(Tick now) noexcept;
  std::uint32_t count_duplicate(bool is_duplicate, std::uint32_t acked) noexcept;
  void take_losses(std::uint32_t lost, std::uint32_t delivered, Tick now) noexcept;
  [[nodiscard]] SendLimit::During during() const noexcept {
    return state_ == State::recovery ? SendLimit::During::recovery : SendLimit::During::open;
  }
  void leave_recovery() noexcept;
  void settle_tail_probe(SeqNum ack, bool has_duplicate_report) noexcept;
  void undo_if_superfluous() noexcept;
  void begin_undo_record() noexcept;
  void reopen_window() noexcept;
  std::optional<Range> next_resend(Tick now) noexcept;
  std::optional<Range> tail_probe(SeqNum limit, Tick now) noexcept;
  Range send_new(std::uint32_t bytes, Tick now) noexcept;
  bool time_out(Tick now) noexcept;
  void arm(Tick now) noexcept { rto_at_ = now + rto_.interval_us(); }
  void arm_tail_probe(Tick now) noexcept;

  Flight flight_;
  SendLimit congestion_;
  Rto rto_;
  SeqNum edge_, recover_;
  SeqNum timed_;               // what is acknowledged behind it gives the next sample of the round trip
  std::uint32_t blind_bytes_ = 0;  // that duplicates without SACK stand for
  std::uint16_t mss_ = 536;
  State state_ = State::open;
  std::uint8_t duplicates_ = 0;
  bool has_sack_ = false, is_probing_ = false;

  // Of what arrived last among what was sent (RFC 8985 5.2).
  bool has_arrival_ = false, is_arrival_resent_ = false, is_reordering_seen_ = false;
  std::uint8_t reorder_steps_ = 1, steps_left_ = 0;  // the reordering window in quarters of the shortest round trip, and for how long
  SeqNum arrived_end_, steps_round_;
  Tick arrived_sent_;
  std::uint64_t arrived_rtt_us_ = 0, shortest_rtt_us_ = ~0ULL;

  // Of the last reduction: it is taken back when all that was sent again had been there already.
  SeqNum undo_from_;
  std::uint32_t undo_resent_ = 0, undo_left_ = 0;
  bool has_undo_ = false;

  TailProbe tail_probe_ = TailProbe::none;
  SeqNum tail_probe_end_;
  Tick rto_at_ = kNever, probe_at_ = kNever, reorder_at_ = kNever;
  Tick paced_at_ = kNever;  // when what may be sent may leave
};

}  // namespace cutwater::splice
