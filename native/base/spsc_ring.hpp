// One producer, one consumer, fixed capacity: the only way two threads meet.
// Thread: push by the producer, pop by the consumer.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <utility>

namespace cutwater {

template <class T, std::size_t N>
class SpscRing {
  static_assert((N & (N - 1)) == 0, "capacity is a power of two");

 public:
  /// Returns: false when full; the value is then untouched.
  bool push(T&& value) noexcept {
    const auto head = head_.load(std::memory_order_relaxed);              // written by this thread only
    if (head - tail_.load(std::memory_order_acquire) == N) return false;  // pairs with pop()
    slots_[head % N] = std::move(value);
    head_.store(head + 1, std::memory_order_release);  // publishes the slot
    return true;
  }
  bool pop(T& out) noexcept {
    const auto tail = tail_.load(std::memory_order_relaxed);           // written by this thread only
    if (head_.load(std::memory_order_acquire) == tail) return false;   // pairs with push()
    out = std::move(slots_[tail % N]);
    tail_.store(tail + 1, std::memory_order_release);  // gives the slot back
    return true;
  }
  /// A snapshot: exact for the calling end, a bound for the other.
  [[nodiscard]] std::size_t size() const noexcept {
    return head_.load(std::memory_order_acquire) - tail_.load(std::memory_order_acquire);
  }
  static constexpr std::size_t capacity() noexcept { return N; }

 private:
  alignas(64) std::atomic<std::size_t> head_{0};
  alignas(64) std::atomic<std::size_t> tail_{0};
  alignas(64) std::array<T, N> slots_{};
};

}  // namespace cutwater
