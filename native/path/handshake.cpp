// The TLS handshake of a flow, seen from the path: the client's bytes are collected, whole records go to a secure processor,
// its answers go out as local bytes, and when the keys come the splice begins. Until then the server is shown a zero window.
// Implements: A5, H2, H4, H8, H10.
#include <algorithm>

#include "path/state.hpp"
#include "record/deframer.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"
#include "splice/seal.hpp"
#include "splice/translate.hpp"
#include "splice/up.hpp"

namespace cutwater::path {
namespace {

using secure::HandshakeFailure;
using splice::Flow;
using splice::FlowState;

constexpr std::uint32_t kNone = ~0U;
constexpr std::uint64_t kMs = 1000;

Handshake* handshake_of(State& s, const Flow& f) noexcept { return f.handshake == kNone ? nullptr : s.under_way[f.handshake]; }

Handshake* start_handshake(State& s, Flow& f) {
  Handshake* h = s.handshakes.take();
  if (h == nullptr) return nullptr;
  h->input.clear();
  h->posted_bytes = 0;
  h->stage = Handshake::Stage::collecting;
  h->has_fin = false;
  if (s.free_handshakes.empty()) {
    s.free_handshakes.push_back(static_cast<std::uint32_t>(s.under_way.size()));
    s.under_way.push_back(nullptr);
  }
  f.handshake = s.free_handshakes.back();
  s.free_handshakes.pop_back();
  s.under_way[f.handshake] = h;
  return h;
}

void drop_handshake(State& s, Flow& f) noexcept {
  Handshake* h = handshake_of(s, f);
  if (h == nullptr) return;
  std::vector<std::uint8_t>().swap(h->input);  // what it held may have been large, and secret
  s.handshakes.put(h);
  s.under_way[f.handshake] = nullptr;
  s.free_handshakes.push_back(f.handshake);
  f.handshake = kNone;
}

void tell(State& s, const Flow& f, FlowEvent event) noexcept {
  if (s.events == nullptr) return;
  event.at = s.r.now;
  event.client = f.client.address;
  event.client_port = f.client.port;
  event.service = f.route->service_id;
  s.events->event(event);
}

void count_failure(State& s, const Flow& f, HandshakeFailure failure, std::uint8_t alert, const std::string* text) noexcept {
  s.counters.add_handshake_failure(static_cast<std::size_t>(failure));
  FlowEvent event;
  event.kind = FlowEvent::Kind::handshake_failed;
  event.reset = Reset::handshake_failed;
  event.failure = failure;
  event.alert = alert;
  event.text = text;
  tell(s, f, event);
}

bool looks_like_http(Bytes bytes) noexcept {
  static constexpr std::string_view kMethods[] = {"GET ", "POST", "HEAD", "PUT ", "DELE", "OPTI", "CONN", "TRAC", "PATC", "PRI "};
  if (bytes.size() < 4) return false;
  const std::string_view begin(reinterpret_cast<const char*>(bytes.data()), 4);
  return std::find(std::begin(kMethods), std::end(kMethods), begin) != std::end(kMethods);
}

// Our own verdict on the client's bytes: an alert as a framed record, never clear text (I4).
void refuse_handshake(State& s, Flow& f, HandshakeFailure failure, record::Alert alert) {
  count_failure(s, f, failure, static_cast<std::uint8_t>(alert), nullptr);
  splice::fail(s.r, f, Reset::handshake_failed, alert);
}

bool post(State& s, Flow& f, Handshake& h, std::size_t bytes) {
  auto request = std::make_unique<secure::Request>();
  request->kind = h.stage == Handshake::Stage::collecting ? secure::Request::Kind::start : secure::Request::Kind::input;
  request->token = {f.index, f.generation};
  request->service = f.route->service_id;
  request->deadline = f.expires;
  request->client = f.client.address;
  request->bytes.assign(h.input.begin() + h.posted_bytes, h.input.begin() + h.posted_bytes + static_cast<std::ptrdiff_t>(bytes));
  if (!s.secure.post(std::move(request))) {
    refuse_handshake(s, f, HandshakeFailure::overload, record::Alert::internal_error);
    return false;
  }
  h.posted_bytes += static_cast<std::uint32_t>(bytes);
  h.stage = Handshake::Stage::posted;
  return true;
}

// Hands whole records on. What cannot be a record ends the flow now, before anybody works for it.
void post_records(State& s, Flow& f, Handshake& h) {
  const Bytes waiting = Bytes(h.input).subspan(h.posted_bytes);
  if (waiting.empty()) return;
  if (h.stage == Handshake::Stage::collecting && looks_like_http(waiting)) {
    return refuse_handshake(s, f, HandshakeFailure::plain_http, record::Alert::unexpected_message);
  }
  const record::RecordRun run = record::whole_records(waiting);
  if (run.record_bytes != 0 && !post(s, f, h, run.record_bytes)) return;
  if (run.rest.status == record::NextRecord::Status::bad) {
    // Behind a whole record it may be application data of a client that is ahead of us: its keys will judge it.
    if (run.record_bytes == 0 && h.stage == Handshake::Stage::collecting) {
      refuse_handshake(s, f, HandshakeFailure::bad_record, record::alert_for(run.rest.error));
    }
  }
}

bool collect(State& s, Flow& f, Bytes bytes) {
  Handshake* h = handshake_of(s, f);
  if (h == nullptr) h = start_handshake(s, f);
  if (h == nullptr || h->input.size() + bytes.size() > Handshake::kMaxInputBytes) return false;
  h->input.insert(h->input.end(), bytes.begin(), bytes.end());
  f.up.cipher_next += static_cast<std::uint32_t>(bytes.size());
  return true;
}

Verdict hold_ahead(State& s, Flow& f, const Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  constexpr std::uint16_t kMaxAhead = 64;  // a flight of a client, out of order
  const bool is_joined = f.up.ahead.extend(s.r.held, seg.seq, {seg.payload, seg.payload_bytes});  // a hello cut into single bytes
  if (is_joined) return splice::ack_client(s.r, f), kConsume;
  const bool is_kept = f.up.ahead.size() < kMaxAhead &&
                       f.up.ahead.insert(s.r.held, {.begin = seg.seq, .bytes = seg.payload_bytes, .data = seg.payload, .chunk = w.packet.chunk});
  splice::ack_client(s.r, f);
  return is_kept ? kHold : dropped(Drop::reassembly_full);
}

Verdict take_bytes(State& s, Work& w) {
  Flow& f = *w.flow;
  const wire::Segment& seg = w.segment;
  splice::owe_ack_to_client(s.r, f);
  const std::int32_t old = f.up.cipher_next - seg.seq;
  if (old >= static_cast<std::int32_t>(seg.payload_bytes)) return kConsume;
  if (before(f.up.edge_shown, seg.seq + seg.payload_bytes)) return dropped(Drop::window_exceeded);
  if (old < 0) return hold_ahead(s, f, w);
  const Bytes fresh(seg.payload + old, seg.payload_bytes - static_cast<std::uint32_t>(old));
  if (!collect(s, f, fresh)) return dropped(Drop::handshake_full);
  f.up.ahead.drop_before(s.r.held, f.up.cipher_next);
  while (!f.up.ahead.empty() && f.up.ahead.front(s.r.held).begin == f.up.cipher_next) {
    const splice::Held held = f.up.ahead.pop_front(s.r.held);
    const bool is_taken = collect(s, f, {held.data, held.bytes});
    s.r.chunks.put(held.chunk);
    if (!is_taken) break;
    f.up.ahead.drop_before(s.r.held, f.up.cipher_next);
  }
  post_records(s, f, *handshake_of(s, f));
  return kConsume;
}

// TCP is up: the server may know, with a zero window (splice.md, Down 3).
void open_handshake(State& s, Flow& f) noexcept {
  f.state = FlowState::handshake;
  f.client_rtt_us = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(s.r.now - f.last_active, 1, splice::Rto::kMaxUs));
  f.expires = s.r.now + f.route->policy.handshake_timeout_ms * kMs;
  f.last_active = s.r.now;
  splice::ack_server(s.r, f);
  s.timers.disarm(f.index);
  splice::arm(s.r, f);
}

void take_fin(State& s, Flow& f) noexcept {
  Handshake* h = handshake_of(s, f);
  if (h == nullptr || h->stage == Handshake::Stage::collecting) {  // a port scan, a health check, or a client that changed its mind
    if (h != nullptr) count_failure(s, f, HandshakeFailure::bad_record, 0, nullptr);
    return splice::reset_both(s.r, f, Reset::truncated);
  }
  h->has_fin = true;  // not acknowledged yet: it stands behind bytes that are still being judged
}

void install(Flow& f, secure::Established& e) noexcept {
  f.suite = e.suite;
  f.up_keys = e.up_keys;
  f.down_keys = e.down_keys;
  f.up_secret = std::move(e.up_secret);
  f.down_secret = std::move(e.down_secret);
  f.up.number = e.up_number;
  f.down.number = e.down_number;
  f.max_fragment_bytes = e.max_fragment_bytes;
  wipe(&e.up_keys, sizeof e.up_keys);
  wipe(&e.down_keys, sizeof e.down_keys);
}

void count_established(State& s, const Flow& f, const secure::Established& e) noexcept {
  s.counters.add(Count::flows_established);
  if (e.is_resumed) s.counters.add(Count::flows_resumed);
  s.counters.add(e.suite->version == record::Version::tls13 ? Count::tls13_established : Count::tls12_established);
  const std::string text = e.server_name + (e.protocol.empty() ? "" : " " + e.protocol) +
                           (e.client_subject.empty() ? "" : " client=" + e.client_subject);
  FlowEvent event;
  event.suite = e.suite;
  event.is_resumed = e.is_resumed;
  event.text = &text;
  tell(s, f, event);
}

void establish(State& s, Flow& f, secure::Reply& reply) {
  install(f, *reply.established);
  f.state = FlowState::established;
  s.timers.disarm(f.index);
  f.last_active = s.r.now;
  f.down.edge_shown = f.down.plain_next;
  count_established(s, f, *reply.established);
  const bool is_introduced = introduce(s, f, *reply.established);
  Handshake* h = handshake_of(s, f);
  const bool has_fin = h->has_fin;
  const std::vector<std::uint8_t> input = std::move(h->input);
  drop_handshake(s, f);
  if (!is_introduced) return splice::reset_both(s.r, f, Reset::handshake_failed);
  const std::size_t used = std::min<std::size_t>(reply.consumed_bytes, input.size());
  splice::take_early_ciphertext(s.r, f, Bytes(input).subspan(used));
  if (f.state != FlowState::established) return;
  splice::take_held_ciphertext(s.r, f);
  if (f.state == FlowState::established && has_fin) splice::take_client_fin(s.r, f);
  if (f.state != FlowState::established) return;
  splice::owe_ack_to_server(s.r, f);  // opens the window
  splice::go_on(s.r, f);
}

}  // namespace

Verdict take_hello(State& s, Work& w) noexcept {
  Flow& f = *w.flow;
  const wire::Segment& seg = w.segment;
  if (!splice::take_client_ack(s.r, f, seg)) return dropped(Drop::bad_ack);
  if (f.state == FlowState::syn_answered) {
    if (seg.ack != f.down.cipher_next) return dropped(Drop::bad_ack);
    open_handshake(s, f);
  }
  Verdict v = kConsume;
  if (seg.payload_bytes != 0) {
    splice::take_marks(f, seg.flags, seg.traffic_class);
    v = take_bytes(s, w);
  }
  if (f.state != FlowState::handshake) return v;
  if (seg.has(wire::kFin) && seg.seq + seg.payload_bytes == f.up.cipher_next) take_fin(s, f);
  if (f.state != FlowState::handshake) return v;
  splice::send_local(s.r, f);
  splice::arm(s.r, f);
  return v;
}

bool has_memory_for(State& s, const secure::Reply& reply) noexcept {
  if (reply.kind != secure::Reply::Kind::established || reply.token.flow >= s.flows.used()) return true;
  const Flow& f = s.flows.at(reply.token.flow);
  const Handshake* h = f.generation == reply.token.generation ? handshake_of(s, f) : nullptr;
  if (h == nullptr) return true;
  const std::size_t early = h->input.size() - std::min<std::size_t>(reply.consumed_bytes, h->input.size());
  return s.r.chunks.free_chunks() >= early / port::kChunkBytes + 4;  // the flight itself, and an acknowledgement to each side
}

void take_reply(State& s, secure::Reply& reply) noexcept {
  if (reply.token.flow >= s.flows.used()) return;
  Flow& f = s.flows.at(reply.token.flow);
  if (f.generation != reply.token.generation || f.state != FlowState::handshake || f.handshake == kNone) return;
  if (reply.kind == secure::Reply::Kind::failed) {
    count_failure(s, f, reply.failure, reply.alert, &reply.detail);
    drop_handshake(s, f);
    splice::fail_handshake(s.r, f, Reset::handshake_failed, std::move(reply.bytes));
  } else {
    if (!reply.bytes.empty() && !splice::append_local(s.r, f, std::move(reply.bytes), splice::Ending::none)) {
      splice::reset_both(s.r, f, Reset::handshake_failed);
    } else if (reply.kind == secure::Reply::Kind::established) {
      splice::send_local(s.r, f);
      establish(s, f, reply);
    } else {
      splice::send_local(s.r, f);
    }
  }
  if (f.state == FlowState::free) forget(s, f);
  else splice::arm(s.r, f);
}

void cancel_handshake(State& s, Flow& f) noexcept {
  const Handshake* h = handshake_of(s, f);
  if (h == nullptr) return;
  if (h->stage == Handshake::Stage::posted) {
    auto request = std::make_unique<secure::Request>();
    request->kind = secure::Request::Kind::cancel;
    request->token = {f.index, f.generation};
    (void)s.secure.post(std::move(request));  // a full queue: the processor's own deadline frees it
  }
  drop_handshake(s, f);
}

}  // namespace cutwater::path
