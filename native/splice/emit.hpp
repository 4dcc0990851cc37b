// Packets out of the splice: headers are written anew in front of a payload that is already in its place.
// Everything a packet tells about the other direction (acknowledgement, window) is translated here, once.
// Not here: who decides to send. Thread: owning worker. Implements: A1, A2, A7.
#pragma once

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
