// A lane server's replies on their way to one worker: what the worker's ring has no room for is held here, in order, until it has.
// Bounded by its user, who takes no more requests of a lane that holds replies. Thread: the server's. Used by: processor, carrier.
#pragma once

#include <deque>
#include <utility>

#include "secure/pool.hpp"

namespace cutwater::secure {

class ReplyQueue {
 public:
  static constexpr int kRetryMs = 1;  // how soon to try again where a worker's ring was full

  explicit ReplyQueue(Lane* lane) noexcept : lane_(lane) {}
  void push(std::unique_ptr<Reply> reply) {
    has_news_ = true;
    if (held_.empty() && lane_->from.push(std::move(reply))) return;
    held_.push_back(std::move(reply));
  }
  /// Returns: true when nothing is held any more.
  bool flush() {
    while (!held_.empty() && lane_->from.push(std::move(held_.front()))) {
      held_.pop_front();
      has_news_ = true;
    }
    return held_.empty();
  }
  /// Whether the worker has something to be woken for since the last call.
  bool take_news() noexcept { return std::exchange(has_news_, false); }
  [[nodiscard]] std::size_t held() const noexcept { return held_.size(); }

 private:
  Lane* lane_;
  std::deque<std::unique_ptr<Reply>> held_;
  bool has_news_ = false;
};

}  // namespace cutwater::secure
