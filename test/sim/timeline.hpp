// Virtual time: what happens when, in a total order (time, then order of booking), so that a run repeats itself exactly.
// Thread: one run, one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace cutwater::sim {

inline constexpr std::uint64_t kNoTime = ~0ULL;  // a moment that never comes

class Timeline {
 public:
  [[nodiscard]] std::uint64_t now() const noexcept { return now_; }
  /// Books `what` for `at`, or for now when that is past.
  void book(std::uint64_t at, std::function<void()> what) { events_.push({at < now_ ? now_ : at, next_order_++, std::move(what)}); }
  [[nodiscard]] std::uint64_t next() const noexcept { return events_.empty() ? ~0ULL : events_.top().at; }
  void advance(std::uint64_t to) noexcept { now_ = to > now_ ? to : now_; }
  /// Runs all that is booked up to now.
  void run_due() {
    while (!events_.empty() && events_.top().at <= now_) {
      auto what = std::move(const_cast<Event&>(events_.top()).what);  // top() is const only to keep the order, which is not touched
      events_.pop();
      what();
    }
  }

 private:
  struct Event {
    std::uint64_t at = 0, order = 0;
    std::function<void()> what;
    bool operator<(const Event& other) const noexcept { return at != other.at ? at > other.at : order > other.order; }
  };
  std::priority_queue<Event> events_;
  std::uint64_t now_ = 0, next_order_ = 0;
};

}  // namespace cutwater::sim
