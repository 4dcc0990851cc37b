// How much custody may have on its way to its server, and when it may send: by CUBIC or by BBR, as the service chose.
// Not here: what was lost (send_control). Thread: owning worker. Implements: A11.
#pragma once

#include "splice/bbr.hpp"
#include "splice/congestion.hpp"
#include "splice/congestion_control.hpp"

namespace cutwater::splice {

class SendLimit {
 public:
  /// `seed`: differs between flows.
  void start(CongestionControl control, std::uint16_t mss, std::uint32_t seed) noexcept {
    control_ = control;
    cubic_.start(mss);
    bbr_.start(mss, seed);
  }
  void set_mss(std::uint16_t mss) noexcept {
    cubic_.set_mss(mss);
    bbr_.set_mss(mss);
  }

  [[nodiscard]] std::uint32_t window() const noexcept { return is_bbr() ? bbr_.window() : cubic_.window(); }
  [[nodiscard]] bool is_in_slow_start() const noexcept {
    return is_bbr() ? bbr_.phase() == Bbr::Phase::start : cubic_.is_in_slow_start();
  }
  /// Nothing may leave before.
  [[nodiscard]] Tick send_at() const noexcept { return is_bbr() ? bbr_.send_at() : Tick{}; }
  enum class During : std::uint8_t { open, recovery };
  void note_sent(std::uint32_t bytes, During during, Tick now) noexcept {
    if (is_bbr()) bbr_.note_sent(bytes, now);
    else if (during == During::recovery) cubic_.note_sent_in_recovery(bytes);
  }
  void note_starved() noexcept {
    if (is_bbr()) bbr_.note_starved();
  }

  struct Arrival {
    Bbr::Arrival of{};
    std::uint32_t acknowledged = 0;    // bytes of it that acknowledgements named; the rest are guessed from duplicates
    During during = During::open;
    bool is_safe = false;              // in a recovery: it moved forward and told of no further loss
    std::uint64_t smoothed_rtt_us = 0;
  };
  void take(const Arrival& arrival, Tick now) noexcept {
    if (is_bbr()) bbr_.take(arrival.of, now);
    else if (arrival.during == During::recovery) cubic_.recover(arrival.of.delivered, arrival.of.in_flight, arrival.is_safe);
    else if (arrival.acknowledged != 0) cubic_.grow(arrival.acknowledged, arrival.of.was_full, arrival.smoothed_rtt_us, now);
  }
  /// Something was lost for the first time in this round trip. `before_it`: what was on its way with it, `in_flight`: without.
  void enter_recovery(std::uint32_t before_it, std::uint32_t in_flight, Tick now) noexcept {
    if (is_bbr()) bbr_.enter_recovery(before_it, in_flight, now);
    else cubic_.enter_recovery(before_it);
  }
  void end_recovery() noexcept { is_bbr() ? bbr_.end_recovery() : cubic_.end_recovery(); }
  /// All that was on its way when the timer ran out has arrived.
  void end_loss() noexcept {
    if (is_bbr()) bbr_.end_recovery();
  }
  /// A probe has repaired the loss of a segment before anybody had noticed.
  void take_mended_loss(std::uint32_t bytes) noexcept {
    if (is_bbr()) return;  // one segment is nothing to a model
    cubic_.enter_recovery(bytes);
    cubic_.end_recovery();
  }
  void time_out(bool is_first) noexcept { is_bbr() ? bbr_.time_out(is_first) : cubic_.time_out(is_first); }
  void undo() noexcept { is_bbr() ? bbr_.undo() : cubic_.undo(); }

 private:
  [[nodiscard]] bool is_bbr() const noexcept { return control_ == CongestionControl::bbr; }
  CongestionControl control_ = CongestionControl::cubic;
  Congestion cubic_;
  Bbr bbr_;
};

}  // namespace cutwater::splice
