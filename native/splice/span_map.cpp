#include "splice/span_map.hpp"

namespace cutwater::splice {

SpanPool::SpanPool(std::uint32_t blocks)
    : blocks_(std::make_unique_for_overwrite<Block[]>(blocks)), capacity_(blocks), free_count_(blocks) {}

std::uint32_t SpanPool::take() noexcept {
  if (free_count_ == 0) return kNone;
  --free_count_;
  if (free_head_ == kNone) return unused_++;
  const std::uint32_t block = free_head_;
  free_head_ = blocks_[block].next;
  return block;
}

void SpanPool::put(std::uint32_t block) noexcept {
  blocks_[block].next = free_head_;
  free_head_ = block;
  ++free_count_;
}

bool SpanMap::add_block(SpanPool& pool) noexcept {
  const std::uint32_t block = pool.take();
  if (block == SpanPool::kNone) return false;
  if (count_ == 0) {
    head_ = block;
    first_ = 0;
  } else {
    pool.blocks_[tail_].next = block;
  }
  tail_ = block;
  last_ = 0;
  return true;
}

void SpanMap::drop_block(SpanPool& pool) noexcept {
  const std::uint32_t next = count_ == 0 ? SpanPool::kNone : pool.blocks_[head_].next;
  pool.put(head_);
  head_ = next;
  first_ = 0;
  if (count_ == 0) tail_ = SpanPool::kNone;
}

void SpanMap::clear(SpanPool& pool) noexcept {
  while (count_ != 0) pop_front(pool);
}

}  // namespace cutwater::splice
