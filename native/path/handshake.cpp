// The TLS handshake of a flow, seen from the path: what a client sends before there are keys comes in here. Its hello is put
// together in hello.cpp; from then on whole records go to a secure processor, its answers go out as local bytes, and when the
// keys come the splice begins. Until then the server is shown a zero window.
// Implements: A5, H2, H4, H8, H10.
#include <algorithm>

#include "hello/client_hello.hpp"
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

constexpr std::uint64_t kMs = 1000;

constexpr std::uint8_t number(record::Alert alert) noexcept { return static_cast<std::uint8_t>(alert); }

void tell(State& s, const Flow& f, FlowEvent event) noexcept {
  if (s.events == nullptr) return;
  event.at = s.r.now;
  event.client = f.client.address;
  event.client_port = f.client.port;
  event.service = f.route->service_id;
  s.events->event(event);
}

// What its hello said, as far as it is there.
void name_client(State& s, const Flow& f, FailureSample& sample) noexcept {
  if (const Handshake* h = handshake_of(s, f)) return sample.server_name.assign(h->server_name);
  if (!is_half_open(f)) return;
  const auto hello = hello::parse_client_hello(hello::message_of(half_open_of(s, f).assembly, s.blocks));
  if (hello) sample.server_name.assign(hello->server_name);
}

secure::Request::Kind kind_of(hello::Turn turn) noexcept {
  switch (turn) {
    case hello::Turn::first: return secure::Request::Kind::start;
    case hello::Turn::second: return secure::Request::Kind::start_retried;
    case hello::Turn::reply: return secure::Request::Kind::start_deferred;
  }
  return secure::Request::Kind::start;
}

bool post(State& s, Flow& f, std::unique_ptr<secure::Request>&& request) {
  if (s.secure.post(std::move(request))) return true;
  refuse_handshake(s, f, HandshakeFailure::overload, number(record::Alert::internal_error));
  return false;
}

// Hands whole records on. What cannot be a record behind them may be application data of a client that is ahead of us: its
// keys will judge it.
void post_records(State& s, Flow& f, Handshake& h) {
  const Bytes waiting = Bytes(h.input).subspan(h.posted_bytes);
  const record::RecordRun run = record::whole_records(waiting);
  if (run.record_bytes == 0) return;
  auto request = make_request(s, f, secure::Request::Kind::input);
  request->bytes.assign(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(run.record_bytes));
  if (post(s, f, std::move(request))) h.posted_bytes += static_cast<std::uint32_t>(run.record_bytes);
}

std::size_t collect_input(State& s, Flow& f, Bytes bytes) {
  Handshake* h = handshake_of(s, f);
  if (h == nullptr || h->input.size() + bytes.size() > Handshake::kMaxInputBytes) return 0;
  h->input.insert(h->input.end(), bytes.begin(), bytes.end());
  f.up.cipher_next += static_cast<std::uint32_t>(bytes.size());
  return bytes.size();
}

// Returns: whether all of the bytes were taken. The hello's end is in the middle of them when data follows on its heels.
bool collect(State& s, Flow& f, Bytes bytes) {
  while (!bytes.empty() && f.state == FlowState::handshake) {
    const std::size_t used = is_half_open(f) ? collect_hello(s, f, bytes) : collect_input(s, f, bytes);
    if (used == 0) return false;
    bytes = bytes.subspan(used);
  }
  if (f.state == FlowState::passing && !bytes.empty()) return keep_for_server(s, f, bytes);  // the hello was for somebody else
  return bytes.empty();
}

// Who has proved nothing holds packets only while there are plenty: established flows need them.
bool may_hold(const State& s, const Flow& f) noexcept {
  constexpr std::uint16_t kMaxAhead = 64;  // a flight of a client, out of order
  const bool has_plenty = s.r.chunks.free_chunks() > s.r.chunks.capacity() / 2;
  return f.up.ahead.size() < kMaxAhead && (has_plenty || !is_half_open(f));
}

Verdict hold_ahead(State& s, Flow& f, const Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  const bool is_joined = f.up.ahead.extend(s.r.held, seg.seq, {seg.payload, seg.payload_bytes});  // a hello cut into single bytes
  if (is_joined) return splice::ack_client(s.r, f), kConsume;
  const bool is_kept = may_hold(s, f) &&
                       f.up.ahead.insert(s.r.held, {.begin = seg.seq, .bytes = seg.payload_bytes, .data = seg.payload, .chunk = w.packet.chunk});
  splice::ack_client(s.r, f);
  return is_kept ? kHold : dropped(Drop::reassembly_full);
}

Verdict take_bytes(State& s, Work& w) {
  Flow& f = *w.flow;
  const wire::Segment& seg = w.segment;
  splice::owe_ack_to_client(s.r, f);
  const std::int32_t old = f.up.cipher_next - seg.seq;
  if (old >= static_cast<std::int32_t>(seg.payload_bytes)) {
    if (is_half_open(f)) resend_retry(s, f);
    return kConsume;
  }
  if (before(f.up.edge_shown, seg.seq + seg.payload_bytes)) return dropped(Drop::window_exceeded);
  if (old < 0) return hold_ahead(s, f, w);
  const Bytes fresh(seg.payload + old, seg.payload_bytes - static_cast<std::uint32_t>(old));
  if (!collect(s, f, fresh)) return dropped(Drop::handshake_full);
  f.up.ahead.drop_before(s.r.held, f.up.cipher_next);
  const auto is_listening = [&f] { return f.state == FlowState::handshake || f.state == FlowState::passing; };
  while (is_listening() && !f.up.ahead.empty() && f.up.ahead.front(s.r.held).begin == f.up.cipher_next) {
    const splice::Held held = f.up.ahead.pop_front(s.r.held);
    const bool is_taken = collect(s, f, {held.data, held.bytes});
    s.r.chunks.put(held.chunk);
    if (!is_taken) break;
    f.up.ahead.drop_before(s.r.held, f.up.cipher_next);
  }
  if (Handshake* h = handshake_of(s, f)) post_records(s, f, *h);
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
  if (is_half_open(f)) {  // a port scan, a health check, or a client that changed its mind
    if (is_deferred(half_open_of(s, f))) return splice::reset_both(s.r, f, Reset::truncated);  // it does not like what it was given
    if (half_open_of(s, f).assembly.block != hello::kNoBlock) count_failure(s, f, HandshakeFailure::bad_record, 0, nullptr);
    return splice::reset_both(s.r, f, Reset::truncated);
  }
  handshake_of(s, f)->has_fin = true;  // not acknowledged yet: it stands behind bytes that are still being judged
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

// Proxy mode: TLS is up and no server is known yet. What it will be chosen by stays until then.
void expect_server(State& s, Flow& f, Handshake& h, const secure::Established& e) {
  h.is_connecting = true;
  h.server_name = e.server_name;
  h.protocol = e.protocol;
  f.expires = s.r.now + f.route->policy.handshake_timeout_ms * kMs;
}

void establish(State& s, Flow& f, secure::Reply& reply) {
  install(f, *reply.established);
  f.state = FlowState::established;
  f.way_changed_ms = static_cast<std::uint32_t>(s.r.now.us / kMs);
  s.timers.disarm(f.index);
  f.last_active = s.r.now;
  f.down.edge_shown = f.down.plain_next;
  count_established(s, f, *reply.established);
  s.known.insert(f.client.address, s.r.now);
  const bool is_introduced = introduce(s, f, *reply.established);
  Handshake* h = handshake_of(s, f);
  const bool has_fin = h->has_fin;
  const std::size_t used = used_input(*h, reply);
  const std::vector<std::uint8_t> input = std::move(h->input);
  if (f.link == splice::ServerLink::up) drop_handshake(s, f);
  else if (!reads_requests(s, f, *reply.established)) expect_server(s, f, *h, *reply.established);
  else if (!start_layer7(s, f, *reply.established)) return splice::reset_both(s.r, f, Reset::handshake_failed);
  if (!is_introduced) return splice::reset_both(s.r, f, Reset::handshake_failed);
  splice::take_early_ciphertext(s.r, f, Bytes(input).subspan(used));
  if (f.state != FlowState::established) return;
  splice::take_held_ciphertext(s.r, f);
  if (f.state == FlowState::established && has_fin) splice::take_client_fin(s.r, f);
  if (f.state != FlowState::established) return;
  if (f.link != splice::ServerLink::up) {
    splice::go_on(s.r, f);
    if (f.exchange != nullptr) advance(s, f);
    else if (f.state == FlowState::established) connect(s, f);
    return;
  }
  splice::owe_ack_to_server(s.r, f);  // opens the window
  splice::go_on(s.r, f);
}

}  // namespace

// Servers' failures are counted where their clients' are, under names of their own; `client` is then the server.
void count_failure(State& half, const Flow& f, HandshakeFailure failure, std::uint8_t alert, const std::string* text) noexcept {
  State& s = half.half == Half::far ? *half.other : half;
  s.counters.add_handshake_failure(static_cast<std::size_t>(failure));
  const std::uint32_t service = f.route->service_id;
  if (service < s.failures.size() && s.failures[service] != nullptr) {
    FailureSample sample{.at = s.r.now, .client = f.client.address, .client_port = f.client.port, .reason = failure, .alert = alert};
    name_client(half, f, sample);
    if (text != nullptr) sample.detail.assign(*text);
    s.failures[service]->add(sample);
  }
  FlowEvent event;
  event.kind = FlowEvent::Kind::handshake_failed;
  event.reset = Reset::handshake_failed;
  event.failure = failure;
  event.alert = alert;
  event.text = text;
  tell(s, f, event);
}

std::unique_ptr<secure::Request> make_request(const State& s, const Flow& f, secure::Request::Kind kind) {
  auto request = std::make_unique<secure::Request>();
  request->kind = kind;
  request->token = {s.half == Half::far ? f.index | kFarToken : f.index, f.generation};
  request->service = f.route->service_id;
  request->deadline = f.expires;
  request->client = f.client.address;
  return request;
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

std::size_t used_input(const Handshake& h, const secure::Reply& reply) noexcept {
  return std::min<std::size_t>(reply.consumed_bytes - std::min(reply.consumed_bytes, h.hello_bytes), h.input.size());
}

Handshake* take_handshake(State& s, Flow& f) {
  Handshake* h = s.handshakes.take();
  if (h == nullptr) return nullptr;
  h->input.clear();
  h->hello_bytes = h->posted_bytes = 0;
  h->has_fin = h->is_connecting = false;
  h->server_name.clear();
  h->protocol.clear();
  h->tried_count = h->syns = 0;
  h->pool = 0;
  if (s.free_handshakes.empty()) {
    s.free_handshakes.push_back(static_cast<std::uint32_t>(s.under_way.size()));
    s.under_way.push_back(nullptr);
  }
  f.handshake = s.free_handshakes.back();
  s.free_handshakes.pop_back();
  s.under_way[f.handshake] = h;
  return h;
}

void record_hello(Bytes hello, std::vector<std::uint8_t>& out) {
  out.reserve(hello.size() + record::kHeaderBytes);
  for (Bytes rest = hello; !rest.empty(); rest = rest.subspan(std::min(rest.size(), record::kMaxFragmentBytes))) {
    const Bytes fragment = rest.first(std::min(rest.size(), record::kMaxFragmentBytes));
    std::uint8_t header[record::kHeaderBytes] = {static_cast<std::uint8_t>(record::ContentType::handshake), 3, 1};
    store_be16(header + 3, static_cast<std::uint16_t>(fragment.size()));
    out.insert(out.end(), header, header + sizeof header);
    out.insert(out.end(), fragment.begin(), fragment.end());
  }
}

bool await_server(State& s, Flow& f, std::string_view server_name) {
  Handshake* h = take_handshake(s, f);
  if (h == nullptr) return false;
  h->is_connecting = true;
  h->server_name = server_name;
  return true;
}

Handshake* handshake_of(State& s, const Flow& f) noexcept {
  return f.handshake == kNobody || is_half_open(f) ? nullptr : s.under_way[f.handshake];
}

void drop_handshake(State& s, Flow& f) noexcept {
  Handshake* h = handshake_of(s, f);
  if (h == nullptr) return;
  std::vector<std::uint8_t>().swap(h->input);  // what it held may have been large, and secret
  s.handshakes.put(h);
  s.under_way[f.handshake] = nullptr;
  s.free_handshakes.push_back(f.handshake);
  f.handshake = kNobody;
}

// A client that is refused gets its alert, and time to fetch it, as long as there is plenty of room for such politeness.
void refuse_handshake(State& s, Flow& f, HandshakeFailure failure, std::uint8_t alert) noexcept {
  count_failure(s, f, failure, alert, nullptr);
  const bool has_room = !is_half_open(f) || s.flows.live() - s.awake.size() < s.max_flows / 2 + 1;
  if (alert == 0 || !has_room) return splice::reset_both(s.r, f, Reset::handshake_failed);
  splice::fail(s.r, f, Reset::handshake_failed, static_cast<record::Alert>(alert));
}

void end_by_alert(State& s, Flow& f, std::uint8_t alert) noexcept {
  count_failure(s, f, HandshakeFailure::client_alert, alert, nullptr);
  splice::reset_both(s.r, f, Reset::handshake_failed);
}

// The hello goes as records of its own: whatever the client's cut was, the processor sees one message from the start.
bool start_handshake(State& s, Flow& f, Bytes hello, hello::Turn turn) noexcept {
  if (!has_room_for_flow(s)) return refuse_handshake(s, f, HandshakeFailure::overload, number(record::Alert::internal_error)), false;
  auto request = make_request(s, f, kind_of(turn));
  record_hello(hello, request->bytes);
  std::vector<std::uint8_t> rest;
  if (turn == hello::Turn::reply) add_deferral(s, f, *request, rest);
  const auto parsed = hello::parse_client_hello(hello);  // it was sound before; here for its name, should it fail
  std::string server_name(parsed ? parsed->server_name : std::string_view{});
  promote(s, f);
  Handshake* h = take_handshake(s, f);
  if (h == nullptr) return refuse_handshake(s, f, HandshakeFailure::overload, number(record::Alert::internal_error)), false;
  f.expires = s.r.now + f.route->policy.handshake_timeout_ms * kMs;
  request->deadline = f.expires;
  h->hello_bytes = static_cast<std::uint32_t>(request->bytes.size());
  h->input = std::move(rest);
  h->server_name = std::move(server_name);
  return post(s, f, std::move(request));
}

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
  if (is_half_open(f)) go_on_with_flight(s, f, seg);
  splice::send_local(s.r, f);
  splice::arm(s.r, f);
  return v;
}

bool has_memory_for(State& s, const secure::Reply& reply) noexcept {
  const std::uint32_t flow = reply.token.flow & ~kFarToken;
  if (reply.kind != secure::Reply::Kind::established || flow >= s.flows.used()) return true;
  const Flow& f = s.flows.at(flow);
  const Handshake* h = f.generation == reply.token.generation ? handshake_of(s, f) : nullptr;
  if (h == nullptr) return true;
  const std::size_t early = h->input.size() - used_input(*h, reply);
  return s.r.chunks.free_chunks() >= early / port::kChunkBytes + 4;  // the flight itself, and an acknowledgement to each side
}

void take_reply(State& s, secure::Reply& reply) noexcept {
  const std::uint32_t flow = reply.token.flow & ~kFarToken;
  const Half half = flow == reply.token.flow ? Half::near : Half::far;
  if (half != s.half || flow >= s.flows.used()) return;
  Flow& f = s.flows.at(flow);
  if (f.generation != reply.token.generation || f.state != FlowState::handshake || handshake_of(s, f) == nullptr) return;
  if (reply.kind == secure::Reply::Kind::failed && half == Half::far) {
    fail_far(s, f, reply);
  } else if (reply.kind == secure::Reply::Kind::failed) {
    count_failure(s, f, reply.failure, reply.alert, &reply.detail);
    drop_handshake(s, f);
    splice::fail_handshake(s.r, f, Reset::handshake_failed, std::move(reply.bytes));
  } else {
    if (!reply.bytes.empty() && !splice::append_local(s.r, f, std::move(reply.bytes), splice::Ending::none)) {
      splice::reset_both(s.r, f, Reset::handshake_failed);
    } else if (reply.kind == secure::Reply::Kind::established) {
      splice::send_local(s.r, f);
      half == Half::far ? establish_far(s, f, reply) : establish(s, f, reply);
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
  if (!h->is_connecting) (void)s.secure.post(make_request(s, f, secure::Request::Kind::cancel));  // a full queue: the processor's own deadline frees it
  drop_handshake(s, f);
}

}  // namespace cutwater::path
