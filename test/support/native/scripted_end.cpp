#include "support/native/scripted_end.hpp"

#include <algorithm>

namespace cutwater::support {

sim::Segment ScriptedEnd::blank() const {
  sim::Segment s;
  s.source_mac = host.mac;
  s.target_mac = gateway.mac;
  s.source = host.address;
  s.target = peer;
  s.source_port = port;
  s.target_port = peer_port;
  if (has_timestamps) s.options.timestamps = sim::Timestamps{clock_ms, echo};
  return s;
}

sim::Segment ScriptedEnd::segment(std::size_t offset, std::size_t bytes, std::uint8_t flags) const {
  sim::Segment s = blank();
  s.seq = seq_at(offset);
  s.ack = ack_number();
  s.flags = flags;
  s.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(window_bytes >> window_scale, 0xffff));
  s.payload = Bytes(out).subspan(offset, bytes);
  return s;
}

sim::Segment ScriptedEnd::syn(std::uint8_t flags) const {
  sim::Segment s = blank();
  s.seq = isn;
  s.ack = (flags & sim::kAck) != 0 ? peer_isn + 1U : 0U;
  s.flags = flags;
  s.window = static_cast<std::uint16_t>(std::min<std::uint32_t>(window_bytes, 0xffff));
  s.options.mss = mss;
  s.options.window_scale = window_scale;
  s.options.sack_permitted = has_sack;
  return s;
}

void ScriptedEnd::take(const sim::Segment& s) {
  if (s.options.timestamps) echo = s.options.timestamps->value;
  if (s.has(sim::kRst)) {
    has_rst = true;
    return;
  }
  if (s.has(sim::kSyn)) {
    peer_isn = s.seq;
    peer_shift = s.options.window_scale.value_or(0);
    return;
  }
  const auto told = static_cast<std::int32_t>(s.ack - (isn + 1U));
  if (s.has(sim::kAck) && told > 0) acked = std::max(acked, std::min(static_cast<std::size_t>(told), out.size() + 1));
  if (s.has(sim::kAck)) {
    window_end = static_cast<std::size_t>(std::max(told, 0)) + (static_cast<std::size_t>(s.window) << peer_shift);
  }
  const auto offset = static_cast<std::int32_t>(s.seq - (peer_isn + 1U));
  if (offset < 0) return;  // a keep-alive probe
  keep(static_cast<std::size_t>(offset), s.payload);
  if (s.has(sim::kFin) && static_cast<std::size_t>(offset) + s.payload.size() == in.size()) has_fin = true;
}

void ScriptedEnd::keep(std::size_t offset, Bytes bytes) {
  if (bytes.empty()) return;
  if (offset > in.size()) {
    auto& kept = ahead[offset];
    if (kept.size() < bytes.size()) kept.assign(bytes.begin(), bytes.end());
    return;
  }
  const std::size_t known = std::min(in.size() - offset, bytes.size());
  if (!std::equal(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(known), in.begin() + static_cast<std::ptrdiff_t>(offset))) {
    is_contradicted = true;
  }
  in.insert(in.end(), bytes.begin() + static_cast<std::ptrdiff_t>(known), bytes.end());
  while (!ahead.empty() && ahead.begin()->first <= in.size()) {
    const auto node = ahead.extract(ahead.begin());
    keep(node.key(), node.mapped());
  }
}

}  // namespace cutwater::support
