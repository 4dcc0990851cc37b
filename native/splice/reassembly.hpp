// Segments kept because they are not yet wanted: out of order, or in order but not admitted by a window (the hold queue, A14),
// or a piece of a record that was resent in another cut. Sorted by sequence; of bytes that come twice the first copy stands,
// so an attacker cannot replace what was already received. Bounded per flow and by the pool (I5).
// Thread: owning worker.
#pragma once

#include <memory>

#include "base/seq_num.hpp"
#include "port/chunk_pool.hpp"

namespace cutwater::splice {

/// Payload [begin, begin + bytes) at `data` inside the packet's chunk. Small so that thousands can be kept.
struct Held {
  SeqNum begin;
  std::uint32_t bytes = 0;
  std::uint8_t* data = nullptr;
  port::ChunkId chunk = port::kNoChunk;
  std::uint8_t flags = 0;          // FIN and PSH of the segment it came in, and kPromised
  std::uint8_t traffic_class = 0;
  std::uint16_t arrival = 0;       // counts the segments of its flow and direction, modulo 2^16: which of two came, or was promised, later
  std::uint32_t next = ~0U;
  std::uint32_t ts_echo = 0;       // what its timestamp echoed, if its sender has timestamps

  /// It came behind a gap, and its sender was told of it by SACK: it may never send it again (RFC 2018 8).
  static constexpr std::uint8_t kPromised = 0x20;

  [[nodiscard]] SeqNum end() const noexcept { return begin + bytes; }
  [[nodiscard]] bool is_promised() const noexcept { return (flags & kPromised) != 0; }
};

class HeldPool {
 public:
  HeldPool(std::uint32_t capacity, port::ChunkPool& chunks);
  [[nodiscard]] std::uint32_t free_count() const noexcept { return free_count_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  friend class Reassembly;
  static constexpr std::uint32_t kNone = ~0U;
  std::uint32_t take() noexcept;
  void put(std::uint32_t index) noexcept;

  std::unique_ptr<Held[]> held_;
  port::ChunkPool& chunks_;
  std::uint32_t capacity_, unused_ = 0, free_head_ = kNone, free_count_ = 0;
};

class Reassembly {
 public:
  static constexpr std::uint16_t kMaxSegments = 1024;  // per flow and direction: 1.4 MB at full segments

  [[nodiscard]] bool empty() const noexcept { return head_ == HeldPool::kNone; }
  [[nodiscard]] std::uint16_t size() const noexcept { return count_; }
  /// Keeps what is new of the segment. Returns: true when it took the chunk; false when nothing was new, or at the cap.
  bool insert(HeldPool& pool, const Held& segment) noexcept;
  /// True when all of [begin, end) is here.
  [[nodiscard]] bool has(const HeldPool& pool, SeqNum begin, SeqNum end) const noexcept;
  /// The first byte at or behind `at` that is not here.
  [[nodiscard]] SeqNum missing_from(const HeldPool& pool, SeqNum at) const noexcept;
  /// Copies bytes that continue a kept segment behind it, into the same chunk. Returns: false when none ends at `begin`, when
  /// its chunk is full, or when they would reach into the next segment; then nothing has changed.
  bool extend(HeldPool& pool, SeqNum begin, Bytes bytes) noexcept;
  /// Takes into `fresh`, which is not kept yet, the segments that touch it and lie inside [begin, end). Requires: that much room around
  /// fresh.data; fresh inside of it.
  void absorb(HeldPool& pool, Held& fresh, SeqNum begin, SeqNum end) noexcept;
  /// Gives back the last segment if it begins at or after `from`. Returns: whether it did.
  bool drop_last_from(HeldPool& pool, SeqNum from) noexcept;
  [[nodiscard]] const Held& front(const HeldPool& pool) const noexcept { return pool.held_[head_]; }
  /// Takes the first segment out; the caller owns its chunk.
  Held pop_front(HeldPool& pool) noexcept;
  /// Forgets the first `bytes` of the front segment. Requires: fewer than it has.
  void trim_front(HeldPool& pool, std::uint32_t bytes) noexcept;
  /// Gives back everything that ends at or before `limit`, and cuts what crosses it.
  void drop_before(HeldPool& pool, SeqNum limit) noexcept;
  void clear(HeldPool& pool) noexcept;
  /// Marks as promised, and as the newest, the first `runs` runs that are not yet and lie behind a gap: neither begin at `next` nor
  /// continue what does. Returns: whether there was one.
  bool promise_behind(HeldPool& pool, SeqNum next, std::uint32_t runs) noexcept;
  /// Calls visit(segment) in order until it returns false.
  template <class Visit>
  void each(const HeldPool& pool, Visit&& visit) const noexcept {
    for (std::uint32_t i = head_; i != HeldPool::kNone; i = pool.held_[i].next) {
      if (!visit(pool.held_[i])) return;
    }
  }

 private:
  std::uint32_t head_ = HeldPool::kNone;
  std::uint16_t count_ = 0, arrivals_ = 0;
};

}  // namespace cutwater::splice
