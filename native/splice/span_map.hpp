// The span map of one direction: ciphertext cut into spans, oldest unacknowledged first. It is the TCP/SSL database of A6;
// translation of acknowledgements, SACK and retransmission is arithmetic on it (translate.hpp).
// Spans lie in blocks of a pool that the worker owns, so an idle flow keeps 16 bytes and nothing is allocated per packet.
// Not here: packets, timers, keys. Thread: owning worker. Implements: A6, A7, A15.
#pragma once

#include <array>
#include <memory>

#include "base/bytes.hpp"
#include "base/seq_num.hpp"

namespace cutwater::splice {

struct Span {
  enum class Kind : std::uint8_t { record, local };
  /// Whether the sender was told of it by SACK before it lay in order, and whether what lies before it was, too.
  enum class Promised : std::uint8_t { no, first, further };
  SeqNum cipher_begin, plain_begin;
  std::uint32_t cipher_bytes = 0, plain_bytes = 0;
  std::uint64_t number = 0;             // record number under the key of `epoch`
  Kind kind = Kind::record;
  std::uint8_t epoch = 0;
  Promised promised = Promised::no;     // down
  std::array<std::uint8_t, 16> tag{};   // down: compared before a record is sent again (I3)

  [[nodiscard]] SeqNum cipher_end() const noexcept { return cipher_begin + cipher_bytes; }
  [[nodiscard]] SeqNum plain_end() const noexcept { return plain_begin + plain_bytes; }
};

inline constexpr std::uint32_t kSpansPerBlock = 10;  // a block is 488 bytes: what an interactive flow needs while it talks
inline constexpr std::uint32_t kMaxSpansPerFlow = 8192;  // 11 MB in flight at 1,400 bytes: beyond it the window closes

class SpanPool {
 public:
  explicit SpanPool(std::uint32_t blocks);
  [[nodiscard]] std::uint32_t free_blocks() const noexcept { return free_count_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }

 private:
  friend class SpanMap;
  static constexpr std::uint32_t kNone = ~0U;
  struct Block {
    std::array<Span, kSpansPerBlock> spans;
    std::uint32_t next;
  };
  std::uint32_t take() noexcept;
  void put(std::uint32_t block) noexcept;

  std::unique_ptr<Block[]> blocks_;  // untouched until first used
  std::uint32_t capacity_ = 0, unused_ = 0, free_head_ = kNone, free_count_ = 0;
};

class SpanMap {
 public:
  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] std::uint32_t size() const noexcept { return count_; }
  [[nodiscard]] bool has_room(const SpanPool& pool) const noexcept {
    return count_ < kMaxSpansPerFlow && pool.free_blocks() != 0;
  }
  /// Returns: a place behind the newest span, to be filled in, or nullptr at a cap (I5).
  [[gnu::always_inline]] Span* extend(SpanPool& pool) noexcept {
    if (count_ >= kMaxSpansPerFlow) return nullptr;
    if ((count_ == 0 || last_ == kSpansPerBlock) && !add_block(pool)) return nullptr;
    ++count_;
    return &pool.blocks_[tail_].spans[last_++];
  }
  /// Returns: the new span, or nullptr at a cap (I5).
  Span* push(SpanPool& pool, const Span& span) noexcept {
    Span* const slot = extend(pool);
    if (slot != nullptr) *slot = span;
    return slot;
  }
  [[nodiscard]] Span& front(SpanPool& pool) const noexcept { return pool.blocks_[head_].spans[first_]; }
  [[nodiscard]] const Span& front(const SpanPool& pool) const noexcept { return pool.blocks_[head_].spans[first_]; }
  /// The newest. Requires: not empty.
  [[nodiscard]] Span& back(SpanPool& pool) const noexcept { return pool.blocks_[tail_].spans[last_ - 1U]; }
  void pop_front(SpanPool& pool) noexcept {
    --count_;
    ++first_;
    if (count_ == 0 || first_ == kSpansPerBlock) drop_block(pool);
  }
  void clear(SpanPool& pool) noexcept;

  /// Calls visit(span) oldest first until it returns false.
  template <class Visit>
  void each(SpanPool& pool, Visit&& visit) const noexcept {
    std::uint32_t block = head_, at = first_;
    for (std::uint32_t left = count_; left != 0; --left) {
      if (!visit(pool.blocks_[block].spans[at])) return;
      if (++at == kSpansPerBlock) {
        at = 0;
        block = pool.blocks_[block].next;
      }
    }
  }

 private:
  bool add_block(SpanPool& pool) noexcept;
  void drop_block(SpanPool& pool) noexcept;

  std::uint32_t head_ = SpanPool::kNone, tail_ = SpanPool::kNone;
  std::uint16_t first_ = 0, last_ = 0;  // place of the oldest span in head_, and behind the newest in tail_
  std::uint32_t count_ = 0;
};

}  // namespace cutwater::splice
