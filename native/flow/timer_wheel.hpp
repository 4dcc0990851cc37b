// Deadlines of flows: a wheel of 8,192 slots of one millisecond, links kept in the caller's own slab by index.
// A deadline farther away than the wheel goes round once and is looked at again. A timer never fires early.
// Thread: owning worker.
#pragma once

#include <array>
#include <vector>

#include "base/tick.hpp"

namespace cutwater::flow {

class TimerWheel {
 public:
  explicit TimerWheel(std::uint32_t capacity);

  /// Arms or moves the one timer of `index`.
  void arm(std::uint32_t index, Tick deadline, Tick now) noexcept;
  void disarm(std::uint32_t index) noexcept;
  [[nodiscard]] Tick deadline(std::uint32_t index) const noexcept { return links_[index].deadline; }

  /// Returns: the index of a due timer, disarmed, or kNone. Call until kNone (the caller bounds how often).
  std::uint32_t pop_due(Tick now) noexcept;
  /// A time at or before the earliest deadline; kNever when nothing is armed.
  [[nodiscard]] Tick next_deadline() const noexcept;

  static constexpr std::uint32_t kNone = ~0U;

 private:
  static constexpr std::uint32_t kSlots = 8192;
  static constexpr std::uint64_t kSlotUs = 1000;
  struct Link {
    Tick deadline = kNever;
    std::uint32_t previous = kNone, next = kNone, slot = kNone;
  };
  void link(std::uint32_t index, std::uint32_t slot) noexcept;
  [[nodiscard]] std::uint32_t next_occupied(std::uint32_t from, std::uint32_t limit) const noexcept;

  std::vector<Link> links_;
  std::array<std::uint32_t, kSlots> heads_{};
  std::array<std::uint64_t, kSlots / 64> occupied_{};
  std::uint64_t turned_to_ = 0;  // slots before this one (in absolute milliseconds) have been emptied
  std::uint32_t armed_ = 0;
};

}  // namespace cutwater::flow
