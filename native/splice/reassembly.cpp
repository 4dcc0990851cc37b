#include "splice/reassembly.hpp"

#include <cstring>

namespace cutwater::splice {

HeldPool::HeldPool(std::uint32_t capacity, port::ChunkPool& chunks)
    : held_(std::make_unique_for_overwrite<Held[]>(capacity)), chunks_(chunks), capacity_(capacity), free_count_(capacity) {}

std::uint32_t HeldPool::take() noexcept {
  if (free_count_ == 0) return kNone;
  --free_count_;
  if (free_head_ == kNone) return unused_++;
  const std::uint32_t index = free_head_;
  free_head_ = held_[index].next;
  return index;
}

void HeldPool::put(std::uint32_t index) noexcept {
  held_[index].next = free_head_;
  free_head_ = index;
  ++free_count_;
}

// A segment that spans a hole and what lies behind it keeps only the part before the first byte that is already here:
// the rest is known, or will be resent. That keeps one segment in one chunk.
bool Reassembly::insert(HeldPool& pool, const Held& segment) noexcept {
  if (count_ >= kMaxSegments) return false;
  Held fresh = segment;
  std::uint32_t* place = &head_;
  while (*place != HeldPool::kNone && before(pool.held_[*place].begin, fresh.begin)) {
    const Held& earlier = pool.held_[*place];
    if (before(fresh.begin, earlier.end())) {
      const auto known = static_cast<std::uint32_t>(earlier.end() - fresh.begin);
      if (known >= fresh.bytes) return false;
      fresh.begin += known;
      fresh.data += known;
      fresh.bytes -= known;
    }
    place = &pool.held_[*place].next;
  }
  if (*place != HeldPool::kNone) {
    const Held& following = pool.held_[*place];
    if (at_or_before(following.begin, fresh.begin)) return false;
    if (before(following.begin, fresh.end())) {
      fresh.bytes = static_cast<std::uint32_t>(following.begin - fresh.begin);
      fresh.flags &= Held::kPromised;
    }
  }
  const std::uint32_t index = pool.take();
  if (index == HeldPool::kNone) return false;
  fresh.next = *place;
  fresh.arrival = arrivals_++;
  pool.held_[index] = fresh;
  *place = index;
  ++count_;
  return true;
}

bool Reassembly::has(const HeldPool& pool, SeqNum begin, SeqNum end) const noexcept {
  each(pool, [&](const Held& held) {
    if (before(begin, held.begin)) return false;
    if (before(begin, held.end())) begin = held.end();
    return before(begin, end);
  });
  return at_or_before(end, begin);
}

SeqNum Reassembly::missing_from(const HeldPool& pool, SeqNum at) const noexcept {
  each(pool, [&](const Held& held) {
    if (before(at, held.begin)) return false;
    at = later(at, held.end());
    return true;
  });
  return at;
}

bool Reassembly::extend(HeldPool& pool, SeqNum begin, Bytes bytes) noexcept {
  for (std::uint32_t i = head_; i != HeldPool::kNone; i = pool.held_[i].next) {
    Held& held = pool.held_[i];
    if (held.end() != begin) continue;
    const auto added = static_cast<std::uint32_t>(bytes.size());
    const std::uint8_t* chunk_end = pool.chunks_.at(held.chunk) + pool.chunks_.chunk_bytes();
    const bool meets_next = held.next != HeldPool::kNone && before(pool.held_[held.next].begin, begin + added);
    if (meets_next || chunk_end < held.data + held.bytes + added) return false;
    std::memcpy(held.data + held.bytes, bytes.data(), added);
    held.bytes += added;
    return true;
  }
  return false;
}

void Reassembly::absorb(HeldPool& pool, Held& fresh, SeqNum begin, SeqNum end) noexcept {
  std::uint8_t* const room = fresh.data - (fresh.begin - begin);
  std::uint32_t* place = &head_;
  while (*place != HeldPool::kNone && at_or_before(pool.held_[*place].begin, fresh.end())) {
    Held& held = pool.held_[*place];
    const bool is_inside = at_or_before(begin, held.begin) && at_or_before(held.end(), end);
    if (!is_inside || before(held.end(), fresh.begin)) {
      place = &held.next;
      continue;
    }
    std::memcpy(room + (held.begin - begin), held.data, held.bytes);  // over fresh: of bytes that come twice the first copy stands
    const SeqNum joined_end = later(fresh.end(), held.end());
    fresh.begin = earlier(fresh.begin, held.begin);
    fresh.data = room + (fresh.begin - begin);
    fresh.bytes = static_cast<std::uint32_t>(joined_end - fresh.begin);
    const std::uint32_t index = *place;
    *place = held.next;
    pool.chunks_.put(held.chunk);
    pool.put(index);
    --count_;
  }
}

bool Reassembly::drop_last_from(HeldPool& pool, SeqNum from) noexcept {
  if (empty()) return false;
  std::uint32_t* place = &head_;
  while (pool.held_[*place].next != HeldPool::kNone) place = &pool.held_[*place].next;
  const std::uint32_t last = *place;
  if (before(pool.held_[last].begin, from)) return false;
  pool.chunks_.put(pool.held_[last].chunk);
  *place = HeldPool::kNone;
  pool.put(last);
  --count_;
  return true;
}

Held Reassembly::pop_front(HeldPool& pool) noexcept {
  const std::uint32_t index = head_;
  const Held out = pool.held_[index];
  head_ = out.next;
  pool.put(index);
  --count_;
  return out;
}

void Reassembly::trim_front(HeldPool& pool, std::uint32_t bytes) noexcept {
  Held& front = pool.held_[head_];
  front.begin += bytes;
  front.data += bytes;
  front.bytes -= bytes;
}

void Reassembly::drop_before(HeldPool& pool, SeqNum limit) noexcept {
  while (!empty() && before(front(pool).begin, limit)) {
    if (before(limit, front(pool).end())) {
      trim_front(pool, static_cast<std::uint32_t>(limit - front(pool).begin));
      return;
    }
    pool.chunks_.put(pop_front(pool).chunk);
  }
}

void Reassembly::clear(HeldPool& pool) noexcept {
  while (!empty()) pool.chunks_.put(pop_front(pool).chunk);
}

bool Reassembly::promise_behind(HeldPool& pool, SeqNum next, std::uint32_t runs) noexcept {
  SeqNum run_end = next;
  bool has_promised = false;
  for (std::uint32_t i = head_; i != HeldPool::kNone; i = pool.held_[i].next) {
    Held& held = pool.held_[i];
    if (held.begin == next) {
      next = held.end();
      continue;
    }
    if (held.is_promised()) continue;
    if (!has_promised || held.begin != run_end) {
      if (runs == 0) break;
      --runs;
    }
    has_promised = true;
    run_end = held.end();
    held.flags |= Held::kPromised;
    held.arrival = arrivals_++;
  }
  return has_promised;
}

}  // namespace cutwater::splice
