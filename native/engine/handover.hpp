// Packets between workers: what a device delivered to one worker but belongs to a flow of another. Copied, since each worker
// has a chunk pool of its own. One ring per ordered pair of workers; full means dropped and counted, as a device would.
// Which worker owns a packet follows from the client's address and port alone, so both directions meet (A3, A8).
// Whoever pushed wakes the owner, who may be asleep (worker.cpp).
// Thread: push by the receiving worker, pop by the owner.
#pragma once

#include <memory>

#include "base/spsc_ring.hpp"
#include "path/path.hpp"

namespace cutwater::engine {

class Handover {
 public:
  explicit Handover(std::size_t max_packet_bytes)
      : max_packet_bytes_(max_packet_bytes), memory_(std::make_unique_for_overwrite<std::uint8_t[]>(kSlots * max_packet_bytes)) {}
  bool push(path::Side side, const port::Packet& packet) noexcept {
    Slot& slot = slots_[head_ % kSlots];
    if (full()) return false;
    slot.bytes = packet.bytes;
    slot.side = side;
    std::memcpy(data_of(head_), packet.data, packet.bytes);
    ++head_;
    return ready_.push(Token{});
  }
  /// Calls take(side, bytes) for each packet that waits, at most `limit`.
  template <class Take>
  std::size_t pop(std::size_t limit, Take&& take) noexcept {
    std::size_t n = 0;
    for (Token token; n < limit && ready_.pop(token); ++n) {
      const Slot& slot = slots_[tail_ % kSlots];
      take(slot.side, Bytes{data_of(tail_), slot.bytes});
      ++tail_;
      (void)free_.push(Token{});
    }
    return n;
  }
  /// Whether something waits. Exact for the owner but for what is being pushed right now.
  [[nodiscard]] bool empty() const noexcept { return ready_.size() == 0; }

 private:
  static constexpr std::size_t kSlots = 1024;
  struct Token {};
  struct Slot {
    std::uint32_t bytes;
    path::Side side;
  };
  std::uint8_t* data_of(std::size_t at) noexcept { return memory_.get() + at % kSlots * max_packet_bytes_; }
  bool full() noexcept {
    for (Token token; free_.pop(token);) --outstanding_;
    if (outstanding_ == kSlots) return true;
    ++outstanding_;
    return false;
  }
  std::size_t max_packet_bytes_;
  std::unique_ptr<std::uint8_t[]> memory_;
  std::unique_ptr<Slot[]> slots_ = std::make_unique_for_overwrite<Slot[]>(kSlots);
  SpscRing<Token, kSlots> ready_, free_;
  std::size_t head_ = 0, outstanding_ = 0;  // the pusher's
  alignas(64) std::size_t tail_ = 0;        // the popper's
};

}  // namespace cutwater::engine
