// TLS to servers. A flow whose servers speak TLS (`near`) sends them nothing on the wire: what it has for its server goes, as the
// packets it would have sent, to a second flow of ours (`far`), whose plaintext side is the near flow and whose TLS side is the
// server. It is a splice turned round: what the splice calls a client is the server here, and what it calls a server is the near
// flow. So opening, sealing, custody, resending, windows, marks and ends are the code of every other flow, and nothing that a
// server has not authenticated reaches a client (I4).
//
//   client ──TLS──▶ [ near: open ] ──plain, in memory──▶ [ far: seal ] ──TLS──▶ server
//
// A near flow calls its server by SYN as ever. The far flow answers when it has connected, shaken hands and believed the server's
// certificate; else with RST, and another server is asked.
// Not here: the handshake (secure/server_context.hpp), which server (place.cpp, connect.cpp). Implements: A9, A16; I1-I6.
#include <algorithm>

#include "path/owner.hpp"
#include "path/state.hpp"
#include "path/syn_options.hpp"
#include "splice/close.hpp"
#include "splice/custody.hpp"
#include "splice/emit.hpp"
#include "splice/seal.hpp"
#include "splice/translate.hpp"
#include "splice/up.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::FlowState;
using splice::ServerLink;

constexpr std::uint64_t kMs = 1000;
constexpr std::uint64_t kFirstSynUs = 1'000'000;  // RFC 6298 2.1, doubled each time
constexpr std::uint8_t kOwnWindowShift = 6;       // as a client is shown (accept.cpp)
constexpr std::uint16_t kOwnSynWindow = 65'535;
constexpr std::uint32_t kIdleAfterMs = 2000;      // the near flow ends first, for its own reason
constexpr int kMaxExchanges = 64;                 // a turn: what one half says to the other is answered so often, then ports come first

// The near flow of a call: what it is called for is written there.
Flow* caller_of(State& far, const wire::Segment& syn) noexcept {
  wire::Segment answer;
  answer.source = syn.destination;
  answer.source_port = syn.destination_port;
  answer.destination = syn.source;
  answer.destination_port = syn.source_port;
  return find(*far.other, Side::server, answer);
}

// The far flow's own way: towards the server it is the near flow's client, or an address of the pool; the other way the server.
splice::Route route_of(const Flow& near, const wire::Segment& syn) noexcept {
  splice::Route route = *near.route;
  route.kind = splice::Route::Kind::through;
  route.service = route.server = {syn.source, syn.source_port};
  route.has_pool = false;
  route.tally = nullptr;
  route.policy.handling = splice::Handling::open;
  route.policy.truncation = near.route->policy.server_truncation;
  route.policy.release = splice::Release::whole_record;
  route.policy.introduction = splice::Introduction::none;
  route.policy.custody_congestion = splice::CongestionControl::cubic;  // of the way to the near flow, on which nothing is lost
  route.policy.idle_timeout_ms += kIdleAfterMs;
  route.policy.speech = splice::ServerSpeech::clear;
  route.policy.peer = record::Writer::server;
  return route;
}

void learn_caller(Flow& f, const Flow& near, const wire::Segment& syn) noexcept {
  f.client = {syn.destination, syn.destination_port};
  f.client_mac = near.route->server_mac;
  f.source_port = syn.destination_port;
  const bool has_stamps = syn.options.has_timestamps;
  f.option_flags = static_cast<std::uint16_t>((has_stamps ? Flow::kServerTimestamps : 0) | (syn.options.has_sack_permitted ? Flow::kServerSack : 0));
  f.server_tcp.mss = std::max(static_cast<std::uint16_t>(syn.options.mss - (has_stamps ? kTimestampBytes : 0)), kMinMss);
  f.server_tcp.window_shift = static_cast<std::uint8_t>(std::max<int>(syn.options.window_scale, 0));
  f.server_tcp.ttl = syn.ttl;
  f.server_tcp.ts_value = f.down.ts_recent = syn.options.ts_value;
  f.down.plain_next = f.down.first_plain = f.down.ack_shown = f.down.edge_shown = syn.seq + 1U;
  f.down.cipher_next = f.down.cipher_una = f.down.client_edge = syn.seq + 1U;  // towards the server the near flow's numbers, as it would have sent them
  f.up.plain_next = f.up.first_plain = f.up.plain_una = syn.seq + 1U;  // any will do: no wire sees them
  f.up.server_edge = f.up.plain_next;  // its SYN promises more than its client may take: what holds comes with its acknowledgement
}

void call_server(State& s, Flow& f) noexcept {
  const bool is_v4 = f.client.address.is_v4();
  wire::Header h;
  splice::address_to_client(s.r, f, h);
  h.seq = f.down.cipher_next - 1U;
  h.ack = {};
  h.window = kOwnSynWindow;
  h.flags = wire::kSyn;
  h.traffic_class = 0;
  h.options.mss = link_mss(s.r.client_link, is_v4);
  h.options.window_scale = kOwnWindowShift;
  h.options.has_sack_permitted = f.has(Flow::kServerSack);
  h.options.has_timestamps = f.has(Flow::kServerTimestamps);
  h.options.ts_value = f.server_tcp.ts_value;
  s.counters.add(Count::connects_sent);
  if (const Verdict v = send_bare(s, h, s.r.to_client); v.action == Action::drop) s.counters.add(v.reason);
}

// What the near flow gets for its SYN.
void answer_caller(State& s, const Flow& f, wire::Header& h) noexcept {
  splice::address_to_server(s.r, f, h);
  h.ack = f.down.plain_next;
  h.traffic_class = 0;
  if (const Verdict v = send_bare(s, h, s.r.to_server); v.action == Action::drop) s.counters.add(v.reason);
}

void refuse_caller(State& s, Flow& f, std::uint16_t why) noexcept {
  wire::Header h;
  h.seq = f.up.plain_next;
  h.window = why;
  h.flags = wire::kRst | wire::kAck;
  answer_caller(s, f, h);
  f.link = ServerLink::none;  // nobody waits any more
}

void accept_caller(State& s, Flow& f) noexcept {
  const auto overhead = static_cast<int>(f.suite->overhead_bytes());
  const int room = f.client_tcp.mss + (f.has(Flow::kServerTimestamps) ? kTimestampBytes : 0) - overhead;
  wire::Header h;
  h.seq = f.up.first_plain - 1U;
  h.window = static_cast<std::uint16_t>(std::clamp<std::int32_t>(splice::edge_for_server(s.r, f) - f.down.plain_next, 0, 0xffff));
  h.flags = wire::kSyn | wire::kAck;
  h.options.mss = static_cast<std::uint16_t>(std::max<int>(room, kMinMss));
  h.options.window_scale = static_cast<std::int8_t>(f.down.shift_shown);
  h.options.has_sack_permitted = f.has(Flow::kServerSack);
  h.options.has_timestamps = f.has(Flow::kServerTimestamps);
  h.options.ts_value = f.client_tcp.ts_value;
  h.options.ts_echo = f.server_tcp.ts_value;
  answer_caller(s, f, h);
}

// What only one end offered is off for both: each must see what the other really said. SACK is each side's own affair.
void learn_server(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_v4 = seg.source.is_v4();
  const bool has_stamps = f.has(Flow::kServerTimestamps) && seg.options.has_timestamps;
  f.note(Flow::kServerTimestamps, has_stamps);
  f.note(Flow::kClientTimestamps, has_stamps);
  f.note(Flow::kClientSack, f.has(Flow::kServerSack) && seg.options.has_sack_permitted);
  f.client_mac = seg.source_mac;
  const std::uint16_t mss = std::max(std::min(offered_mss(seg.options, is_v4), link_mss(s.r.client_link, is_v4)), kMinMss);
  f.client_tcp.mss = static_cast<std::uint16_t>(mss - (has_stamps ? kTimestampBytes : 0));
  f.client_tcp.window_shift = static_cast<std::uint8_t>(std::max<int>(seg.options.window_scale, 0));
  f.client_tcp.ttl = static_cast<std::uint8_t>(seg.ttl > 1 ? seg.ttl - 1 : 1);
  f.client_tcp.ts_value = f.up.ts_recent = seg.options.ts_value;
  f.up.shift_shown = seg.options.window_scale >= 0 ? kOwnWindowShift : std::uint8_t{0};
  f.down.shift_shown = f.client_tcp.window_shift;
  f.up.cipher_next = f.up.ack_shown = seg.seq + 1U;
  f.up.edge_shown = f.up.cipher_next + kOwnSynWindow;
  f.down.client_edge = f.down.cipher_next + seg.window;
  f.client_rtt_us = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(s.r.now - f.last_active, 1, splice::Rto::kMaxUs));
}

// The application protocol that the client has agreed on with us: the server has to speak the same.
std::string protocol_of(State& far, const Flow& f) {
  wire::Segment answer;
  answer.source = f.client.address;
  answer.source_port = f.client.port;
  answer.destination = f.route->server.address;
  answer.destination_port = f.route->server.port;
  Flow* near = find(*far.other, Side::server, answer);
  if (near == nullptr) return {};
  if (near->exchange != nullptr) return layer7_of(*near).protocol.empty() ? "http/1.1" : layer7_of(*near).protocol;
  const Handshake* h = handshake_of(*far.other, *near);
  return h == nullptr ? std::string{} : h->protocol;
}

void shake_hands(State& s, Flow& f) noexcept {
  f.state = FlowState::handshake;
  f.last_active = s.r.now;
  f.expires = s.r.now + f.route->policy.handshake_timeout_ms * kMs;
  s.timers.disarm(f.index);
  splice::arm(s.r, f);
  splice::owe_ack_to_client(s.r, f);
  if (take_handshake(s, f) == nullptr) {
    s.counters.add(Drop::handshake_full);
    return splice::reset_both(s.r, f, Reset::handshake_failed);
  }
  auto request = make_request(s, f, secure::Request::Kind::call);
  request->protocol = protocol_of(s, f);
  if (s.secure.post(std::move(request))) return;
  count_failure(s, f, secure::HandshakeFailure::overload, 0, nullptr);
  splice::reset_both(s.r, f, Reset::handshake_failed);
}

Flow* open_flow(State& s, const Flow& near, const wire::Segment& syn) noexcept {
  splice::Route* route = s.own_routes.take();
  Flow* f = route == nullptr ? nullptr : s.flows.take();
  if (f == nullptr) {
    if (route != nullptr) s.own_routes.put(route);
    return nullptr;
  }
  *route = route_of(near, syn);
  f->route = route;
  learn_caller(*f, near, syn);
  (void)enlist_client(s, *f);  // the table has two places for each flow
  (void)enlist_server(s, *f);
  f->state = FlowState::syn_sent;
  f->link = ServerLink::asked;
  f->opened_ms = static_cast<std::uint32_t>(s.r.now.us / kMs);
  f->last_active = s.r.now;
  f->expires = s.r.now + kFirstSynUs;
  splice::arm(s.r, *f);
  s.counters.add(Count::flows_opened);
  return f;
}

// A SYN for a flow that is there: the near flow asks again, or it is another one, of a client that came back with its old port.
bool makes_room(State& s, Flow& f) noexcept {
  const bool is_over = f.state == FlowState::lingering || f.state == FlowState::draining;
  if (!is_over) return false;
  splice::release(s.r, f);
  forget(s, f);
  return true;
}

}  // namespace

// ---- Packets of the near half

Verdict take_call(State& s, Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  const bool is_opening = seg.has(wire::kSyn) && !seg.has(wire::kAck);
  if (!is_opening) return w.flow == nullptr ? refuse(s, Side::server, w) : dropped(Drop::bad_flags);
  if (w.flow != nullptr && !makes_room(s, *w.flow)) {
    Flow& f = *w.flow;
    if (f.link == ServerLink::asked) return kConsume;  // an answer will come
    const bool has_lost_answer = f.state == FlowState::established && seg.seq + 1U == f.down.plain_next;
    if (has_lost_answer) accept_caller(s, f);
    else splice::owe_ack_to_server(s.r, f);
    return kConsume;
  }
  w.flow = nullptr;
  const Flow* near = caller_of(s, seg);
  if (near == nullptr) return refuse(s, Side::server, w);
  w.flow = open_flow(s, *near, seg);
  if (w.flow == nullptr) {
    s.counters.add(Drop::flow_table_full);
    return refuse(s, Side::server, w);
  }
  w.generation = w.flow->generation;
  call_server(s, *w.flow);
  return kConsume;
}

// ---- Packets of the server

Verdict take_called(State& s, Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  if (w.flow == nullptr) return refuse(s, Side::client, w);
  Flow& f = *w.flow;
  if (f.state != FlowState::syn_sent) {  // its answer once more: ours was lost
    splice::owe_ack_to_client(s.r, f);
    return dropped(Drop::bad_flags);
  }
  if (!seg.has(wire::kAck)) return dropped(Drop::bad_flags);
  if (seg.ack != f.down.cipher_next) return refuse(s, Side::client, w);  // it remembers another connection: RFC 9293 3.10.7.3
  if (seg.has(wire::kRst)) {
    refuse_caller(s, f, 0);
    s.counters.add(f.reset_reason = Reset::server_refused);
    splice::release(s.r, f);
    return kConsume;
  }
  if (!seg.has(wire::kSyn)) return dropped(Drop::bad_flags);
  learn_server(s, f, seg);
  shake_hands(s, f);
  return kConsume;
}

// ---- The handshake

void establish_far(State& s, Flow& f, secure::Reply& reply) noexcept {
  Handshake* h = handshake_of(s, f);
  const bool has_fin = h->has_fin;
  const std::size_t used = used_input(*h, reply);
  const std::vector<std::uint8_t> input = std::move(h->input);
  drop_handshake(s, f);
  install(f, *reply.established);
  f.state = FlowState::established;
  f.way_changed_ms = static_cast<std::uint32_t>(s.r.now.us / kMs);
  f.last_active = s.r.now;
  s.timers.disarm(f.index);
  s.counters.add(Count::flows_established);
  if (reply.established->is_resumed) s.counters.add(Count::flows_resumed);
  s.counters.add(f.suite->version == record::Version::tls13 ? Count::tls13_established : Count::tls12_established);
  splice::take_early_ciphertext(s.r, f, Bytes(input).subspan(used));
  if (f.state != FlowState::established) return;
  splice::take_held_ciphertext(s.r, f);
  if (f.state == FlowState::established && has_fin) splice::take_client_fin(s.r, f);
  if (f.state != FlowState::established) return;
  accept_caller(s, f);
  f.link = ServerLink::up;
  if (f.custody != nullptr) f.custody->control.start(f.custody->queue.begin(), f.server_tcp.mss, f.up.server_edge, f.has(Flow::kServerSack),
                                                   f.route->policy.custody_congestion);
  splice::arm(s.r, f);
  splice::owe_ack_to_client(s.r, f);
  splice::go_on(s.r, f);
}

void fail_far(State& s, Flow& f, secure::Reply& reply) noexcept {
  count_failure(s, f, reply.failure, reply.alert, &reply.detail);
  drop_handshake(s, f);
  refuse_caller(s, f, kRefusedByTls);
  splice::fail_handshake(s.r, f, Reset::handshake_failed, std::move(reply.bytes));
}

// The near flow has its own patience with servers: until that ends the SYN is sent again.
void on_far_timer(State& s, Flow& f) noexcept {
  if (f.expires <= s.r.now) {
    f.expires = s.r.now + (s.r.now - f.last_active) * 2;
    call_server(s, f);
  }
  splice::arm(s.r, f);
}

void forget_far(State& s, Flow& f) noexcept {
  auto* route = const_cast<splice::Route*>(f.route);  // its own
  s.table.erase(client_hash(s, f), f.index);
  s.table.erase(server_hash(s, f), f.index);
  cancel_handshake(s, f);
  if ((f.owed_acks & Flow::kListed) != 0) std::erase(s.r.owing, &f);
  s.flows.put(f);
  s.own_routes.put(route);
}

// ---- Between the halves

void Path::Impl::open_far() {
  if (far == nullptr) {
    PathConfig own = config;
    own.max_half_open = 64;  // the far half has none
    own.blocks = {.answers = 1, .hellos = 1, .long_hellos = 1};
    far = std::make_unique<State>(own, pool, state.secure, far_counters);
    far->half = Half::far;
    far->other = &state;
    state.other = far.get();
    room.reserve(4096);
  }
  far->r.client_link = far->r.server_link = state.r.server_link;
}

void Path::Impl::run_from_servers(std::span<port::Packet> burst) noexcept {
  far->r.now = state.r.now;
  Tuple before;  // packets come in rows: the next one is most often of the same flow
  bool was_far = false;
  const auto is_far = [&](const port::Packet& packet) {
    Tuple t;
    if (!peek(packet.view(), t)) return false;
    if (t == before) return was_far;
    before = t;
    wire::Segment as;
    as.source = t.source, as.source_port = t.source_port;
    as.destination = t.destination, as.destination_port = t.destination_port;
    return was_far = find(*far, Side::client, as) != nullptr;
  };
  while (!burst.empty()) {
    const bool is_of_far = is_far(burst.front());
    std::size_t n = 1;
    while (n < burst.size() && is_far(burst[n]) == is_of_far) ++n;
    if (is_of_far) run_half(*far, Side::client, burst.first(n));
    else run_half(state, Side::server, burst.first(n));
    burst = burst.subspan(n);
  }
}

namespace {

// Runs what one half has for the other. Returns: whether there was anything.
bool carry(splice::Outbox& from, State& to, std::vector<port::Packet>& room) noexcept {
  if (from.packets().empty()) return false;
  room.assign(from.packets().begin(), from.packets().end());
  from.clear();
  to.is_inward = true;
  run_half(to, Side::server, room);
  to.is_inward = false;
  return true;
}

}  // namespace

void Path::Impl::exchange() noexcept {
  far->r.now = state.r.now;
  splice::settle_acks(far->r);
  is_unfinished = true;
  for (int i = 0; i < kMaxExchanges && is_unfinished; ++i) {
    const bool has_called = carry(state.r.to_far, *far, room);
    is_unfinished = carry(far->r.to_server, state, room) || has_called;
  }
  for (const port::Packet& packet : far->r.to_client.packets()) {
    if (!state.r.to_server.push(packet)) state.counters.add(Drop::tx_full);
  }
  far->r.to_client.clear();
}

}  // namespace cutwater::path
