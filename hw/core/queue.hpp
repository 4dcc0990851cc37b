// A short queue between two parts of a machine. Whoever pushes made sure of the room before: what travels in the pipeline
// cannot stop, so room is taken when it enters.
#pragma once

#include "shim/array.hpp"
#include "shim/bits.hpp"

namespace cutwater::hw {

template <class T, unsigned kIndexBits>
struct Queue {
  static constexpr unsigned kDepth = 1U << kIndexBits;

  Array<T, kDepth> items{};
  UInt<kIndexBits> first = 0;
  UInt<kIndexBits + 1> count = 0;

  [[nodiscard]] bool is_empty() const noexcept { return count == 0; }
  [[nodiscard]] bool is_full() const noexcept { return count == kDepth; }
  [[nodiscard]] const T& front() const noexcept { return items[first]; }
  /// Requires: not full.
  void push(const T& item) noexcept {
    items[(first + count) % kDepth] = item;
    count = count + 1;
  }
  /// Requires: not empty.
  T pop() noexcept {
    const T item = items[first];
    first = first + 1;
    count = count - 1;
    return item;
  }
};

}  // namespace cutwater::hw
