// Lets plaintext out of the buffer, or wipes it: a clock a block either way. A record that waits for its verdict shows nothing before it; one
// that was refused shows nothing at all. Padding and inner type stay inside, but for streaming, which cannot know where they begin.
#pragma once

#include "core/plaintext_buffer.hpp"
#include "core/queue.hpp"

namespace cutwater::hw {

struct PlaintextRelease {
  /// A record in the buffer, oldest first.
  struct Order {
    JobId id = 0;
    Release release = Release::after_verdict;
    UInt<15> text_bytes = 0;
  };

  static constexpr unsigned kOrderBits = 6;  // 64 records of a few bytes may wait for a slow reader

  Queue<Order, kOrderBits> orders{};
  Queue<UInt<15>, kOrderBits> verdicts{};  // so many bytes may leave; for the orders that wait for one
  UInt<11> next = 0;                       // index of the block, of the oldest order

  /// One clock. Returns: whether a block was taken out of the buffer.
  template <class Out>
  bool step(PlaintextBuffer& buffer, Out& out) noexcept {
    buffer.clock();
    if (orders.is_empty()) return false;
    const Order& order = orders.front();
    const bool is_streaming = order.release == Release::streaming;
    if (!is_streaming && verdicts.is_empty()) return false;
    const std::uint32_t free_bytes = is_streaming ? order.text_bytes : verdicts.front();
    const std::uint32_t blocks = blocks_of(order.text_bytes), free_blocks = blocks_of(free_bytes);
    const bool leaves = next < free_blocks;
    const bool is_taken = next < blocks && buffer.count != 0 && !(leaves && out.full());
    if (is_taken) {
      const Block block = buffer.take();
      if (leaves) out.write({first_bytes(block, bytes_in_block(free_bytes, next)), order.id, next + 1 == free_blocks});
      next = next + 1;
    }
    if (next == blocks) {
      if (!is_streaming) verdicts.pop();
      orders.pop();
      next = 0;
    }
    return is_taken;
  }
};

}  // namespace cutwater::hw
