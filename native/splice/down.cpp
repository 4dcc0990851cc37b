#include "splice/down.hpp"

#include <algorithm>
#include <bit>

#include "http/exchange.hpp"
#include "splice/close.hpp"
#include "splice/custody.hpp"
#include "splice/emit.hpp"
#include "splice/key_change.hpp"
#include "splice/resend.hpp"
#include "splice/seal.hpp"
#include "splice/translate.hpp"
#include "splice/up.hpp"

namespace cutwater::splice {
namespace {

constexpr std::uint32_t kMaxGaps = 32;  // that one segment closes: each costs a packet and a walk along what is kept
constexpr std::uint8_t kMarked = 3;  // "congestion experienced" in the traffic class (RFC 3168 5)

// What the client had been told when the segment came.
struct Before {
  SeqNum ack, edge;
  bool has_advanced;
};

// The longest fragment of one record: one packet, one record, so that every packet can be opened on arrival.
std::uint32_t max_fragment(const Flow& f) noexcept {
  return std::min<std::uint32_t>(f.max_fragment_bytes, f.client_tcp.mss - static_cast<std::uint32_t>(f.suite->overhead_bytes()));
}

// Fragment bytes the client's window admits in one more record.
std::uint32_t admitted(const Flow& f) noexcept {
  const std::int32_t space = f.down.client_edge - f.down.cipher_next - static_cast<std::int32_t>(f.suite->overhead_bytes());
  return space > 0 ? static_cast<std::uint32_t>(space) : 0;
}

[[gnu::always_inline]] inline Verdict send_sealed(Resources& r, Flow& f, const Sealed& sealed, const port::Packet& packet, std::uint8_t flags,
                    std::uint8_t traffic_class, const wire::TcpOptions* heard) noexcept {
  const auto number = static_cast<std::int64_t>(sealed.number);
  return send_to_client(r, f, {.packet = packet,
                               .payload = sealed.record,
                               .payload_bytes = sealed.record_bytes,
                               .seq = sealed.cipher_begin,
                               .flags = static_cast<std::uint8_t>(wire::kAck | (flags & (wire::kPsh | wire::kCwr))),
                               .traffic_class = traffic_class,
                               .heard = heard,
                               .note = TraceNote::sealed,
                               .first_record = number,
                               .last_record = number});
}

// The plain case: the segment becomes one record, in place, in its own chunk.
[[gnu::always_inline]] inline bool can_seal_in_place(const Resources& r, const Flow& f, std::uint32_t bytes) noexcept {
  return bytes <= max_fragment(f) && bytes <= admitted(f) && f.down.spans.has_room(r.spans);
}

// Bytes of an in-order segment before the first that is kept. They are never queued behind a full hold queue: they alone can
// empty it.
std::uint32_t bytes_before_held(const Resources& r, const Flow& f, const wire::Segment& s) noexcept {
  if (f.down.ahead.empty()) return s.payload_bytes;
  const std::int32_t gap = f.down.ahead.front(r.held).begin - s.seq;
  return gap <= 0 ? 0 : std::min(s.payload_bytes, static_cast<std::uint32_t>(gap));
}

// Bytes that lie in order at the front of the hold queue and may share a record, up to `limit`. What was promised by SACK and
// what was not never share one: the server would resend only its own half of it, and the client's loss would be for ever.
std::uint32_t held_in_order(const Resources& r, const Flow& f, std::uint32_t limit) noexcept {
  std::uint32_t bytes = 0;
  bool is_promised = false;
  f.down.ahead.each(r.held, [&](const Held& held) {
    if (held.begin != f.down.plain_next + bytes || (bytes != 0 && held.is_promised() != is_promised)) return false;
    is_promised = held.is_promised();
    bytes += held.bytes;
    return bytes < limit;
  });
  return std::min(bytes, limit);
}

Verdict hold(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  const Held held{.begin = s.seq, .bytes = s.payload_bytes, .data = s.payload, .chunk = packet.chunk,
                  .flags = static_cast<std::uint8_t>(s.flags & (wire::kPsh | wire::kFin | wire::kCwr)), .traffic_class = s.traffic_class,
                  .ts_echo = s.options.ts_echo};
  if (r.chunks.free_chunks() <= r.chunks.capacity() / 4 || !f.down.ahead.insert(r.held, held)) return dropped(Drop::reassembly_full);
  r.counters.add(Count::held_down_packets);
  return kHold;
}

// Of an in-order segment, from `at` on: a copy into each gap between what is kept. A server that is told of no gap resends from its
// oldest byte on, once a time-out. Nothing of it was promised: all of it lies in order now.
void hold_in_gaps(Resources& r, Flow& f, const wire::Segment& s, SeqNum at) noexcept {
  const SeqNum end = s.seq + s.payload_bytes;
  for (std::uint32_t gaps = 0; gaps < kMaxGaps; ++gaps) {
    at = f.down.ahead.missing_from(r.held, at);
    port::Packet packet;
    std::uint8_t* copy = nullptr;
    if (!before(at, end) || r.chunks.free_chunks() <= r.chunks.capacity() / 4 || !take_packet(r, packet, copy)) return;
    const auto bytes = static_cast<std::uint32_t>(end - at);
    std::memcpy(copy, s.payload + (at - s.seq), bytes);
    const Held held{.begin = at, .bytes = bytes, .data = copy, .chunk = packet.chunk,
                    .flags = static_cast<std::uint8_t>(s.flags & wire::kPsh), .traffic_class = s.traffic_class,
                    .ts_echo = s.options.ts_echo};
    if (!f.down.ahead.insert(r.held, held)) return r.chunks.put(packet.chunk);
    r.counters.add(Count::held_down_packets);
  }
}

// Behind a gap the client would sit on an acknowledgement until its timer ends (RFC 1122 4.2.3.2): it gets the newest byte again,
// which it answers at once (RFC 9293 3.10.7.4). The byte is the last of a tag, and has been sent before.
void ask_client(Resources& r, Flow& f) noexcept {
  if (f.down.spans.empty()) return;
  const Span& newest = f.down.spans.back(r.spans);
  if (newest.kind != Span::Kind::record || newest.cipher_end() != f.down.cipher_next) return;
  Outgoing out;
  out.seq = f.down.cipher_next - 1U;
  out.payload_bytes = 1;
  out.note = TraceNote::resealed;
  if (!take_packet(r, out.packet, out.payload)) return;
  *out.payload = newest.tag.back();
  (void)send_to_client(r, f, out);
}

// What begins where we are, or behind it.
[[gnu::always_inline]] inline Verdict take_fresh(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  if (before(f.down.edge_shown + 1U, s.seq + s.payload_bytes)) {  // one byte beyond is a window probe
    owe_ack_to_server(r, f);
    return dropped(Drop::window_exceeded);
  }
  if (s.seq == f.down.plain_next && f.down.fin == FinState::none) {
    change_down_keys_if_due(r, f);
    const std::uint32_t bytes = bytes_before_held(r, f, s);
    if (bytes != 0 && can_seal_in_place(r, f, bytes)) {
      if (f.exchange != nullptr && !f.exchange->take_answer({s.payload, bytes})) return kConsume;  // path/layer7.cpp ends it
      if (f.local != nullptr) send_local(r, f);  // a KeyUpdate goes before the first record under the new key
      if (bytes != s.payload_bytes) hold_in_gaps(r, f, s, s.seq + bytes);  // now: the record's end will lie on what follows
      const Sealed sealed = seal_next(r, f, s.payload, bytes);
      if (sealed.record_bytes == 0) return reset_both(r, f, Reset::bad_record), kConsume;
      r.counters.add(Count::cut_through_down_packets);
      return send_sealed(r, f, sealed, packet, s.flags, s.traffic_class, &s.options);
    }
  }
  const bool is_gap = s.seq != f.down.plain_next;
  const SeqNum end = s.seq + s.payload_bytes;
  const bool is_twice = f.down.ahead.has(r.held, s.seq, end);
  const Verdict v = hold(r, f, s, packet);
  if (!is_gap) hold_in_gaps(r, f, s, s.seq), owe_ack_to_server(r, f);
  else if (is_twice) tell_of_held(r, f, nullptr, wire::SackBlock{s.seq, end});
  else if (f.down.spans.empty() || !f.has(Flow::kServerSack)) tell_of_held(r, f, nullptr);  // at once, one for one: it counts them (RFC 5681 4.2)
  else if (f.untold != 0xff && std::has_single_bit(++f.untold)) ask_client(r, f);
  return v;
}

[[gnu::noinline]] Verdict take_old(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  const auto old_bytes = std::min(static_cast<std::uint32_t>(f.down.plain_next - s.seq), s.payload_bytes);
  if (f.untold != 0) tell_of_held(r, f, nullptr);  // it has waited long enough
  if (!f.down.spans.empty()) f.down.spans.front(r.spans).promised = Span::Promised::no;
  resend_down(r, f, s, {s.payload, old_bytes});
  if (old_bytes == s.payload_bytes || f.state != FlowState::established) return kConsume;
  return take_fresh(r, f, s.behind(old_bytes), packet);
}

// Copies held plaintext, from the front, into `out`. Returns: bytes taken; flags, class and echo of what they came from. The echo is the
// segment's own: with a newer one the client would take the time to us for its round trip, and let its window grow by that.
struct Gathered {
  std::uint32_t bytes = 0;
  std::uint8_t flags = 0, traffic_class = 0;
  std::uint32_t ts_echo = 0;
  bool is_promised = false;
};
Gathered gather_held(Resources& r, Flow& f, std::uint8_t* out, std::uint32_t limit) noexcept {
  Gathered got;
  const bool is_promised = got.is_promised = f.down.ahead.front(r.held).is_promised();
  while (got.bytes < limit && !f.down.ahead.empty()) {
    const Held& front = f.down.ahead.front(r.held);
    if (front.begin != f.down.plain_next + got.bytes || front.is_promised() != is_promised) break;
    const std::uint32_t n = std::min(front.bytes, limit - got.bytes);
    std::memcpy(out + got.bytes, front.data, n);
    got.bytes += n;
    got.ts_echo = front.ts_echo;
    if ((got.traffic_class & kMarked) != kMarked) got.traffic_class = front.traffic_class;  // one mark marks the record
    if (n < front.bytes) {
      f.down.ahead.trim_front(r.held, n);
      break;
    }
    const Held done = f.down.ahead.pop_front(r.held);
    got.flags |= done.flags;
    r.chunks.put(done.chunk);
    if ((done.flags & wire::kFin) != 0) break;
  }
  return got;
}

bool take_server_ack(Resources& r, Flow& f, const wire::Segment& s) noexcept {
  const SeqNum sent = later(f.up.plain_una, f.custody != nullptr ? f.custody->control.nxt() : f.up.plain_next);
  if (before(sent, s.ack)) {
    owe_ack_to_server(r, f);
    return false;
  }
  if (before(s.ack, f.up.plain_una)) {  // old, and its payload still good, unless it is a guess (RFC 5961 5.2)
    if (f.up.plain_una - s.ack <= std::int32_t{65'535} << f.server_tcp.window_shift) return true;
    owe_ack_to_server(r, f);
    return false;
  }
  const SeqNum edge = s.ack + (static_cast<std::uint32_t>(s.window) << f.server_tcp.window_shift);
  const bool is_repeated = s.ack == f.up.plain_una && s.payload_bytes == 0 && !s.has(wire::kFin | wire::kSyn);
  // With SACK the blocks tell a repetition; the window may move while a reader drains or a buffer grows (RFC 6675 2).
  const bool is_duplicate = is_repeated && (edge == f.up.server_edge || s.options.sack_count != 0);
  f.up.server_edge = edge;
  acknowledge_up(r, f, s.ack);
  if (f.custody != nullptr) custody_on_server_ack(r, f, s.ack, s.options, is_duplicate);
  return true;
}

// In custody the client hears of the server's progress by its window alone, and not for every packet of it.
bool has_news_for_client(Resources& r, Flow& f, const Before& before_it, bool has_payload) noexcept {
  const SeqNum ack = ack_for_client(r, f);
  if (f.up.end == UpEnd::finished && ack == before_it.ack) return false;  // it sends no more: a window is no news to it
  const SeqNum edge = edge_for_client(r, f);
  if (f.custody != nullptr && f.up.spans.empty()) {
    const bool was_small = before_it.edge - ack < 2 * f.client_tcp.mss;
    const bool has_moved = edge - before_it.edge >= 2 * f.client_tcp.mss || (was_small && edge != before_it.edge);
    if (!has_moved) f.up.edge_shown = before_it.edge;  // not told, so not promised
    return ack != before_it.ack || has_moved;
  }
  if (ack != before_it.ack || edge != before_it.edge) return true;
  return !has_payload && !before_it.has_advanced;
}

// A probe of the server's becomes one of the client: an acknowledgement of what it has long had, which it must answer.
void pass_keep_alive(Resources& r, Flow& f, const wire::Segment& s) noexcept {
  Outgoing out;
  out.seq = f.down.cipher_next - 1U;
  out.heard = &s.options;
  out.note = TraceNote::translated;
  if (take_packet(r, out.packet, out.payload)) (void)send_to_client(r, f, out);
}

// Seals what lies in order at the front of the hold queue, one record. Returns: false when there is nothing, or it must wait.
bool seal_front(Resources& r, Flow& f) noexcept {
  f.down.ahead.drop_before(r.held, f.down.plain_next);
  if (f.down.ahead.empty() || f.down.ahead.front(r.held).begin != f.down.plain_next) return false;
  change_down_keys_if_due(r, f);
  const std::uint32_t wanted = held_in_order(r, f, max_fragment(f));
  const std::uint32_t limit = std::min(wanted, admitted(f));
  // A record cut to a small window only when nothing is on its way that would open it (RFC 9293 3.8.6.2.1).
  const bool is_silly = limit < wanted && !f.down.spans.empty();
  if (limit == 0 || is_silly || !f.down.spans.has_room(r.spans)) return false;
  port::Packet packet;
  std::uint8_t* payload = nullptr;
  if (!take_packet(r, packet, payload)) return false;
  payload += f.suite->front_bytes();
  const Gathered got = gather_held(r, f, payload, limit);
  if (f.exchange != nullptr && !f.exchange->take_answer({payload, got.bytes})) return r.chunks.put(packet.chunk), false;
  send_local(r, f);
  const bool goes_on = !f.down.spans.empty() && f.down.spans.back(r.spans).promised != Span::Promised::no;
  const Sealed sealed = seal_next(r, f, payload, got.bytes);
  if (sealed.record_bytes == 0) {
    r.chunks.put(packet.chunk);
    reset_both(r, f, Reset::bad_record);
    return false;
  }
  if (got.is_promised) f.down.spans.back(r.spans).promised = goes_on ? Span::Promised::further : Span::Promised::first;
  wire::TcpOptions heard;
  heard.has_timestamps = f.has(Flow::kServerTimestamps);
  heard.ts_echo = got.ts_echo;
  (void)send_sealed(r, f, sealed, packet, got.flags, got.traffic_class, &heard);
  if ((got.flags & wire::kFin) != 0) take_server_fin(r, f);
  return true;
}

}  // namespace

void tell_of_held(Resources& r, Flow& f, const wire::TcpOptions* heard, std::optional<wire::SackBlock> twice) noexcept {
  constexpr std::uint32_t kRunsTold = 3;  // by one acknowledgement, beside timestamps
  f.untold = 0;
  bool has_told = false;
  while (f.down.ahead.promise_behind(r.held, f.down.plain_next, kRunsTold)) {
    ack_server(r, f, heard);
    has_told = true;
  }
  if (twice || !has_told) ack_server(r, f, heard, twice);
}

void seal_held(Resources& r, Flow& f) noexcept {
  bool was_promised = false;
  while (f.state == FlowState::established && f.down.fin == FinState::none && !f.down.ahead.empty()) {
    const bool is_promised = f.down.ahead.front(r.held).is_promised();
    if (!seal_front(r, f)) break;
    was_promised |= is_promised;
  }
  if (f.down.ahead.empty()) f.untold = 0;
  if (was_promised && f.state == FlowState::established) ask_client(r, f);
}

Verdict down(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  const Before before_it{f.up.ack_shown, f.up.edge_shown, before(f.up.plain_una, s.ack)};
  const std::uint64_t sent_before = r.packets_to_client;
  if (!take_server_ack(r, f, s)) return dropped(Drop::bad_ack);
  f.last_active = r.now;
  f.note(Flow::kEceFromServer, s.has(wire::kEce));
  const bool is_keep_alive = s.payload_bytes == 0 && !s.has(wire::kFin) && s.seq + 1U == f.down.plain_next && f.down.spans.empty();
  if (is_keep_alive) return pass_keep_alive(r, f, s), kConsume;
  Verdict v = kConsume;
  if (s.payload_bytes != 0) v = before(s.seq, f.down.plain_next) ? take_old(r, f, s, packet) : take_fresh(r, f, s, packet);
  if (f.state == FlowState::free || f.state == FlowState::draining) return v;
  if (s.has(wire::kFin)) {
    if (s.seq + s.payload_bytes == f.down.plain_next && f.down.ahead.empty()) take_server_fin(r, f);
    else if (v.action != Action::hold) owe_ack_to_server(r, f);
  }
  go_on(r, f);
  if (f.state == FlowState::free || r.packets_to_client != sent_before) return v;
  // Only for what the window alone holds back: behind a gap the client's answer would reach the server as one more duplicate.
  const bool waits_for_window = s.payload_bytes != 0 && f.state == FlowState::established && f.down.spans.empty() &&
                                !f.down.ahead.empty() && f.down.ahead.front(r.held).begin == f.down.plain_next;
  if (waits_for_window) return pass_keep_alive(r, f, s), v;  // the client's window update may be lost
  if (has_news_for_client(r, f, before_it, s.payload_bytes != 0)) ack_client(r, f, &s.options);
  return v;
}

}  // namespace cutwater::splice
