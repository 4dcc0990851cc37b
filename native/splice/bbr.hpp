// How much a TCP sender may have on its way, and how fast it may send: by a model of the path instead of by its losses. The model
// is two numbers, the most that arrived in a round trip and the shortest round trip; what is on its way is kept near their
// product, and bytes leave as fast as they arrived. A link that loses a packet in twenty at random costs what it loses, no more.
// A round that loses much more than that is a full queue, and is believed.
// Sources: draft-cardwell-iccrg-bbr-congestion-control-00 (the cycle of gains, start and drain), draft-ietf-ccwg-bbr (the short
// round trip is looked for with half the product; losses bound what is on its way), draft-cheng-iccrg-delivery-rate-estimation.
// Not here: what was lost (send_control); CUBIC (congestion). Thread: owning worker. Implements: A11.
#pragma once

#include <array>
#include <cstdint>

#include "base/tick.hpp"

namespace cutwater::splice {

class Bbr {
 public:
  /// `seed`: where in its cycle a flow begins, so that flows do not probe together.
  void start(std::uint16_t mss, std::uint32_t seed) noexcept;
  void set_mss(std::uint16_t mss) noexcept { mss_ = mss; }

  [[nodiscard]] std::uint32_t window() const noexcept { return window_; }
  /// When the next segment may leave. A burst is at most what a millisecond or two carry, so that timers need not be finer.
  [[nodiscard]] Tick send_at() const noexcept { return send_at_; }
  void note_sent(std::uint32_t bytes, Tick now) noexcept;
  /// The sender had nothing to send, though it was allowed to: this round and the next measure the sender, not the path.
  void note_starved() noexcept { starved_rounds_ = 2; }

  /// What an acknowledgement has brought.
  struct Arrival {
    std::uint32_t delivered = 0, lost = 0;  // bytes
    std::uint32_t in_flight = 0;            // after it
    bool has_sent = false;
    Tick sent{};                            // when the newest byte delivered had been sent
    std::uint64_t rtt_us = 0;               // 0: nothing that was sent once came
    bool was_full = false;                  // the window had limited the sender
  };
  void take(const Arrival& arrival, Tick now) noexcept;

  /// `before_it`: what was on its way with what is lost; `in_flight`: without.
  void enter_recovery(std::uint32_t before_it, std::uint32_t in_flight, Tick now) noexcept;
  void end_recovery() noexcept;
  void time_out(bool is_first) noexcept;
  void undo() noexcept;

  enum class Phase : std::uint8_t { start, drain, cruise, short_rtt };
  [[nodiscard]] Phase phase() const noexcept { return phase_; }
  /// Bytes a second; 0: not known yet.
  [[nodiscard]] double rate() const noexcept;

 private:
  [[nodiscard]] double product() const noexcept { return rate() * static_cast<double>(shortest_us_) / 1e6; }
  [[nodiscard]] std::uint32_t share_of_product(double gain) const noexcept;
  [[nodiscard]] double pacing_gain() const noexcept;
  void end_round(const Arrival& arrival, Tick now) noexcept;
  bool judge_start(bool is_of_path) noexcept;
  /// Whether so much was lost that no link, but only a full queue, would lose it.
  [[nodiscard]] bool is_queue(std::uint32_t lost, std::uint32_t of) const noexcept;
  void judge_losses(std::uint32_t delivered, std::uint32_t in_flight, bool has_grown) noexcept;
  void take_rtt(std::uint64_t rtt_us, Tick now) noexcept;
  void go_through_phases(const Arrival& arrival, Tick now) noexcept;
  void set_window(const Arrival& arrival) noexcept;

  static constexpr std::size_t kRoundsRemembered = 10;
  std::array<double, kRoundsRemembered> rates_{};  // bytes a second, of the last rounds
  std::uint8_t newest_ = 0;
  std::uint8_t rounds_without_growth_ = 0;
  std::uint8_t step_ = 0;                          // of the cycle of gains
  Phase phase_ = Phase::start;
  std::uint8_t starved_rounds_ = 0;                // that are still to come to their end
  bool is_conserving_ = false, is_after_timeout_ = false;
  std::uint16_t mss_ = 536;
  std::uint32_t window_ = 0, window_before_ = 0;   // before the last reduction
  std::uint32_t bound_ = ~0U;                      // what losses have shown to be too much
  double fullest_ = 0;                             // the rate that growth is measured by

  Tick round_began_, step_began_, send_at_, conserving_since_;
  bool has_round_ = false;
  std::uint64_t delivered_ = 0, delivered_before_ = 0;  // in all; when the round began
  std::uint32_t lost_ = 0;                              // in this round
  std::uint64_t shortest_us_ = 0;
  Tick shortest_at_, short_until_;
};

}  // namespace cutwater::splice
