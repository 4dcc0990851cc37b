#include "flow/timer_wheel.hpp"

#include <algorithm>
#include <bit>

namespace cutwater::flow {

TimerWheel::TimerWheel(std::uint32_t capacity) : links_(capacity) { heads_.fill(kNone); }

void TimerWheel::arm(std::uint32_t index, Tick deadline, Tick now) noexcept {
  disarm(index);
  if (deadline == kNever) return;
  if (armed_ == 0) turned_to_ = std::max(turned_to_, now.us / kSlotUs);  // an empty wheel has nothing to turn past
  // Rounded up: the slot is emptied when its whole millisecond has begun, so nothing fires early.
  const std::uint64_t due = (deadline.us + kSlotUs - 1) / kSlotUs;
  const std::uint64_t at = std::clamp(due, turned_to_, turned_to_ + kSlots - 1);
  links_[index].deadline = deadline;
  link(index, static_cast<std::uint32_t>(at % kSlots));
}

void TimerWheel::link(std::uint32_t index, std::uint32_t slot) noexcept {
  Link& l = links_[index];
  l.slot = slot;
  l.previous = kNone;
  l.next = heads_[slot];
  if (l.next != kNone) links_[l.next].previous = index;
  heads_[slot] = index;
  occupied_[slot / 64] |= 1ULL << (slot % 64);
  ++armed_;
}

void TimerWheel::disarm(std::uint32_t index) noexcept {
  Link& l = links_[index];
  if (l.slot == kNone) return;
  if (l.previous != kNone) links_[l.previous].next = l.next;
  else heads_[l.slot] = l.next;
  if (l.next != kNone) links_[l.next].previous = l.previous;
  if (heads_[l.slot] == kNone) occupied_[l.slot / 64] &= ~(1ULL << (l.slot % 64));
  l.slot = kNone;
  l.deadline = kNever;
  --armed_;
}

std::uint32_t TimerWheel::next_occupied(std::uint32_t from, std::uint32_t limit) const noexcept {
  for (std::uint32_t step = 0; step < limit;) {
    const std::uint32_t slot = (from + step) % kSlots;
    const std::uint64_t word = occupied_[slot / 64] >> (slot % 64);
    if (word != 0) return std::min(step + static_cast<std::uint32_t>(std::countr_zero(word)), limit);
    step += 64 - slot % 64;
  }
  return limit;
}

std::uint32_t TimerWheel::pop_due(Tick now) noexcept {
  const std::uint64_t current = now.us / kSlotUs;
  while (armed_ != 0 && turned_to_ <= current) {
    const auto ahead = static_cast<std::uint32_t>(std::min<std::uint64_t>(current - turned_to_ + 1, kSlots));
    const std::uint32_t step = next_occupied(static_cast<std::uint32_t>(turned_to_ % kSlots), ahead);
    if (step == ahead) {
      turned_to_ = current + 1;
      break;
    }
    turned_to_ += step;
    const std::uint32_t index = heads_[turned_to_ % kSlots];
    const Tick deadline = links_[index].deadline;
    disarm(index);
    if (deadline <= now) return index;
    // Went round: it gets another slot, never this one, so the loop ends.
    const std::uint64_t due = (deadline.us + kSlotUs - 1) / kSlotUs;
    links_[index].deadline = deadline;
    link(index, static_cast<std::uint32_t>(std::clamp(due, turned_to_ + 1, turned_to_ + kSlots - 1) % kSlots));
  }
  if (armed_ == 0) turned_to_ = current + 1;
  return kNone;
}

Tick TimerWheel::next_deadline() const noexcept {
  if (armed_ == 0) return kNever;
  const std::uint32_t step = next_occupied(static_cast<std::uint32_t>(turned_to_ % kSlots), kSlots);
  return Tick{(turned_to_ + step) * kSlotUs};
}

}  // namespace cutwater::flow
