#include "path/layer7.hpp"

#include <arpa/inet.h>

#include <algorithm>

#include "http/forwarded.hpp"
#include "path/state.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"
#include "splice/seal.hpp"
#include "splice/up.hpp"

namespace cutwater::path {
namespace {

using http::HttpError;
using http::RequestGate;
using http::ResponseTracker;
using splice::Flow;
using splice::FlowState;
using splice::ServerLink;

constexpr std::uint64_t kMs = 1000;
constexpr std::uint8_t kMaxRetries = 1;  // a server that ended while the request was on its way to it: the next one is alive
constexpr std::uint16_t kServerOptions = Flow::kServerTimestamps | Flow::kServerSack;

/// How a server hears that we are done with its connection.
enum class Farewell : std::uint8_t { fin, reset, none /* it has reset it itself */ };

Listener* listener_of(State& s, const Flow& f) noexcept {
  return s.route_sets.back().find(f.route->service.address, f.route->service.port);
}

Count count_of(HttpError error) noexcept {
  switch (error) {
    case HttpError::bad_target: return Count::request_bad_target;
    case HttpError::bad_field: return Count::request_bad_field;
    case HttpError::folded: return Count::request_folded;
    case HttpError::bare_line_end: return Count::request_bare_line_end;
    case HttpError::host_missing: return Count::request_host_missing;
    case HttpError::host_repeated: return Count::request_host_repeated;
    case HttpError::bad_length: return Count::request_bad_length;
    case HttpError::length_and_coding: return Count::request_length_and_coding;
    case HttpError::bad_coding: return Count::request_bad_coding;
    case HttpError::bad_chunk: return Count::request_bad_chunk;
    case HttpError::head_too_long: return Count::request_head_too_long;
    case HttpError::bad_line:
    case HttpError::not_asked_for:
    case HttpError::none:
    case HttpError::count_: break;
  }
  return Count::request_bad_line;
}

void answer(State& s, Flow& f, Reset reason, std::string_view status) noexcept {
  std::string text = "HTTP/1.1 ";
  text.append(status).append("\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  splice::end_with_answer(s.r, f, reason, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// Records of the server's that the client has not acknowledged: only that server can send them again.
bool has_unacknowledged(State& s, const Flow& f) noexcept {
  bool has_any = false;
  f.down.spans.each(s.r.spans, [&](const splice::Span& span) { return !(has_any = span.plain_bytes != 0); });
  return has_any || !f.down.ahead.empty();
}

// Nothing is under way to the server or from it: another may take its place, and the request in front may still be changed.
bool is_settled(State& s, const Flow& f) noexcept {
  const bool is_all_taken = f.up.spans.empty() && f.custody->queue.begin() == f.exchange->allowed();
  return is_all_taken && !has_unacknowledged(s, f);
}

// ---- Legs

void stand_at_door(State& s, Flow& f, const Listener& listener) noexcept {
  RouteSet& set = s.route_sets.back();
  f.route = &set.routes[listener.door];
  ++set.flows;
  f.has_session = false;
  f.link = ServerLink::none;
}

Leg leg_of_server(const Flow& f) noexcept {
  return {.route = f.route, .source_port = f.source_port, .has_session = f.has_session, .is_closing = false,
          .up_next = splice::next_to_server(f), .up_first = f.up.first_plain, .server_edge = f.up.server_edge,
          .down_next = f.down.plain_next, .down_first = f.down.first_plain, .ack_shown = f.down.ack_shown, .edge_shown = f.down.edge_shown,
          .stamp_offset = f.down.stamp_offset, .ts_recent = f.down.ts_recent, .option_flags = static_cast<std::uint16_t>(f.option_flags & kServerOptions),
          .shift_shown = f.down.shift_shown, .server_tcp = f.server_tcp};
}

void use_leg(Flow& f, const Leg& leg) noexcept {
  f.route = leg.route;
  f.source_port = leg.source_port;
  f.has_session = leg.has_session;
  f.up.first_plain = leg.up_first;
  f.up.server_edge = leg.server_edge;
  f.down.plain_next = leg.down_next;
  f.down.first_plain = leg.down_first;
  f.down.ack_shown = leg.ack_shown;
  f.down.edge_shown = leg.edge_shown;
  f.down.stamp_offset = leg.stamp_offset;
  f.down.ts_recent = leg.ts_recent;
  f.down.shift_shown = leg.shift_shown;
  f.server_tcp = leg.server_tcp;
  f.option_flags = static_cast<std::uint16_t>((f.option_flags & ~kServerOptions) | leg.option_flags);
}

void send_on_leg(State& s, const Flow& f, const Leg& leg, std::uint8_t flags) noexcept {
  const splice::Route& route = *leg.route;
  wire::Header h{.source_mac = s.r.server_link.mac,
                 .destination_mac = route.server_mac,
                 .vlan = s.r.server_link.vlan,
                 .source = route.has_pool ? &route.pool : &f.client.address,
                 .destination = &route.server.address,
                 .source_port = leg.source_port,
                 .destination_port = route.server.port,
                 .seq = leg.up_next,
                 .ack = leg.down_next,
                 .window = 0xffff,
                 .flags = flags,
                 .ttl = f.client_tcp.ttl,
                 .traffic_class = 0,
                 .options = {}};
  if ((leg.option_flags & Flow::kServerTimestamps) != 0) {
    h.options.has_timestamps = true;
    h.options.ts_value = f.client_tcp.ts_value;
    h.options.ts_echo = leg.server_tcp.ts_value;
  }
  s.counters.add(Count::packets_to_servers);
  if (const Verdict v = send_bare(s, h, splice::outbox_to_server(s.r, route)); v.action == Action::drop) s.counters.add(v.reason);
}

// Gives a leg's place in the tables back, and its session. It is no part of the flow any more.
void let_go(State& s, Flow& f, const Leg& leg) noexcept {
  const Leg current = leg_of_server(f);
  use_leg(f, leg);
  leave_server(s, f);
  use_leg(f, current);
}

void take_out(Layer7& x, std::size_t at) noexcept {
  std::move(x.legs.begin() + static_cast<std::ptrdiff_t>(at) + 1, x.legs.begin() + x.leg_count, x.legs.begin() + static_cast<std::ptrdiff_t>(at));
  --x.leg_count;
}

void end_leg(State& s, Flow& f, std::size_t at, Farewell how) noexcept {
  Layer7& x = layer7_of(f);
  const Leg leg = x.legs[at];
  take_out(x, at);
  if (how == Farewell::fin) send_on_leg(s, f, leg, wire::kFin | wire::kAck);
  if (how == Farewell::reset) send_on_leg(s, f, leg, wire::kRst | wire::kAck);
  let_go(s, f, leg);
}

// Requires: is_settled().
void park(State& s, Flow& f, const Listener& listener) noexcept {
  Layer7& x = layer7_of(f);
  if (x.leg_count == Layer7::kMaxLegs) end_leg(s, f, 0, Farewell::fin);
  x.legs[x.leg_count++] = leg_of_server(f);
  stand_at_door(s, f, listener);
}

// The server's connection is over; its client stays. What was sent there and is still in custody can go to another.
void drop_server(State& s, Flow& f, Farewell how) noexcept {
  const Leg gone = leg_of_server(f);
  f.up.spans.clear(s.r.spans);
  f.up.pieces.clear(s.r.held);
  f.down.ahead.clear(s.r.held);
  f.down.pieces.clear(s.r.held);
  if (how != Farewell::none) send_on_leg(s, f, gone, static_cast<std::uint8_t>(wire::kAck | (how == Farewell::fin ? wire::kFin : wire::kRst)));
  const Listener* listener = listener_of(s, f);
  if (listener == nullptr) return splice::reset_both(s.r, f, Reset::service_removed);
  leave_server(s, f);
  stand_at_door(s, f, *listener);
  if (f.custody != nullptr) splice::renumber_up(f, f.custody->queue.begin());
  f.exchange->forget_server();
}

bool is_well(const splice::Route& route) noexcept { return route.tally->health() != balance::Health::down; }

// Back to a server of the pool that the flow has talked to before. Returns: false when there is none.
bool come_back(State& s, Flow& f, const ServerPool& pool) noexcept {
  Layer7& x = layer7_of(f);
  for (std::size_t i = 0; i < x.leg_count; ++i) {
    const Leg leg = x.legs[i];
    const bool is_in_pool = std::any_of(pool.servers->members().begin(), pool.servers->members().end(), [&](const balance::Member& m) {
      return m.port == leg.route->server.port && m.address == leg.route->server.address;
    });
    if (leg.is_closing || !is_in_pool || !is_well(*leg.route)) continue;
    take_out(x, i);
    const std::uint32_t shown = f.server_tcp.ts_value + f.down.stamp_offset;  // of the server before: ours may not look older (PAWS)
    leave_server(s, f);                                                      // the door
    use_leg(f, leg);
    if (static_cast<std::int32_t>(shown - (f.server_tcp.ts_value + f.down.stamp_offset)) > 0) f.down.stamp_offset = shown - f.server_tcp.ts_value;
    f.link = ServerLink::up;
    f.down.spans.each(s.r.spans, [&](splice::Span& span) { return span.plain_begin = f.down.plain_next, true; });
    splice::renumber_up(f, leg.up_next);
    s.counters.add(Count::legs_reused);
    return true;
  }
  return false;
}

// ---- Requests

void read_on(State& s, Flow& f) noexcept {
  http::Exchange& x = *f.exchange;
  if (f.custody == nullptr) return;
  const splice::Custody& custody = *f.custody;
  while (x.read() != custody.ready) {
    const Bytes view = custody.queue.view(s.r.chunks, x.read());
    const auto left = static_cast<std::size_t>(custody.ready - x.read());
    if (x.read_on(view.first(std::min(view.size(), left))) == 0) break;
    const RequestGate::State state = x.gate().state();
    if (state == RequestGate::State::body || state == RequestGate::State::complete || state == RequestGate::State::tunnel) x.allow();
  }
}

std::string_view client_text(const Flow& f, std::array<char, INET6_ADDRSTRLEN>& space) noexcept {
  const bool is_v4 = f.client.address.is_v4();
  const void* bytes = is_v4 ? f.client.address.bytes.data() + 12 : f.client.address.bytes.data();
  const char* text = inet_ntop(is_v4 ? AF_INET : AF_INET6, bytes, space.data(), static_cast<socklen_t>(space.size()));
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// Requires: is_settled(). Returns: false when there is no room.
bool tell_of_client(State& s, Flow& f) {
  const RequestGate& gate = f.exchange->gate();
  std::array<char, INET6_ADDRSTRLEN> space{};
  const auto head = http::with_forwarded(gate.text(), gate.head(), client_text(f, space));
  return splice::replace_front(s.r, f, static_cast<std::uint32_t>(gate.text().size()), head);
}

void ask(State& s, Flow& f, std::uint32_t pool) noexcept {
  Layer7& x = layer7_of(f);
  x.pool = pool;
  x.retries = 0;
  x.ask(x.allowed());
  ++x.requests;
  s.counters.add(Count::requests_passed);
  if (f.link == ServerLink::none) connect_for_request(s, f, pool);
  if (f.link == ServerLink::none) return;  // it has ended
  if (x.requests > 1 && !(x.last_server == f.route->server)) s.counters.add(Count::requests_switched);
  x.last_server = f.route->server;
}

void refuse_unrouted(State& s, Flow& f, Reset reason, std::string_view status) noexcept {
  if (f.link == ServerLink::up) drop_server(s, f, Farewell::fin);
  answer(s, f, reason, status);
}

// A whole head is here. Returns: false when it has to wait for what is under way to settle.
bool decide(State& s, Flow& f) {
  Layer7& x = layer7_of(f);
  Listener* listener = listener_of(s, f);
  const auto pool = listener == nullptr ? std::nullopt : pool_for(*listener, x);
  if (!pool) {
    if (!is_settled(s, f)) return false;
    return refuse_unrouted(s, f, Reset::no_route, "404 Not Found"), true;
  }
  const bool stays = f.link == ServerLink::up && server_of(listener->pools[*pool], f) && is_well(*f.route);
  const bool is_changed = listener->service->http.is_forwarded;
  if (stays && !is_changed) return ask(s, f, *pool), true;
  if (!is_settled(s, f)) return false;
  if (!stays) {
    if (f.link == ServerLink::up) park(s, f, *listener);
    (void)come_back(s, f, listener->pools[*pool]);
  }
  if (is_changed && !tell_of_client(s, f)) return splice::reset_both(s.r, f, Reset::retries_exhausted), true;
  return ask(s, f, *pool), true;
}

void refuse_bad(State& s, Flow& f) noexcept {
  const http::Exchange& x = *f.exchange;
  if (x.is_asked() && x.has_answered()) return s.counters.add(count_of(x.gate().error())), splice::reset_both(s.r, f, Reset::bad_request);
  if (has_unacknowledged(s, f)) return;
  s.counters.add(count_of(x.gate().error()));
  if (f.link == ServerLink::up) drop_server(s, f, x.is_asked() ? Farewell::reset : Farewell::fin);
  answer(s, f, Reset::bad_request, x.gate().error() == HttpError::head_too_long ? "431 Request Header Fields Too Large" : "400 Bad Request");
}

bool is_idempotent(std::string_view method) noexcept {  // RFC 9110 9.2.2
  constexpr std::array<std::string_view, 6> kMethods{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::find(kMethods.begin(), kMethods.end(), method) != kMethods.end();
}

// The server that has the request will not answer it, and the client has heard nothing of it yet.
void lose_server(State& s, Flow& f, Reset reason, Farewell how) noexcept {
  Layer7& x = layer7_of(f);
  const bool is_whole_here = f.custody != nullptr && f.custody->queue.begin() == x.asked_from() && f.up.spans.empty();
  const bool may_retry = how != Farewell::reset && is_whole_here && is_idempotent(x.gate().head().method) && x.retries < kMaxRetries;
  drop_server(s, f, how);
  if (f.state != FlowState::established) return;
  if (!may_retry) return answer(s, f, reason, "502 Bad Gateway");
  ++x.retries;
  s.counters.add(Count::requests_retried);
  x.ask_again();
  connect_for_request(s, f, x.pool);
}

// What the server did that the client does not hear of. Returns: false when it has to wait.
bool settle_server(State& s, Flow& f) noexcept {
  const http::Exchange& x = *f.exchange;
  const bool is_broken = x.tracker().state() == ResponseTracker::State::broken;
  if (!is_broken && !x.has_kept_end()) return true;
  if (is_broken && x.has_answered()) return splice::reset_both(s.r, f, Reset::bad_response), true;
  if (has_unacknowledged(s, f) && !is_broken) return false;
  if (has_unacknowledged(s, f)) f.down.ahead.clear(s.r.held);
  if (has_unacknowledged(s, f)) return splice::reset_both(s.r, f, Reset::bad_response), true;
  if (!x.is_asked() || x.is_over()) return drop_server(s, f, is_broken ? Farewell::reset : Farewell::fin), true;
  lose_server(s, f, is_broken ? Reset::bad_response : Reset::server_lost, is_broken ? Farewell::reset : Farewell::fin);
  return true;
}

// The client has said its last: with a server the FIN goes there and comes back as the end; without one it is ours to answer.
void take_end(State& s, Flow& f) noexcept {
  http::Exchange& x = *f.exchange;
  if (f.up.end == splice::UpEnd::open || x.is_asked() || x.gate().state() != RequestGate::State::head) return;
  if (!x.gate().is_between()) {  // in the middle of a head
    if (has_unacknowledged(s, f)) return;
    s.counters.add(Count::request_bad_line);
    return refuse_unrouted(s, f, Reset::bad_request, "400 Bad Request");
  }
  x.note_client_done();
  if (f.link != ServerLink::none || f.up.fin == splice::FinState::acked) return;
  splice::release_custody(s.r, f);
  f.up.fin = splice::FinState::acked;
  splice::take_server_fin(s.r, f);
}

// One round of all that may be due. Returns: whether another may find more.
bool step(State& s, Flow& f) {
  Layer7& x = layer7_of(f);
  const SeqNum allowed = x.allowed();  // compared below only while the server is the same
  const ServerLink link = f.link;
  const std::uint32_t requests = x.requests;
  if (!settle_server(s, f) || f.state != FlowState::established) return false;
  if (x.is_over()) x.go_on();
  const bool is_tunnel = x.tracker().state() == ResponseTracker::State::tunnel && x.gate().state() == RequestGate::State::complete;
  if (is_tunnel) x.become_tunnel();
  read_on(s, f);
  if (x.gate().state() == RequestGate::State::decide && !decide(s, f)) return false;
  if (f.state != FlowState::established) return false;
  read_on(s, f);
  if (x.gate().state() == RequestGate::State::refused) return refuse_bad(s, f), false;
  take_end(s, f);
  if (f.state != FlowState::established) return false;
  if (x.requests != requests || x.allowed() != allowed || f.link != link || is_tunnel) splice::go_on(s.r, f);
  return x.is_over() || (x.has_kept_end() && f.link == ServerLink::up);
}

}  // namespace

bool reads_requests(State& s, const Flow& f, const secure::Established& e) noexcept {
  const Listener* listener = listener_of(s, f);
  return listener != nullptr && listener->is_proxy() && listener->service->http.is_read && (e.protocol.empty() || e.protocol == "http/1.1");
}

bool start_layer7(State& s, Flow& f, const secure::Established& e) {
  Layer7* x = s.layer7.take();
  const Listener* listener = listener_of(s, f);
  if (x == nullptr || listener == nullptr) {
    if (x != nullptr) s.layer7.put(x);
    return false;
  }
  x->start(f.up.plain_next, listener->service->http.max_head_bytes);
  x->server_name = e.server_name;
  x->protocol = e.protocol;
  x->leg_count = x->retries = 0;
  x->requests = x->pool = 0;
  f.exchange = x;
  f.expires = s.r.now + f.route->policy.handshake_timeout_ms * kMs;
  drop_handshake(s, f);
  return true;
}

void advance(State& s, Flow& f) noexcept {
  if (f.state != FlowState::established) return;
  while (step(s, f)) {}
  if (f.state != FlowState::established || f.link != ServerLink::none) return;
  if (layer7_of(f).requests != 0) f.expires = f.last_active + f.route->policy.idle_timeout_ms * kMs;
  splice::arm(s.r, f);
}

bool take_reset_between(State& s, Flow& f) noexcept {
  const http::Exchange& x = *f.exchange;
  const bool may_stay = f.state == FlowState::established && f.link == ServerLink::up && f.down.fin == splice::FinState::none && !x.has_answered() &&
                        x.gate().state() != RequestGate::State::tunnel && x.gate().state() != RequestGate::State::refused;
  if (!may_stay || has_unacknowledged(s, f)) return false;
  if (f.down.plain_next == f.down.first_plain) note_failure(s, f, balance::Failing::early_reset);
  if (x.is_asked()) lose_server(s, f, Reset::server_lost, Farewell::none);
  else drop_server(s, f, Farewell::none);
  advance(s, f);
  return true;
}

void answer_unserved(State& s, Flow& f, Reset reason, bool was_asked) noexcept {
  answer(s, f, reason, !was_asked ? "503 Service Unavailable" : reason == Reset::server_refused || reason == Reset::server_tls_failed ? "502 Bad Gateway" : "504 Gateway Timeout");
}

Leg* leg_of(Flow& f, const wire::Segment& seg) noexcept {
  Layer7& x = layer7_of(f);
  for (std::size_t i = 0; i < x.leg_count; ++i) {
    const Leg& leg = x.legs[i];
    const IpAddress& source = leg.route->has_pool ? leg.route->pool : f.client.address;
    if (leg.source_port == seg.destination_port && leg.route->server.port == seg.source_port && leg.route->server.address == seg.source &&
        source == seg.destination) {
      return &x.legs[i];
    }
  }
  return nullptr;
}

// Nothing is under way there, so there is nothing to say but good-bye.
void take_from_leg(State& s, Flow& f, Leg& leg, const wire::Segment& seg) noexcept {
  const auto at = static_cast<std::size_t>(&leg - layer7_of(f).legs.data());
  const bool is_next = seg.seq == leg.down_next;
  if (seg.has(wire::kRst)) {
    if (is_next) end_leg(s, f, at, Farewell::none);
    return;
  }
  if (seg.options.has_timestamps && static_cast<std::int32_t>(seg.options.ts_value - leg.server_tcp.ts_value) > 0) leg.server_tcp.ts_value = seg.options.ts_value;
  if (is_next && seg.payload_bytes != 0) return end_leg(s, f, at, Farewell::reset);  // nobody asked
  if (is_next && seg.has(wire::kFin)) {
    leg.down_next += 1;
    if (leg.is_closing) send_on_leg(s, f, leg, wire::kAck);
    return end_leg(s, f, at, leg.is_closing ? Farewell::none : Farewell::fin);
  }
  if (seg.ack == leg.up_next) leg.server_edge = seg.ack + (static_cast<std::uint32_t>(seg.window) << leg.server_tcp.window_shift);
  if (seg.length() != 0 || seg.seq + 1U == leg.down_next) send_on_leg(s, f, leg, wire::kAck);  // a probe, or what came before
}

void close_legs(State& s, Flow& f) noexcept {
  Layer7& x = layer7_of(f);
  for (std::size_t i = 0; i < x.leg_count; ++i) {
    Leg& leg = x.legs[i];
    if (leg.is_closing) continue;
    send_on_leg(s, f, leg, wire::kFin | wire::kAck);
    leg.up_next += 1;
    leg.is_closing = true;
  }
}

void drop_legs(State& s, Flow& f, const std::function<bool(const splice::Route&)>& is_meant) noexcept {
  Layer7& x = layer7_of(f);
  for (std::size_t i = x.leg_count; i-- != 0;) {
    if (is_meant(*x.legs[i].route)) end_leg(s, f, i, Farewell::reset);
  }
}

void end_layer7(State& s, Flow& f) noexcept {
  Layer7& x = layer7_of(f);
  while (x.leg_count != 0) end_leg(s, f, x.leg_count - 1U, x.legs[x.leg_count - 1U].is_closing ? Farewell::none : Farewell::reset);
  x.start({}, 0);
  s.layer7.put(&x);
  f.exchange = nullptr;
}

}  // namespace cutwater::path
