#include "line.hpp"

#include <algorithm>

#include "too_big.hpp"

namespace relay {

bool Line::draw(double chance) {
  // 53 bits, so that the draw does not depend on the library's distribution
  return chance > 0 && static_cast<double>(random_() >> 11) * 0x1p-53 < chance;
}

// Waits for its turn on a link of the given rate. Returns: when its last bit is out; nullopt when the queue is full.
std::optional<std::uint64_t> Line::pass_queue(std::size_t bytes, std::uint64_t now_us) {
  if (impairment.rate_bits_per_s == 0) return now_us;
  const std::uint64_t now_ns = now_us * 1'000;
  const std::uint64_t begin_ns = std::max(now_ns, link_free_ns_);
  const std::uint64_t waiting_bytes = (begin_ns - now_ns) * impairment.rate_bits_per_s / 8'000'000'000ULL;
  if (waiting_bytes + bytes > impairment.queue_bytes) return std::nullopt;
  link_free_ns_ = begin_ns + bytes * 8'000'000'000ULL / impairment.rate_bits_per_s;
  return link_free_ns_ / 1'000;
}

void Line::keep(std::span<const std::uint8_t> packet, std::uint64_t due_us) {
  if (free_.empty() && packets_.size() == kMaxPacketsUnderWay) {
    ++tally.queue_full;
    return;
  }
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(packets_.size()));
    packets_.emplace_back();
  }
  const std::uint32_t slot = free_.back();
  free_.pop_back();
  packets_[slot].assign(packet.begin(), packet.end());
  if (draw(impairment.corrupt)) {
    ++tally.corrupted;
    const std::size_t at = kEthernetBytes + random_() % (packet.size() - kEthernetBytes);
    packets_[slot][at] = static_cast<std::uint8_t>(packets_[slot][at] ^ (1U << (random_() % 8)));
  }
  under_way_.push_back({due_us, order_++, slot});
  std::push_heap(under_way_.begin(), under_way_.end(), is_later);
}

std::optional<std::uint32_t> Line::take(std::span<const std::uint8_t> packet, std::uint64_t now_us) {
  if (!is_ip(packet)) {  // ARP and the like have no retransmission worth waiting for
    keep(packet, now_us);
    return std::nullopt;
  }
  ++tally.taken;
  const std::size_t ip_bytes = packet.size() - kEthernetBytes;
  if (impairment.mtu_bytes != 0 && ip_bytes > impairment.mtu_bytes) {
    ++tally.too_big;
    return impairment.mtu_bytes;
  }
  if (draw(impairment.loss)) {
    ++tally.lost;
    return std::nullopt;
  }
  const auto out_us = pass_queue(packet.size(), now_us);
  if (!out_us) {
    ++tally.queue_full;
    return std::nullopt;
  }
  std::uint64_t due_us = *out_us + impairment.delay_us;
  if (impairment.jitter_us != 0) due_us += random_() % impairment.jitter_us;
  if (draw(impairment.reorder)) {
    ++tally.reordered;
    due_us += impairment.reorder_by_us;
  }
  keep(packet, due_us);
  if (draw(impairment.duplicate)) {
    ++tally.duplicated;
    keep(packet, due_us);
  }
  return std::nullopt;
}

std::optional<std::uint64_t> Line::due_us() const {
  if (under_way_.empty()) return std::nullopt;
  return under_way_.front().due_us;
}

std::span<const std::uint8_t> Line::pop() {
  std::pop_heap(under_way_.begin(), under_way_.end(), is_later);
  const std::uint32_t slot = under_way_.back().slot;
  under_way_.pop_back();
  free_.push_back(slot);  // written again by the next keep() at the earliest
  ++tally.passed;
  return packets_[slot];
}

}  // namespace relay
