// A packet of a service's address without a flow: answered as a host answers for a port nobody listens on.
#include "path/state.hpp"

namespace cutwater::path {

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
  const auto fresh = s.r.chunks.take();  // the received headers are still being read
  if (!fresh) return dropped(Drop::no_chunk);
  port::Packet packet = *fresh;
  packet.data = wire::emit(h, fresh->data, 0);
  packet.bytes = static_cast<std::uint32_t>(fresh->data - packet.data);
  (side == Side::client ? s.r.to_client : s.r.to_server).push(packet);
  s.counters.add(Count::resets_answered);
  return dropped(Drop::no_flow);
}

}  // namespace cutwater::path
