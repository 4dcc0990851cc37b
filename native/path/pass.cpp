// Flows whose bytes pass untouched: TCP that is none of ours to open, and TLS that the servers end themselves. After set-up the
// two ends differ by constants alone (numbers, window scale, clock, addresses), so each packet has its headers written anew and
// goes on: nothing is held, acknowledged or resent here, and both ends' own TCP does the rest.
//
//   client     n ───▶ n + up.plain_next - up.cipher_next        server
//              n ◀─── n + down.cipher_next - down.plain_next
//
// The two numbers of a direction stand at the newest byte that its receiver has acknowledged. What was said before the server had
// answered (proxy mode), and a PROXY header, lie in custody: we acknowledged them, so we deliver them; what comes behind them
// passes at once.
// Not here: choosing servers (place.cpp), calling them (connect.cpp), reading hellos (hello.cpp). Thread: owning worker.
// Implements: A8, A9, A11 (D-0013).
#include <algorithm>

#include "path/state.hpp"
#include "path/syn_options.hpp"
#include "splice/close.hpp"
#include "splice/custody.hpp"
#include "splice/emit.hpp"

namespace cutwater::path {
namespace {

using splice::FinState;
using splice::Flow;
using splice::FlowState;
using splice::ServerLink;
using splice::UpEnd;

constexpr std::uint64_t kMs = 1000;
constexpr std::uint8_t kPassedFlags = wire::kFin | wire::kRst | wire::kPsh | wire::kAck | wire::kEce | wire::kCwr;  // not urgent data

// A FIN that custody has yet to deliver is in the client's number already.
std::uint32_t owed_fin(const Flow& f) noexcept { return f.up.fin == FinState::owed ? 1U : 0U; }
std::uint32_t up_shift(const Flow& f) noexcept { return static_cast<std::uint32_t>(f.up.plain_next + owed_fin(f) - f.up.cipher_next); }
std::uint32_t down_shift(const Flow& f) noexcept { return static_cast<std::uint32_t>(f.down.cipher_next - f.down.plain_next); }

// What we acknowledged ourselves ends here: the rest is between the two ends.
SeqNum answered_end(const Flow& f) noexcept { return f.custody != nullptr ? f.custody->queue.end() + owed_fin(f) : SeqNum{f.up.first_plain}; }

// Believed is what stands where its receiver looks: from a byte before its acknowledgement (probes) to a byte behind its window.
bool is_in_window(SeqNum begin, SeqNum end, SeqNum acknowledged, SeqNum edge) noexcept {
  return !before(end + 1U, acknowledged) && !before(edge + 1U, begin) && !before(edge + 1U, end);
}

// Options have 40 bytes: beside timestamps, which the far side need not have, three blocks (RFC 2018 3). Only what lies between
// `above` and `below` is between the two ends: before it stands what is between the far side and our custody, behind it nothing.
void shift_blocks(const wire::TcpOptions& from, std::uint32_t shift, SeqNum above, SeqNum below, wire::TcpOptions& to) noexcept {
  const std::uint8_t room = to.has_timestamps ? 3 : 4;
  for (std::uint8_t i = 0; i < from.sack_count && to.sack_count < room; ++i) {
    const wire::SackBlock block{from.sack[i].begin + shift, from.sack[i].end + shift};
    if (!before(block.begin, above) && !before(below, block.end)) to.sack[to.sack_count++] = block;
  }
}

void trace_out(State& s, const Flow& f, splice::TraceSide side, const wire::Header& h, std::uint32_t payload_bytes, std::uint8_t shift) noexcept {
  splice::Outgoing out;
  out.payload_bytes = payload_bytes;
  out.note = splice::TraceNote::passed;
  splice::trace_out(s.r, f, side, h, out, shift);
}

// What SACK takes of a segment. Timestamps are in the MSS already; some stacks pack both tighter than we do.
std::uint32_t sack_bytes(const wire::TcpOptions& options) noexcept { return options.sack_count != 0 ? 4U + 8U * options.sack_count : 0U; }

// A segment that is too long for its new side (larger headers, a smaller offer than ours) goes on as several: the first where it
// lies, the others copied.
Verdict send_on(State& s, const port::Packet& packet, MutableBytes payload, wire::Header& h, std::uint32_t mss, splice::Outbox& outbox) noexcept {
  const auto all_bytes = static_cast<std::uint32_t>(payload.size());
  const std::uint32_t most_bytes = mss - sack_bytes(h.options);  // kMinMss leaves room for four blocks
  const std::uint8_t flags = h.flags;
  const auto flags_at = [&](std::uint32_t end) {
    return end == all_bytes ? flags : static_cast<std::uint8_t>(flags & ~(wire::kFin | wire::kPsh));
  };
  std::uint32_t bytes = std::min(all_bytes, most_bytes);
  h.flags = flags_at(bytes);
  bool is_out = splice::stage(s.r, outbox, h, packet, payload.data(), bytes);
  for (std::uint32_t at = bytes; is_out && at < all_bytes; at += bytes) {
    const auto fresh = s.r.chunks.take();
    if (!fresh) return s.counters.add(Drop::no_chunk), kForward;
    h.seq += bytes;
    bytes = std::min(all_bytes - at, most_bytes);
    h.flags = flags_at(at + bytes);
    std::memcpy(fresh->data, payload.data() + at, bytes);
    is_out = splice::stage(s.r, outbox, h, *fresh, fresh->data, bytes);
  }
  return kForward;
}

// What we acknowledged ourselves is ours to deliver, and so is a header: bytes of the client's that stand there do not pass. Sent
// again they would be needless; the byte that a keep-alive makes up would overwrite one of the header's that is on its way.
MutableBytes cut_answered(const Flow& f, const wire::Segment& seg, wire::Header& h) noexcept {
  const std::int32_t old = answered_end(f) - h.seq;
  const auto cut = old <= 0 ? 0U : std::min(static_cast<std::uint32_t>(old), seg.payload_bytes);
  if (old > static_cast<std::int32_t>(seg.payload_bytes)) h.flags = h.flags & static_cast<std::uint8_t>(~wire::kFin);
  const bool is_all_cut = cut == seg.payload_bytes && (h.flags & wire::kFin) == 0;
  if (!is_all_cut) h.seq += cut;  // else it keeps its old number, and so its answer
  return {seg.payload + cut, seg.payload_bytes - cut};
}

Verdict pass_to_server(State& s, const Flow& f, const Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  wire::Header h;
  splice::address_to_server(s.r, f, h);
  h.seq = seg.seq + up_shift(f);
  h.ack = seg.ack - down_shift(f);
  h.window = splice::window_field(std::int32_t{seg.window} << f.client_tcp.window_shift, f.down.shift_shown);
  h.flags = seg.flags & kPassedFlags;
  h.traffic_class = seg.traffic_class;
  if (f.has(Flow::kServerTimestamps) && seg.options.has_timestamps) {
    h.options.has_timestamps = true;
    h.options.ts_value = seg.options.ts_value;
    h.options.ts_echo = seg.options.ts_echo - f.down.stamp_offset;
  }
  if (f.has(Flow::kServerSack)) shift_blocks(seg.options, 0U - down_shift(f), SeqNum{f.down.first_plain}, f.down.sent() - down_shift(f), h.options);
  const MutableBytes payload = cut_answered(f, seg, h);
  s.counters.add(Count::packets_to_servers);
  if (!payload.empty()) s.counters.add(Count::passed_up_packets);
  if (s.r.trace != nullptr) trace_out(s, f, splice::TraceSide::server, h, static_cast<std::uint32_t>(payload.size()), f.down.shift_shown);
  return send_on(s, w.packet, payload, h, f.server_tcp.mss, s.r.to_server);
}

// Nothing that we acknowledged ourselves is taken back.
Verdict pass_to_client(State& s, const Flow& f, const Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  const SeqNum ack = later(seg.ack, answered_end(f));
  const std::int32_t window = seg.ack + (static_cast<std::uint32_t>(seg.window) << f.server_tcp.window_shift) - ack;
  wire::Header h;
  splice::address_to_client(s.r, f, h);
  h.seq = seg.seq + down_shift(f);
  h.ack = ack - up_shift(f);
  h.window = splice::window_field(window, f.up.shift_shown);
  h.flags = seg.flags & kPassedFlags;
  h.traffic_class = seg.traffic_class;
  if (f.has(Flow::kClientTimestamps)) {
    h.options.has_timestamps = true;
    h.options.ts_value = f.has(Flow::kServerTimestamps) ? seg.options.ts_value + f.down.stamp_offset : splice::own_stamp(s.r);
    h.options.ts_echo = f.has(Flow::kServerTimestamps) ? seg.options.ts_echo : f.client_tcp.ts_value;
  }
  if (f.has(Flow::kServerSack)) shift_blocks(seg.options, 0U - up_shift(f), ack - up_shift(f), f.up.sent() - up_shift(f), h.options);
  s.counters.add(Count::packets_to_clients);
  if (seg.payload_bytes != 0) s.counters.add(Count::passed_down_packets);
  if (s.r.trace != nullptr) trace_out(s, f, splice::TraceSide::client, h, seg.payload_bytes, f.up.shift_shown);
  return send_on(s, w.packet, {seg.payload, seg.payload_bytes}, h, f.client_tcp.mss, s.r.to_client);
}

void advance(SeqNum& cipher, SeqNum& plain, std::uint32_t by) noexcept {
  cipher += by;
  plain += by;
}

// The client has `ack`, which the server is told; both numbers of the direction move to it.
void take_client_progress(Flow& f, const wire::Segment& seg) noexcept {
  if (before(seg.ack, f.down.cipher_next) || before(f.down.sent(), seg.ack)) return;
  advance(f.down.cipher_next, f.down.plain_next, static_cast<std::uint32_t>(seg.ack - f.down.cipher_next));
  f.down.cipher_una = f.down.cipher_next;
  f.down.client_edge = later(f.down.client_edge, seg.ack + (static_cast<std::uint32_t>(seg.window) << f.client_tcp.window_shift));
  if (f.down.fin == FinState::owed && f.down.cipher_next == f.down.sent()) f.down.fin = FinState::acked;
}

// Custody hears of what is its own; behind that the server speaks with the client.
void tell_custody(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const SeqNum end = f.custody->queue.end() + (f.up.fin == FinState::owed ? 1U : 0U);
  wire::TcpOptions own;
  for (std::uint8_t i = 0; i < seg.options.sack_count; ++i) {
    const wire::SackBlock block{seg.options.sack[i].begin, earlier(seg.options.sack[i].end, end)};
    if (before(block.begin, block.end)) own.sack[own.sack_count++] = block;
  }
  const SeqNum ack = earlier(seg.ack, end);
  const bool is_duplicate = ack == f.custody->control.una() && seg.payload_bytes == 0;
  splice::custody_on_server_ack(s.r, f, ack, own, is_duplicate);
}

void take_server_progress(State& s, Flow& f, const wire::Segment& seg) noexcept {
  if (before(seg.ack, f.up.plain_una) || before(f.up.sent(), seg.ack)) return;
  f.up.plain_una = seg.ack;
  f.up.server_edge = seg.ack + (static_cast<std::uint32_t>(seg.window) << f.server_tcp.window_shift);
  f.up.edge_shown = later(f.up.edge_shown, f.up.server_edge - up_shift(f));
  if (f.custody != nullptr) {
    tell_custody(s, f, seg);
    splice::send_from_custody(s.r, f);
    if (f.custody != nullptr) return;
  }
  if (before(f.up.plain_next, seg.ack)) advance(f.up.cipher_next, f.up.plain_next, static_cast<std::uint32_t>(seg.ack - f.up.plain_next));
  if (f.up.end == UpEnd::finished && f.up.plain_una == f.up.sent()) f.up.fin = FinState::acked;
}

// Both FINs have arrived: the flow stays for late copies, its session is over.
void settle_end(State& s, Flow& f) noexcept {
  if (f.down.fin != FinState::acked || f.up.fin != FinState::acked || f.expires != kNever) return;
  f.expires = s.r.now + splice::kLingerUs;
  s.counters.add(Count::flows_closed);
  end_session(f);
  splice::arm(s.r, f);
}

// What a RST says beside its own number is not looked at (RFC 9293 3.10.7.4: the ACK bit is checked behind it).
bool acknowledges(const wire::Segment& seg) noexcept { return seg.has(wire::kAck) && !seg.has(wire::kRst); }

// The receiver judges a RST by itself (RFC 5961); we believe one that stands where the flow is.
bool is_end(SeqNum seq, SeqNum acknowledged, SeqNum sent) noexcept { return seq == acknowledged || seq == sent; }

void end_by_reset(State& s, Flow& f, Reset reason) noexcept {
  if (f.expires == kNever) {
    f.reset_reason = reason;
    s.counters.add(reason);
  }
  splice::release(s.r, f);
}

// The server has not answered: we are the client's receiver, and keep what it says in order.
Verdict take_before_server(State& s, Flow& f, Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  if (!seg.has(wire::kAck) || seg.ack != f.down.cipher_next) return dropped(Drop::bad_ack);
  f.down.client_edge = seg.ack + (static_cast<std::uint32_t>(seg.window) << f.client_tcp.window_shift);
  if (seg.length() == 0) return kConsume;
  splice::owe_ack_to_client(s.r, f);
  const std::int32_t old = f.up.cipher_next - seg.seq;
  if (old < 0 || old > static_cast<std::int32_t>(seg.payload_bytes) || f.up.end == UpEnd::finished) return kConsume;  // it sends it again
  const Bytes fresh(seg.payload + old, seg.payload_bytes - static_cast<std::uint32_t>(old));
  if (before(f.up.edge_shown, seg.seq + seg.payload_bytes)) return dropped(Drop::window_exceeded);
  if (!fresh.empty() && !keep_for_server(s, f, fresh)) return dropped(Drop::custody_full);
  if (!fresh.empty()) s.counters.add(Count::custody_up_packets);
  if (!seg.has(wire::kFin)) return kConsume;
  splice::owe_fin_to_server(s.r, f);
  f.up.end = UpEnd::finished;
  f.up.cipher_next += 1;
  return kConsume;
}

void begin(State& s, Flow& f) noexcept {
  f.state = FlowState::passing;
  f.last_active = s.r.now;
  f.way_changed_ms = static_cast<std::uint32_t>(s.r.now.us / kMs);
  f.expires = kNever;
  f.down.set_sent(f.down.cipher_next);
  f.up.set_sent(f.up.plain_next);
  s.timers.disarm(f.index);
}

}  // namespace

bool begin_passing(State& s, Flow& f, std::string_view server_name) noexcept {
  if (!has_room_for_flow(s)) return false;
  promote(s, f);
  begin(s, f);
  if (!introduce_untouched(s, f)) return splice::reset_both(s.r, f, Reset::handshake_failed), true;
  if (f.link == ServerLink::up) {
    f.up.set_sent(f.up.plain_next);
    s.counters.add(Count::flows_passed);
    splice::send_from_custody(s.r, f);
    splice::arm(s.r, f);
    return true;
  }
  f.expires = s.r.now + f.route->policy.handshake_timeout_ms * kMs;
  if (!await_server(s, f, server_name)) splice::reset_both(s.r, f, Reset::handshake_failed);
  return true;
}

bool keep_for_server(State& s, Flow& f, Bytes bytes) noexcept {
  if (!splice::keep_untouched(s.r, f, bytes)) return false;
  f.up.cipher_next += static_cast<std::uint32_t>(bytes.size());
  return true;
}

void join_passing(State& s, Flow& f) noexcept {
  f.up.ahead.clear(s.r.held);  // what came out of order behind a hello: its sender has it still
  f.expires = kNever;
  f.down.set_sent(f.down.cipher_next);
  f.up.set_sent(f.up.plain_next + (f.up.fin == FinState::owed ? 1U : 0U));
  s.counters.add(Count::flows_passed);
  splice::owe_ack_to_server(s.r, f);
  splice::send_from_custody(s.r, f);
  splice::arm(s.r, f);
}

Verdict start_passing(State& s, Work& w) noexcept {
  Flow& f = *w.flow;
  if (!w.segment.has(wire::kAck) || w.segment.ack != f.down.cipher_next) return dropped(Drop::bad_ack);
  if (!begin_passing(s, f, {})) return dropped(Drop::flow_table_full);
  if (f.state != FlowState::passing) return kConsume;
  if (f.link == ServerLink::up) return pass_from_client(s, w);
  const Verdict v = take_before_server(s, f, w);
  connect(s, f);
  return v;
}

Verdict pass_from_client(State& s, Work& w) noexcept {
  Flow& f = *w.flow;
  const wire::Segment& seg = w.segment;
  if (f.link != ServerLink::up) {
    if (!seg.has(wire::kRst)) return take_before_server(s, f, w);
    if (seg.seq != f.up.cipher_next) return dropped(Drop::bad_sequence);
    splice::pass_reset_to_server(s.r, f, Reset::by_client);
    return kConsume;
  }
  // Of a connection before this one, which ended without the client's knowing: its first segment's cookie opened another (RFC 9293 3.10.7.4).
  if (seg.has(wire::kAck) && before(f.down.sent(), seg.ack)) return dropped(Drop::bad_ack);
  const SeqNum begin = seg.seq + up_shift(f), end = begin + seg.length();
  // By the window that the client was shown, which may have been ours, or more than its server has left: it may well be taken there.
  const bool is_believed = is_in_window(begin, end, f.up.plain_una, f.up.edge_shown + up_shift(f));
  if (is_believed) {
    f.client_mac = seg.source_mac;  // the way back is the way it came (D-0003)
    f.last_active = s.r.now;
    f.client_tcp.note_clock(seg.options);
    if (seg.length() != 0 && !seg.has(wire::kRst) && before(f.up.sent(), end)) {
      s.counters.add(Count::passed_up_bytes, std::min(static_cast<std::uint32_t>(end - f.up.sent()), seg.payload_bytes));
      f.up.set_sent(end);
    }
    if (seg.has(wire::kFin) && end == f.up.sent()) f.up.end = UpEnd::finished;  // not `owed`: that one would be custody's to send
    if (acknowledges(seg)) take_client_progress(f, seg);
  }
  const bool is_reset = seg.has(wire::kRst) && is_end(begin, f.up.plain_una, f.up.sent());
  const Verdict v = pass_to_server(s, f, w);
  if (is_reset) end_by_reset(s, f, Reset::by_client);
  else settle_end(s, f);
  return v;
}

Verdict pass_from_server(State& s, Work& w) noexcept {
  Flow& f = *w.flow;
  const wire::Segment& seg = w.segment;
  if (seg.has(wire::kSyn)) {  // its answer has come again: ours was lost
    splice::owe_ack_to_server(s.r, f);
    return dropped(Drop::bad_flags);
  }
  const SeqNum begin = seg.seq + down_shift(f), end = begin + seg.length();
  const bool is_believed = is_in_window(begin, end, f.down.cipher_una, f.down.client_edge);
  if (is_believed) {
    f.last_active = s.r.now;
    f.server_tcp.note_clock(seg.options);
    if (seg.length() != 0 && !seg.has(wire::kRst) && before(f.down.sent(), end)) {
      s.counters.add(Count::passed_down_bytes, std::min(static_cast<std::uint32_t>(end - f.down.sent()), seg.payload_bytes));
      f.down.set_sent(end);
    }
    if (seg.has(wire::kFin) && end == f.down.sent() && f.down.fin == FinState::none) f.down.fin = FinState::owed;
    if (acknowledges(seg)) take_server_progress(s, f, seg);
  }
  if (seg.has(wire::kRst) && is_end(begin, f.down.cipher_una, f.down.sent())) {
    if (f.down.sent() == f.down.first_plain + down_shift(f)) note_failure(s, f, balance::Failing::early_reset);
    const Verdict v = pass_to_client(s, f, w);
    end_by_reset(s, f, Reset::by_server);
    return v;
  }
  const Verdict v = pass_to_client(s, f, w);
  settle_end(s, f);
  splice::arm(s.r, f);
  return v;
}

}  // namespace cutwater::path
