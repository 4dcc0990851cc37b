// How much a TCP sender may have on its way: CUBIC (RFC 9438), with proportional rate reduction while it recovers (RFC 9937)
// and a way back when what looked like loss was not (RFC 3708). The same as what Linux peers do, so that custody takes
// neither more nor less of a shared link than they would.
// Not here: what was lost (send_control). Thread: owning worker. Implements: A11.
#pragma once

#include <cstdint>

#include "base/tick.hpp"

namespace cutwater::splice {

class Congestion {
 public:
  void start(std::uint16_t mss) noexcept;
  /// From now on segments are that long.
  void set_mss(std::uint16_t mss) noexcept { mss_ = mss; }

  [[nodiscard]] std::uint32_t window() const noexcept { return window_; }
  [[nodiscard]] bool is_in_slow_start() const noexcept { return window_ < threshold_; }

  /// Bytes newly delivered outside of a recovery. `was_full`: the window, and nothing else, had limited the sender.
  void grow(std::uint32_t delivered, bool was_full, std::uint64_t rtt_us, Tick now) noexcept;

  /// Something was lost for the first time in this round trip.
  void enter_recovery(std::uint32_t in_flight) noexcept;
  /// An acknowledgement during recovery. `is_safe`: it moved forward and told of no further loss.
  void recover(std::uint32_t delivered, std::uint32_t in_flight, bool is_safe) noexcept;
  void note_sent_in_recovery(std::uint32_t bytes) noexcept { sent_ += bytes; }
  void end_recovery() noexcept;
  /// The timer ran out. `is_first`: for the first time since something was acknowledged.
  void time_out(bool is_first) noexcept;
  /// There was no loss: as before it.
  void undo() noexcept;

 private:
  void remember() noexcept;
  void reduce() noexcept;
  [[nodiscard]] double cubic_window(double seconds) const noexcept;

  std::uint32_t window_ = 0, threshold_ = ~0U;
  std::uint32_t window_before_ = 0, threshold_before_ = ~0U;   // the last reduction
  std::uint32_t flight_before_ = 0, delivered_ = 0, sent_ = 0;  // of this recovery
  std::uint16_t mss_ = 536;
  Tick epoch_ = kNever;        // when this round of growth began
  double peak_ = 0;            // segments: where the last reduction came; W_max
  double peak_before_ = 0;
  double plateau_s_ = 0;       // seconds from the epoch to the peak; K
  double friendly_ = 0;        // segments: what Reno would have by now; W_est
  double growth_ = 0;          // segments not yet counted in window_
};

}  // namespace cutwater::splice
