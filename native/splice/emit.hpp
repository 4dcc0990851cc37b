// Packets out of the splice: headers are written anew in front of a payload that is already in its place.
// Everything a packet tells about the other direction (acknowledgement, window) is translated here, once.
// Not here: who decides to send. Thread: owning worker. Implements: A1, A2, A7.
#pragma once

#include <algorithm>
#include <optional>

#include "splice/resources.hpp"

namespace cutwater::splice {

/// A segment to send. The payload lies in the packet's chunk with wire::kMaxHeaderBytes of headroom before it.
struct Outgoing {
  port::Packet packet;               // its chunk goes to the outbox
  std::uint8_t* payload = nullptr;
  std::uint32_t payload_bytes = 0;
  SeqNum seq;
  std::uint8_t flags = wire::kAck;
  std::uint8_t traffic_class = 0;
  const wire::TcpOptions* heard = nullptr;  // options of the packet this translates: echo and SACK come from it
  std::optional<wire::SackBlock> twice{};   // what the receiver sent in vain (D-SACK); a pure acknowledgement tells it
  TraceNote note = TraceNote::none;
  std::int64_t first_record = -1, last_record = -1;
};

/// Who a packet to that side comes from and goes to. Member by member, as all of a header: one initialiser clears it whole first.
inline void address_to_client(const Resources& r, const Flow& f, wire::Header& h) noexcept {
  h.source_mac = r.client_link.mac;
  h.destination_mac = f.client_mac;
  h.vlan = r.client_link.vlan;
  h.source = &f.route->service.address;
  h.destination = &f.client.address;
  h.source_port = f.route->service.port;
  h.destination_port = f.client.port;
  h.ttl = f.server_tcp.ttl;
}
inline void address_to_server(const Resources& r, const Flow& f, wire::Header& h) noexcept {
  h.source_mac = r.server_link.mac;
  h.destination_mac = f.route->server_mac;
  h.vlan = r.server_link.vlan;
  h.source = &f.source();
  h.destination = &f.route->server.address;
  h.source_port = f.source_port;
  h.destination_port = f.route->server.port;
  h.ttl = f.client_tcp.ttl;
}
/// A window of so many bytes as a header says it; one that has become negative is closed.
inline std::uint16_t window_field(std::int32_t bytes, std::uint8_t shift) noexcept {
  return static_cast<std::uint16_t>(std::min<std::uint32_t>(static_cast<std::uint32_t>(std::max(bytes, 0)) >> shift, 0xffff));
}
/// Writes the headers and puts the packet out. Returns: false when the outbox is full; the chunk has gone back then (counted).
bool stage(Resources& r, Outbox& outbox, const wire::Header& h, const port::Packet& packet, std::uint8_t* payload, std::uint32_t bytes) noexcept;
/// Requires: somebody traces. Of `out`: what it says, not where it lies.
[[gnu::cold]] void trace_out(Resources& r, const Flow& f, TraceSide side, const wire::Header& h, const Outgoing& out, std::uint8_t shift) noexcept;

/// Sends towards the client. Fail closed: the callers are the sealer and the local sender, which hold framed records only (I4).
Verdict send_to_client(Resources& r, Flow& f, const Outgoing& out) noexcept;
Verdict send_to_server(Resources& r, Flow& f, const Outgoing& out) noexcept;

/// A pure acknowledgement of our own, with SACK of what we hold. `heard`: translate its SACK blocks too. `twice`: what came twice.
void ack_client(Resources& r, Flow& f, const wire::TcpOptions* heard = nullptr, std::optional<wire::SackBlock> twice = {}) noexcept;
void ack_server(Resources& r, Flow& f, const wire::TcpOptions* heard = nullptr, std::optional<wire::SackBlock> twice = {}) noexcept;
/// The same, once, when the burst ends, unless a packet to that side has carried it by then.
void owe_ack_to_client(Resources& r, Flow& f) noexcept;
void owe_ack_to_server(Resources& r, Flow& f) noexcept;
/// Sends what is owed. Called once a burst.
void settle_acks(Resources& r) noexcept;

void reset_client(Resources& r, Flow& f) noexcept;
void reset_server(Resources& r, Flow& f) noexcept;

/// A fresh packet whose payload can be `bytes` long. Returns: false when the pool is dry (counted).
bool take_packet(Resources& r, port::Packet& packet, std::uint8_t*& payload) noexcept;

}  // namespace cutwater::splice
