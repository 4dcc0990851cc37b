#include "splice/emit.hpp"

#include <algorithm>

#include "splice/custody.hpp"
#include "splice/sack.hpp"
#include "splice/translate.hpp"
#include "wire/tcp_header.hpp"

namespace cutwater::splice {
namespace {

// The newest timestamp of the side we speak for, so that what we send later never looks older (PAWS); the echo is that of
// the packet we translate, so that round trips are measured end to end. A client that saw our own clock first goes on seeing
// it: the server's moves on from there.
void stamp_for_client(const Resources& r, const Flow& f, const Outgoing& out, wire::TcpOptions& options) noexcept {
  if (!f.has(Flow::kClientTimestamps)) return;
  options.has_timestamps = true;
  options.ts_value = f.has(Flow::kServerTimestamps) ? f.server_tcp.ts_value + f.down.stamp_offset : own_stamp(r);
  options.ts_echo = out.heard != nullptr && out.heard->has_timestamps ? out.heard->ts_echo : f.client_tcp.ts_value;
}
void stamp_for_server(const Flow& f, const Outgoing& out, wire::TcpOptions& options) noexcept {
  if (!f.has(Flow::kServerTimestamps)) return;
  options.has_timestamps = true;
  options.ts_value = f.client_tcp.ts_value;
  options.ts_echo = out.heard != nullptr && out.heard->has_timestamps ? out.heard->ts_echo - f.down.stamp_offset : f.server_tcp.ts_value;
}

// What the other end, or a mark that ended here, has to tell this one of congestion (RFC 3168 6.1).
std::uint8_t with_echo(const Flow& f, std::uint8_t flags, std::uint16_t echo) noexcept {
  const bool is_owed = (f.option_flags & echo) != 0 && (flags & wire::kRst) == 0;
  return static_cast<std::uint8_t>(is_owed ? flags | wire::kEce : flags);
}

// Before the server has answered there is nobody to talk to; only that we will not come any more can be said.
bool is_reset_of_asked(const Flow& f, const Outgoing& out) noexcept {
  return f.link == ServerLink::asked && (out.flags & wire::kRst) != 0;
}

void list_owing(Resources& r, Flow& f, std::uint8_t what) noexcept {
  f.owed_acks |= what;
  if ((f.owed_acks & Flow::kListed) != 0) return;
  f.owed_acks |= Flow::kListed;
  r.owing.push_back(&f);
}

[[gnu::always_inline]] inline bool put_out(Resources& r, Outbox& outbox, const wire::Header& h, port::ChunkId chunk, std::uint8_t* payload, std::uint32_t bytes) noexcept {
  std::uint8_t* const begin = wire::write_headers(h, payload, bytes);
  if (outbox.push({begin, static_cast<std::uint32_t>(payload + bytes - begin), chunk})) return true;
  r.counters.add(Drop::tx_full);
  return false;
}

}  // namespace

bool stage(Resources& r, Outbox& outbox, const wire::Header& h, const port::Packet& packet, std::uint8_t* payload, std::uint32_t bytes) noexcept {
  return put_out(r, outbox, h, packet.chunk, payload, bytes);
}

void trace_out(Resources& r, const Flow& f, TraceSide side, const wire::Header& h, const Outgoing& out, std::uint8_t shift) noexcept {
  r.trace->record({.at_us = r.now.us,
                   .flow = f.index,
                   .side = side,
                   .direction = TraceDirection::tx,
                   .flags = h.flags,
                   .note = out.note,
                   .seq = h.seq.value,
                   .ack = h.ack.value,
                   .window = static_cast<std::uint32_t>(h.window) << shift,
                   .payload_bytes = out.payload_bytes,
                   .first_record = out.first_record,
                   .last_record = out.last_record});
}

Verdict send_to_client(Resources& r, Flow& f, const Outgoing& out) noexcept {
  const SeqNum ack = ack_for_client(r, f);
  wire::Header h;  // member by member: as one initialiser it would be cleared whole first, and that costs as much as all of this
  address_to_client(r, f, h);
  h.seq = out.seq;
  h.ack = ack;
  h.window = window_field(edge_for_client(r, f) - ack, f.up.shift_shown);
  h.flags = with_echo(f, out.flags, Flow::kEceFromServer | Flow::kMarkTaken);
  h.traffic_class = out.traffic_class;
  stamp_for_client(r, f, out, h.options);
  if (out.payload_bytes == 0) put_sack_for_client(r, f, ack, out.heard, out.twice, h.options);
  f.up.ack_shown = ack;
  f.owed_acks &= static_cast<std::uint8_t>(~Flow::kAckClient);
  ++r.packets_to_client;
  r.counters.add(Count::packets_to_clients);
  if (r.trace != nullptr) trace_out(r, f, TraceSide::client, h, out, f.up.shift_shown);
  (void)put_out(r, r.to_client, h, out.packet.chunk, out.payload, out.payload_bytes);
  return kForward;
}

Verdict send_to_server(Resources& r, Flow& f, const Outgoing& out) noexcept {
  if (f.link != ServerLink::up && !is_reset_of_asked(f, out)) {
    r.chunks.put(out.packet.chunk);
    return kHold;  // it has found its end here
  }
  const SeqNum ack = ack_for_server(r, f);
  wire::Header h;  // member by member: as one initialiser it would be cleared whole first, and that costs as much as all of this
  address_to_server(r, f, h);
  h.seq = out.seq;
  h.ack = ack;
  h.window = window_field(edge_for_server(r, f) - ack, f.down.shift_shown);
  h.flags = with_echo(f, out.flags, Flow::kEceFromClient);
  h.traffic_class = out.traffic_class;
  stamp_for_server(f, out, h.options);
  if (out.payload_bytes == 0) put_sack_for_server(r, f, ack, out.heard, out.twice, h.options);
  f.down.ack_shown = ack;
  f.owed_acks &= static_cast<std::uint8_t>(~Flow::kAckServer);
  ++r.packets_to_server;
  r.counters.add(Count::packets_to_servers);
  if (r.trace != nullptr) trace_out(r, f, TraceSide::server, h, out, f.down.shift_shown);
  (void)put_out(r, outbox_to_server(r, *f.route), h, out.packet.chunk, out.payload, out.payload_bytes);
  return kForward;
}

bool take_packet(Resources& r, port::Packet& packet, std::uint8_t*& payload) noexcept {
  const auto taken = r.chunks.take();
  if (!taken) {
    r.counters.add(Drop::no_chunk);
    return false;
  }
  packet = *taken;
  payload = packet.data;  // the pool's headroom is larger than any header
  return true;
}

void ack_client(Resources& r, Flow& f, const wire::TcpOptions* heard, std::optional<wire::SackBlock> twice) noexcept {
  Outgoing out;
  out.seq = f.down.cipher_next;
  out.heard = heard;
  out.twice = twice;
  out.note = heard != nullptr ? TraceNote::translated : TraceNote::acknowledged;
  if (!take_packet(r, out.packet, out.payload)) return;
  if (heard == nullptr) r.counters.add(Count::acks_sent);
  (void)send_to_client(r, f, out);
}

void ack_server(Resources& r, Flow& f, const wire::TcpOptions* heard, std::optional<wire::SackBlock> twice) noexcept {
  Outgoing out;
  out.seq = next_to_server(f);
  out.heard = heard;
  out.twice = twice;
  out.note = heard != nullptr ? TraceNote::translated : TraceNote::acknowledged;
  if (!take_packet(r, out.packet, out.payload)) return;
  if (heard == nullptr) r.counters.add(Count::acks_sent);
  (void)send_to_server(r, f, out);
}

void owe_ack_to_client(Resources& r, Flow& f) noexcept { list_owing(r, f, Flow::kAckClient); }
void owe_ack_to_server(Resources& r, Flow& f) noexcept { list_owing(r, f, Flow::kAckServer); }

void settle_acks(Resources& r) noexcept {
  for (Flow* f : r.owing) {
    f->owed_acks &= static_cast<std::uint8_t>(~Flow::kListed);
    if (f->state == FlowState::free) continue;
    if ((f->owed_acks & Flow::kAckClient) != 0) ack_client(r, *f);
    if ((f->owed_acks & Flow::kAckServer) != 0) ack_server(r, *f);
  }
  r.owing.clear();
}

void reset_client(Resources& r, Flow& f) noexcept {
  Outgoing out;
  out.seq = f.down.cipher_next;
  out.flags = wire::kRst | wire::kAck;
  out.note = TraceNote::reset;
  if (take_packet(r, out.packet, out.payload)) (void)send_to_client(r, f, out);
}

void reset_server(Resources& r, Flow& f) noexcept {
  Outgoing out;
  out.seq = next_to_server(f);
  out.flags = wire::kRst | wire::kAck;
  out.note = TraceNote::reset;
  if (take_packet(r, out.packet, out.payload)) (void)send_to_server(r, f, out);
}

}  // namespace cutwater::splice
