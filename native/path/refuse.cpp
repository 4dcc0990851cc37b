// A packet of a service's address without a flow: answered as a host answers for a port nobody listens on.
#include "path/state.hpp"

namespace cutwater::path {

// In a packet of its own: the headers of a received one are still being read.
Verdict send_bare(State& s, const wire::Header& h, splice::Outbox& outbox) noexcept {
  const auto fresh = s.r.chunks.take();
  if (!fresh) return dropped(Drop::no_chunk);
  port::Packet packet = *fresh;
  packet.data = wire::emit(h, fresh->data, 0);
  packet.bytes = static_cast<std::uint32_t>(fresh->data - packet.data);
  if (!outbox.push(packet)) return dropped(Drop::tx_full);
  return kConsume;
}

Verdict refuse(State& s, Side side, Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  if (seg.has(wire::kRst)) return dropped(Drop::no_flow);
  const splice::LinkSide& link = side == Side::client ? s.r.client_link : s.r.server_link;
  const bool has_ack = seg.has(wire::kAck);
  const wire::Header h{.source_mac = link.mac,
                       .destination_mac = seg.source_mac,
                       .vlan = link.vlan,
                       .source = &seg.destination,
                       .destination = &seg.source,
                       .source_port = seg.destination_port,
                       .destination_port = seg.source_port,
                       .seq = has_ack ? seg.ack : SeqNum{0},
                       .ack = has_ack ? SeqNum{0} : seg.seq + seg.length(),
                       .window = 0,
                       .flags = static_cast<std::uint8_t>(has_ack ? wire::kRst : wire::kRst | wire::kAck),
                       .ttl = 64,
                       .traffic_class = 0,
                       .options = {}};
  if (const Verdict v = send_bare(s, h, side == Side::client ? s.r.to_client : s.is_inward && s.half == Half::near ? s.r.to_far : s.r.to_server); v.action == Action::drop) return v;
  s.counters.add(Count::resets_answered);
  return dropped(Drop::no_flow);
}

}  // namespace cutwater::path
