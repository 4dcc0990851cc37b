#include "sim/link.hpp"

#include <algorithm>

namespace cutwater::sim {

void Link::send(Frame&& frame) {
  ++stats_.sent;
  const auto now = timeline_.now();
  const bool is_out = now >= config_.dead_at_us || (now >= config_.outage_at_us && now - config_.outage_at_us < config_.outage_us);
  const bool is_last_word = config_.lost_fins > fins_ && decode(frame).segment.has(kFin);
  if (is_last_word) ++fins_;
  const bool is_first_word = config_.lost_syns > syns_ && decode(frame).segment.has(kSyn);
  if (is_first_word) ++syns_;
  if (is_out || is_last_word || is_first_word || is_lost()) {
    ++stats_.lost;
    return;
  }
  const auto mtu = now >= config_.later_mtu_at_us ? config_.later_mtu : config_.mtu;
  const auto decoded_bytes = frame.size() <= 60 ? std::size_t{0} : decode(frame).ip_bytes;
  if (decoded_bytes > mtu) {
    ++stats_.too_big;
    if (config_.icmp == Icmp::silent) return;
    MacAddress sender{};
    std::copy_n(frame.begin() + 6, 6, sender.begin());
    timeline_.book(now + config_.delay_us, [this, m = encode_too_big(frame, router_, sender, mtu)]() mutable { answer_(std::move(m)); });
    return;
  }
  const auto leaves = departure(frame.size());
  if (leaves == kNoTime) {
    ++stats_.overflowed;
    return;
  }
  if (random_.chance(config_.corrupt)) damage(frame);
  if (config_.ce_mark > 0 && (frame[15] & 3) != 0 && frame[12] == 0x08 && random_.chance(config_.ce_mark)) {
    frame[15] |= 3;
    mend_checksums(frame);
  }
  auto arrival = leaves + config_.delay_us + (config_.jitter_us > 0 ? random_.below(config_.jitter_us + 1) : 0);
  if (random_.chance(config_.reorder)) {
    ++stats_.reordered;
    arrival += 1 + random_.below(config_.reorder_us);  // and what follows may overtake it
  } else {
    last_arrival_ = arrival = std::max(arrival, last_arrival_);
  }
  if (random_.chance(config_.duplicate)) {
    ++stats_.duplicated;
    Frame copy = frame;
    deliver_at(arrival + random_.below(2'000), std::move(copy));
  }
  deliver_at(arrival, std::move(frame));
}

bool Link::is_lost() {
  const auto now = timeline_.now();
  if (now < burst_until_) {
    if (random_.chance(config_.burst_stop)) burst_until_ = 0;
  } else if (random_.chance(config_.burst_start)) {
    burst_until_ = now + 400'000;
  }
  return now < burst_until_ || random_.chance(config_.loss);
}

std::uint64_t Link::departure(std::size_t bytes) {
  const auto now = timeline_.now();
  if (config_.bytes_per_s == 0) return now;
  const auto takes = std::max<std::uint64_t>(1, bytes * 1'000'000 / config_.bytes_per_s);
  const auto starts = std::max(now, busy_until_);
  if ((starts - now) > takes * config_.queue_packets) return kNoTime;
  busy_until_ = starts + takes;
  return busy_until_;
}

void Link::deliver_at(std::uint64_t at, Frame&& frame) {
  timeline_.book(at, [this, f = std::move(frame)]() mutable { deliver_(std::move(f)); });
}

void Link::damage(Frame& frame) {
  ++stats_.corrupted;
  // One bit behind the Ethernet header: a one's complement sum always notices that (RFC 1071).
  const auto at = 14 + random_.below(frame.size() - 14);
  frame[at] ^= static_cast<std::uint8_t>(1U << random_.below(8));
}

}  // namespace cutwater::sim
