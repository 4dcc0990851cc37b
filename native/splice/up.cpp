#include "splice/up.hpp"

#include <algorithm>

#include "http/exchange.hpp"
#include "splice/close.hpp"
#include "splice/control_record.hpp"
#include "splice/custody.hpp"
#include "splice/down.hpp"
#include "splice/emit.hpp"
#include "splice/key_change.hpp"
#include "splice/resend.hpp"
#include "splice/seal.hpp"
#include "splice/translate.hpp"

namespace cutwater::splice {
namespace {

using record::ContentType;

// What the server had been told when the segment came.
struct Before {
  SeqNum ack, edge;
  bool has_advanced;
};

// What a run of records in one segment gave. The plaintext lies where the first fragment was, closed up.
struct Run {
  std::uint8_t* plain = nullptr;
  std::uint32_t plain_bytes = 0;
  std::uint64_t first = 0, count = 0;
  bool has_local = false;  // records without plaintext: no server will ever acknowledge them
  Verdict verdict = kForward;
};

[[gnu::always_inline]] inline const record::ExpandedKey& open_key(Resources& r, const Flow& f) noexcept {
  return r.keys.at({f.index, f.generation, f.up.epoch, record::KeyId::Direction::up}, *f.suite, f.up_keys);
}

[[gnu::always_inline]] inline void push_span(Resources& r, Flow& f, std::uint32_t record_bytes, std::uint32_t fragment_bytes) noexcept {
  Span& span = *f.up.spans.extend(r.spans);
  span.cipher_begin = f.up.cipher_next;
  span.plain_begin = f.up.plain_next;
  span.cipher_bytes = record_bytes;
  span.plain_bytes = fragment_bytes;
  span.number = f.up.number;
  span.kind = fragment_bytes != 0 ? Span::Kind::record : Span::Kind::local;
  span.epoch = f.up.epoch;
  f.up.cipher_next += record_bytes;
  f.up.plain_next += fragment_bytes;
  ++f.up.number;
}

// Opens one record and says what it means. Returns: false when the run ends here (failed, or not to be taken now).
[[gnu::always_inline]] inline bool open_one(Resources& r, Flow& f, MutableBytes bytes, ContentType outer, Run& run) noexcept {
  const record::Opened opened = r.aead.open(open_key(r, f), f.up_keys, f.up.number, bytes);
  if (opened.status != record::Opened::Status::ok) {
    const Reset reason = opened.status == record::Opened::Status::bad_tag ? Reset::bad_tag : Reset::bad_record;
    fail(r, f, reason, opened.alert);
    run.verdict = kConsume;
    return false;
  }
  const ContentType type = f.suite->version == record::Version::tls13 ? opened.type : outer;
  const auto record_bytes = static_cast<std::uint32_t>(bytes.size());
  const auto fragment_bytes = static_cast<std::uint32_t>(opened.fragment.size());
  if (type == ContentType::application_data && !f.post_handshake.has_partial()) {
    if (run.plain == nullptr) run.plain = opened.fragment.data();
    else std::memmove(run.plain + run.plain_bytes, opened.fragment.data(), fragment_bytes);
    run.plain_bytes += fragment_bytes;
    run.has_local |= fragment_bytes == 0;
    push_span(r, f, record_bytes, fragment_bytes);
  } else {
    run.has_local = true;
    push_span(r, f, record_bytes, 0);
    if (!take_control(r, f, type, opened.fragment)) {
      run.verdict = kConsume;
      return false;
    }
  }
  r.counters.add(Count::records_opened);
  ++run.count;
  return true;
}

// Opens the whole records of a segment in place, as far as they go.
[[gnu::always_inline]] inline Run open_run(Resources& r, Flow& f, MutableBytes in) noexcept {
  Run run;
  run.first = f.up.number;
  while (!in.empty()) {
    if (!settle_up_keys(r, f)) {
      run.verdict = dropped(Drop::epoch_busy);
      break;
    }
    if (!f.up.spans.has_room(r.spans)) {
      run.verdict = dropped(Drop::spans_full);
      break;
    }
    const auto header = record::parse_header(in);
    if (!header) {
      fail_framing(r, f, header.error());
      run.verdict = kConsume;
      break;
    }
    if (const HeaderFault fault = fault_of(*f.suite, *header); fault != HeaderFault::none) {
      fail_header(r, f, fault);
      run.verdict = kConsume;
      break;
    }
    if (!open_one(r, f, in.first(header->record_bytes()), header->type, run)) break;
    in = in.subspan(header->record_bytes());
    if (f.up.end != UpEnd::open) {  // what follows a close_notify is ignored (RFC 9846 6.1)
      f.up.cipher_next += static_cast<std::uint32_t>(in.size());
      break;
    }
  }
  return run;
}

[[gnu::always_inline]] inline Verdict cut_through(Resources& r, Flow& f, const wire::TcpOptions* heard, std::uint8_t flags, std::uint8_t traffic_class,
                    MutableBytes in, const port::Packet& packet) noexcept {
  const Run run = open_run(r, f, in);
  if (f.state != FlowState::established) return kConsume;
  // Local records before the first with plaintext wait for no server: a client that resends little at a time gets past them.
  if (run.has_local) acknowledge_up(r, f, f.up.plain_una);
  if (run.plain_bytes == 0) {  // only local records, or nothing could be taken
    owe_ack_to_client(r, f);
    return run.verdict.action == Action::drop ? run.verdict : kConsume;
  }
  if (f.exchange != nullptr) f.exchange->take_body({run.plain, run.plain_bytes});
  r.counters.add(Count::cut_through_up_packets);
  r.counters.add(Count::plaintext_up_bytes, run.plain_bytes);
  return send_to_server(r, f, {.packet = packet,
                               .payload = run.plain,
                               .payload_bytes = run.plain_bytes,
                               .seq = f.up.plain_next - run.plain_bytes,
                               .flags = static_cast<std::uint8_t>(wire::kAck | (flags & (wire::kPsh | wire::kCwr))),
                               .traffic_class = traffic_class,
                               .heard = heard,
                               .note = TraceNote::opened_in_place,
                               .first_record = static_cast<std::int64_t>(run.first),
                               .last_record = static_cast<std::int64_t>(run.first + run.count - 1)});
}

Verdict into_custody(Resources& r, Flow& f, std::uint8_t flags, std::uint8_t traffic_class, Bytes in) noexcept {
  if (!enter_custody(r, f) || !has_custody_room(r, f, static_cast<std::uint32_t>(in.size()))) {
    return dropped(Drop::custody_full);
  }
  r.counters.add(Count::custody_up_packets);
  take_marks(f, flags, traffic_class);
  if (!take_into_custody(r, f, in)) return kConsume;
  owe_ack_to_client(r, f);
  return kConsume;
}

// The window we showed during the handshake is ours, not the server's, and so may the segment be: several that were held as one,
// or one from before the server's path shrank. What does not fit the server is ours to keep, and to cut.
bool exceeds_server(const Flow& f, std::uint32_t record_bytes) noexcept {
  const auto overhead = static_cast<std::uint32_t>(f.suite->overhead_bytes());
  if (record_bytes <= overhead) return false;
  const std::uint32_t plain_bytes = record_bytes - overhead;
  return plain_bytes > f.server_tcp.mss || before(f.up.server_edge, f.up.plain_next + plain_bytes);
}

// In-order ciphertext. Cut-through when nothing is in custody and the segment is whole records; otherwise custody (A11).
[[gnu::always_inline]] inline Verdict take_in_order(Resources& r, Flow& f, const wire::TcpOptions* heard, std::uint8_t flags, std::uint8_t traffic_class,
                      MutableBytes in, const port::Packet& packet) noexcept {
  // What is not the body of a request that is on its way is read first.
  const auto may_pass = [&] { return f.exchange->may_pass(in.size() - std::min(f.suite->overhead_bytes(), in.size())); };
  if (f.exchange != nullptr && !may_pass()) return into_custody(r, f, flags, traffic_class, in);
  if (f.custody != nullptr || exceeds_server(f, static_cast<std::uint32_t>(in.size()))) return into_custody(r, f, flags, traffic_class, in);
  if (!record::is_one_record(in) && record::framing_of(in) == record::Framing::cut) return into_custody(r, f, flags, traffic_class, in);
  return cut_through(r, f, heard, flags, traffic_class, in, packet);
}

Verdict hold_ahead(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  const Held held{.begin = s.seq, .bytes = s.payload_bytes, .data = s.payload, .chunk = packet.chunk,
                  .flags = static_cast<std::uint8_t>((s.flags & (wire::kPsh | wire::kFin | wire::kCwr)) | Held::kPromised), .traffic_class = s.traffic_class};
  const bool is_kept = s.payload_bytes != 0 && r.chunks.free_chunks() > r.chunks.capacity() / 4 && f.up.ahead.insert(r.held, held);
  if (is_kept) r.counters.add(Count::held_up_packets);
  const bool is_twice = !is_kept && s.payload_bytes != 0 && f.up.ahead.has(r.held, s.seq, s.seq + s.payload_bytes);
  // At once, one for one: the client counts them (RFC 5681 4.2).
  ack_client(r, f, nullptr, is_twice ? std::optional(wire::SackBlock{s.seq, s.seq + s.payload_bytes}) : std::nullopt);
  return is_kept ? kHold : dropped(Drop::reassembly_full);
}

void drain_ahead(Resources& r, Flow& f) noexcept {
  while (f.state == FlowState::established && !f.up.ahead.empty()) {
    f.up.ahead.drop_before(r.held, f.up.cipher_next);
    if (f.up.ahead.empty() || f.up.ahead.front(r.held).begin != f.up.cipher_next) return;
    const Held held = f.up.ahead.pop_front(r.held);
    const port::Packet packet{held.data, held.bytes, held.chunk};
    // The client was told of it by SACK and may never send it again, so we answer for it as long as there is room.
    Verdict v = into_custody(r, f, held.flags, held.traffic_class, {held.data, held.bytes});
    if (v.action == Action::drop) v = take_in_order(r, f, nullptr, held.flags, held.traffic_class, {held.data, held.bytes}, packet);
    if (v.action != Action::forward) r.chunks.put(held.chunk);
    if (v.action == Action::drop) r.counters.add(v.reason);
    const bool is_whole = f.state == FlowState::established && held.end() == f.up.cipher_next;
    if (is_whole && (held.flags & wire::kFin) != 0) take_client_fin(r, f);
  }
}

// What begins where we are, or behind it.
[[gnu::always_inline]] inline Verdict take_fresh(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  if (before(f.up.edge_shown, s.seq + s.payload_bytes)) {
    owe_ack_to_client(r, f);
    return dropped(Drop::window_exceeded);
  }
  if (s.seq != f.up.cipher_next) return hold_ahead(r, f, s, packet);
  if (f.up.end != UpEnd::open) {
    f.up.cipher_next += s.payload_bytes;
    owe_ack_to_client(r, f);
    return dropped(Drop::after_close);
  }
  const Verdict v = take_in_order(r, f, &s.options, s.flags, s.traffic_class, {s.payload, s.payload_bytes}, packet);
  if (v.action == Action::drop) owe_ack_to_client(r, f);
  if (!f.up.ahead.empty()) drain_ahead(r, f);
  return v;
}

[[gnu::noinline]] Verdict take_old(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  const auto old_bytes = std::min(static_cast<std::uint32_t>(f.up.cipher_next - s.seq), s.payload_bytes);
  resend_up(r, f, s, {s.payload, old_bytes});
  if (old_bytes == s.payload_bytes || f.state != FlowState::established) return kConsume;
  return take_fresh(r, f, s.behind(old_bytes), packet);
}

// A keep-alive probe on an idle flow: the server shall answer it, not we.
void pass_keep_alive(Resources& r, Flow& f, const wire::Segment& s) noexcept {
  Outgoing out;
  out.seq = f.up.plain_next - 1U;
  out.heard = &s.options;
  out.note = TraceNote::translated;
  if (take_packet(r, out.packet, out.payload)) (void)send_to_server(r, f, out);
}

// An acknowledgement goes on when it says something in the other numbering, or when it is a repetition that its receiver
// counts. What advanced on the client side only was about local bytes or half a record: it must not look like a repetition.
bool has_news_for_server(Resources& r, Flow& f, const Before& before_it, bool has_payload) noexcept {
  if (ack_for_server(r, f) != before_it.ack || edge_for_server(r, f) != before_it.edge) return true;
  if (has_payload || before_it.has_advanced) return false;
  return f.down.spans.empty() || f.down.spans.front(r.spans).kind == Span::Kind::record;
}

// It has the newest byte, so whatever lacks before that has been reported too.
bool has_answered_all(const Flow& f, const wire::Segment& s) noexcept {
  if (f.down.spans.empty()) return true;
  for (std::size_t i = 0; i < s.options.sack_count; ++i) {
    if (s.options.sack[i].end == f.down.cipher_next) return true;
  }
  return false;
}

// The client lacks some of what the server was promised (or has it in another order): the server shall see where.
void show_hole(Resources& r, Flow& f, const wire::Segment& s) noexcept {
  if (f.down.spans.empty()) return;
  for (std::size_t i = 0; i < s.options.sack_count; ++i) {
    if (before(s.ack, s.options.sack[i].begin)) f.down.spans.front(r.spans).promised = Span::Promised::no;
  }
}

[[gnu::always_inline]] inline bool take_ack(Resources& r, Flow& f, const wire::Segment& s) noexcept {
  if (before(f.down.cipher_next, s.ack)) {  // never sent (RFC 9293 3.10.7.4)
    owe_ack_to_client(r, f);
    return false;
  }
  if (before(s.ack, f.down.cipher_una)) {
    // Old, and its payload still good; but not older than any window the client has shown: that is a guess (RFC 5961 5.2).
    if (f.down.cipher_una - s.ack <= std::int32_t{65'535} << f.client_tcp.window_shift) return true;
    owe_ack_to_client(r, f);
    return false;
  }
  const bool is_duplicate = s.ack == f.down.cipher_una && s.payload_bytes == 0 && !s.has(wire::kFin | wire::kSyn);
  const SeqNum edge = s.ack + (static_cast<std::uint32_t>(s.window) << f.client_tcp.window_shift);
  const bool is_same_edge = edge == f.down.client_edge;
  f.down.client_edge = edge;
  acknowledge_down(r, f, s.ack);
  if (s.options.sack_count != 0) show_hole(r, f, s);
  if (f.local != nullptr) {
    f.local->note_window(s.window == 0);
    if (is_duplicate && is_same_edge) f.local->on_duplicate(s.ack, r.now);
    else f.local->on_ack(s.ack, r.now);
  }
  return true;
}

}  // namespace

bool take_client_ack(Resources& r, Flow& f, const wire::Segment& s) noexcept { return take_ack(r, f, s); }

void take_marks(Flow& f, std::uint8_t flags, std::uint8_t traffic_class) noexcept {
  constexpr std::uint8_t kMarked = 3;
  if ((flags & wire::kCwr) != 0) {
    f.note(Flow::kMarkTaken, false);
    f.note(Flow::kCwrToServer, true);
  }
  if ((traffic_class & kMarked) == kMarked) f.note(Flow::kMarkTaken, true);
}

void take_held_ciphertext(Resources& r, Flow& f) noexcept { drain_ahead(r, f); }

void do_owed_work(Resources& r, Flow& f) noexcept {
  settle_fins(r, f);
  // A client that asked for new keys is answered now, not when the server happens to say something again.
  const bool owes_update = f.state == FlowState::established && f.down.update == UpdateState::owed && f.down.fin == FinState::none;
  if (owes_update) change_down_keys_if_due(r, f);
  send_local(r, f);
  if (f.local != nullptr && f.local->is_empty()) release_local(r, f);
  if (f.state == FlowState::established) {
    seal_held(r, f);
    send_from_custody(r, f);
    settle_fins(r, f);
  }
  arm(r, f);
}

Verdict up(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept {
  const Before before_it{f.down.ack_shown, f.down.edge_shown, before(f.down.cipher_una, s.ack)};
  const std::uint64_t sent_before = r.packets_to_server;
  if (!take_ack(r, f, s)) return dropped(Drop::bad_ack);
  f.last_active = r.now;
  f.note(Flow::kEceFromClient, s.has(wire::kEce));
  const bool is_keep_alive = s.payload_bytes == 0 && !s.has(wire::kFin) && s.seq + 1U == f.up.cipher_next &&
                             f.custody == nullptr && f.up.spans.empty();
  if (is_keep_alive) return f.link == ServerLink::up ? pass_keep_alive(r, f, s) : owe_ack_to_client(r, f), kConsume;
  Verdict v = kConsume;
  if (s.payload_bytes != 0) v = before(s.seq, f.up.cipher_next) ? take_old(r, f, s, packet) : take_fresh(r, f, s, packet);
  if (f.state != FlowState::established && f.state != FlowState::lingering) return v;
  if (s.has(wire::kFin)) {
    if (s.seq + s.payload_bytes == f.up.cipher_next && f.up.end != UpEnd::finished) take_client_fin(r, f);
    else owe_ack_to_client(r, f);
  }
  if (f.state == FlowState::free) return v;
  go_on(r, f);
  if (f.state == FlowState::free) return v;
  if (f.untold != 0 && has_answered_all(f, s)) return tell_of_held(r, f, &s.options), v;
  if (r.packets_to_server != sent_before) return v;
  if (has_news_for_server(r, f, before_it, s.payload_bytes != 0)) ack_server(r, f, &s.options);
  return v;
}

void take_early_ciphertext(Resources& r, Flow& f, Bytes ciphertext) noexcept {
  if (ciphertext.empty()) return;
  f.up.cipher_next = f.up.cipher_next - static_cast<std::uint32_t>(ciphertext.size());  // take_into_custody counts them again
  if (!enter_custody(r, f) || !has_custody_room(r, f, static_cast<std::uint32_t>(ciphertext.size()))) {
    return reset_both(r, f, Reset::handshake_failed);  // they were acknowledged: there is no way back
  }
  take_into_custody(r, f, ciphertext);
}

}  // namespace cutwater::splice
