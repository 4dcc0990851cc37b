// Proxy mode, the server's end: once TLS is up and the client's wishes are known a server is chosen, and the device opens a
// connection of its own to it, from the client's address and with the client's numbers. When the server has answered, the two
// ends of the flow differ by constants (numbers down, window scale, timestamps) and the splice is that of direct mode.
// Implements: A9, A11.
#include <algorithm>

#include "path/state.hpp"
#include "path/syn_options.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"
#include "splice/up.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::FlowState;
using splice::ServerLink;

constexpr std::uint64_t kFirstSynUs = 1'000'000;  // RFC 6298 2.1, doubled each time
constexpr std::uint8_t kSynsPerServer = 2;        // three seconds; another server is the better bet then
constexpr std::uint8_t kSynsPerTlsServer = 3;     // seven: its TLS handshake is part of its answer

// Never one that was asked before.
bool choose_server(State& s, Flow& f, Handshake& h) noexcept {
  Listener* listener = s.route_sets.back().find(f.route->service.address, f.route->service.port);
  if (listener == nullptr || h.pool >= listener->pools.size() || h.tried_count == Handshake::kMaxTried) return false;  // its service is gone meanwhile; or enough
  if (place_beside(s, *listener, h.pool, f, {h.tried.data(), h.tried_count}) != Drop::none) return false;
  if (h.tried_count != 0) s.counters.add(Count::flows_moved);
  if (const auto index = server_of(listener->pools[h.pool], f)) h.tried[h.tried_count++] = *index;
  return true;
}

void trace_syn(State& s, const Flow& f, const wire::Header& h) noexcept {
  s.r.trace->record({.at_us = s.r.now.us, .flow = f.index, .side = splice::TraceSide::server, .direction = splice::TraceDirection::tx,
                     .flags = h.flags, .note = splice::TraceNote::connecting, .seq = h.seq.value, .ack = 0, .window = h.window});
}

// Where the server's stream begins: what is told it ahead of the client's bytes is part of it.
SeqNum stream_begin(const Flow& f) noexcept { return f.custody != nullptr ? f.custody->queue.begin() : f.up.plain_next; }

void send_syn(State& s, Flow& f, Handshake& handshake) noexcept {
  const bool is_v4 = f.route->server.address.is_v4();
  const bool has_stamps = f.has(Flow::kClientTimestamps);
  const auto client_mss = static_cast<std::uint32_t>(f.client_tcp.mss + (has_stamps ? kTimestampBytes : 0));
  const auto overhead = f.suite != nullptr ? static_cast<int>(f.suite->overhead_bytes()) : 0;
  const auto room = static_cast<std::uint32_t>(std::max<int>(static_cast<int>(client_mss) - overhead, kMinMss));
  const std::int32_t window = f.down.client_edge - f.down.cipher_next;
  wire::Header h{.source_mac = s.r.server_link.mac,
                 .destination_mac = f.route->server_mac,
                 .vlan = s.r.server_link.vlan,
                 .source = &f.source(),
                 .destination = &f.route->server.address,
                 .source_port = f.source_port,
                 .destination_port = f.route->server.port,
                 .seq = stream_begin(f) - 1U,
                 .ack = {},
                 .window = static_cast<std::uint16_t>(std::clamp(window, 0, 0xffff)),
                 .flags = wire::kSyn,
                 .ttl = f.client_tcp.ttl,
                 .traffic_class = 0,
                 .options = {}};
  h.options.mss = static_cast<std::uint16_t>(std::min<std::uint32_t>(room, link_mss(s.r.server_link, is_v4)));
  h.options.window_scale = static_cast<std::int8_t>(f.client_tcp.window_shift);
  h.options.has_sack_permitted = f.has(Flow::kClientSack);
  h.options.has_timestamps = has_stamps;
  h.options.ts_value = f.client_tcp.ts_value;
  f.expires = s.r.now + (kFirstSynUs << handshake.syns);
  ++handshake.syns;
  s.counters.add(Count::connects_sent);
  s.counters.add(Count::packets_to_servers);
  if (const Verdict v = send_bare(s, h, splice::outbox_to_server(s.r, *f.route)); v.action == Action::drop) s.counters.add(v.reason);
  if (s.r.trace != nullptr) trace_syn(s, f, h);
  splice::arm(s.r, f);
}

// Nobody is left to ask: the client hears of it in TLS, where that is ours to speak.
void give_up(State& s, Flow& f, Reset reason) noexcept {
  const Handshake* h = handshake_of(s, f);
  const bool was_asked = h != nullptr && h->tried_count != 0;
  f.link = ServerLink::none;
  drop_handshake(s, f);
  if (f.exchange != nullptr) return answer_unserved(s, f, reason, was_asked);
  if (f.route->policy.handling == splice::Handling::pass) return splice::pass_reset_to_client(s.r, f, reason);
  splice::fail(s.r, f, reason, record::Alert::internal_error);
}

void ask_next(State& s, Flow& f, Reset reason) noexcept {
  Handshake* h = handshake_of(s, f);
  if (h == nullptr) return give_up(s, f, reason);
  if (!choose_server(s, f, *h)) return give_up(s, f, reason);
  f.link = ServerLink::asked;
  h->syns = 0;
  send_syn(s, f, *h);
}

// What the client may have seen of our clock, or of an earlier server's: a later one must not look older (PAWS).
std::uint32_t newest_stamp(const State& s, const Flow& f) noexcept {
  const std::uint32_t own = splice::own_stamp(s.r);
  const std::uint32_t shown = f.has(Flow::kServerTimestamps) ? f.server_tcp.ts_value + f.down.stamp_offset : own;
  return static_cast<std::int32_t>(shown - own) > 0 ? shown : own;
}

void learn_options(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_v4 = seg.source.is_v4();
  const bool has_stamps = f.has(Flow::kClientTimestamps) && seg.options.has_timestamps;
  const bool has_sack = f.has(Flow::kClientSack) && seg.options.has_sack_permitted;
  const std::uint32_t stamp = newest_stamp(s, f);
  f.note(Flow::kServerTimestamps, has_stamps);
  f.note(Flow::kServerSack, has_sack);
  const std::uint16_t mss = std::max(std::min(offered_mss(seg.options, is_v4), link_mss(s.r.server_link, is_v4)), kMinMss);
  f.server_tcp.mss = static_cast<std::uint16_t>(mss - (has_stamps ? kTimestampBytes : 0));
  f.server_tcp.window_shift = static_cast<std::uint8_t>(std::max<int>(seg.options.window_scale, 0));
  f.down.shift_shown = seg.options.window_scale >= 0 ? f.client_tcp.window_shift : std::uint8_t{0};
  f.server_tcp.ttl = static_cast<std::uint8_t>(seg.ttl > 1 ? seg.ttl - 1 : 1);
  f.server_tcp.ts_value = f.down.ts_recent = seg.options.ts_value;
  f.down.stamp_offset = has_stamps ? stamp - seg.options.ts_value : 0;
}

// From here on the two ends differ by constants. What went to the client so far stands before the server's first byte.
void join_streams(State& s, Flow& f, const wire::Segment& seg) noexcept {
  f.down.plain_next = f.down.first_plain = f.down.ack_shown = f.down.edge_shown = seg.seq + 1U;
  f.down.spans.each(s.r.spans, [&](splice::Span& span) {
    span.plain_begin = f.down.plain_next;
    return true;
  });
  f.up.server_edge = seg.ack + seg.window;
  f.link = ServerLink::up;
  if (f.custody == nullptr) return;
  f.custody->control.start(stream_begin(f), f.server_tcp.mss, f.up.server_edge, f.has(Flow::kServerSack),
                         f.route->policy.custody_congestion);
}

}  // namespace

void connect(State& s, Flow& f) noexcept {
  if (f.link != ServerLink::none) return;
  Handshake* h = handshake_of(s, f);
  const Listener* listener = s.route_sets.back().find(f.route->service.address, f.route->service.port);
  if (h == nullptr || listener == nullptr) return ask_next(s, f, Reset::server_unreachable);
  const auto pool = pool_for(*listener, h->server_name, h->protocol);
  if (!pool) {
    drop_handshake(s, f);
    return splice::fail(s.r, f, Reset::no_route, record::Alert::unrecognized_name);  // plain TCP has no rules
  }
  h->pool = *pool;
  ask_next(s, f, Reset::server_unreachable);
}

void connect_for_request(State& s, Flow& f, std::uint32_t pool) noexcept {
  Handshake* h = take_handshake(s, f);
  if (h == nullptr) return give_up(s, f, Reset::server_unreachable);
  h->is_connecting = true;
  h->pool = pool;
  f.up.first_plain = f.up.plain_una = f.up.server_edge = f.custody->queue.begin();
  ask_next(s, f, Reset::server_unreachable);
}

Verdict take_connect_answer(State& s, Work& w) noexcept {
  Flow& f = *w.flow;
  const wire::Segment& seg = w.segment;
  if (!seg.has(wire::kAck)) return dropped(Drop::bad_flags);
  if (seg.ack != stream_begin(f)) return refuse(s, Side::server, w);  // it remembers another connection: RFC 9293 3.10.7.3
  if (seg.has(wire::kRst)) {
    note_failure(s, f, balance::Failing::connect);
    const bool is_tls = f.route->policy.speech == splice::ServerSpeech::tls && seg.window == kRefusedByTls;
    ask_next(s, f, is_tls ? Reset::server_tls_failed : Reset::server_refused);
    return kConsume;
  }
  if (!seg.has(wire::kSyn)) return dropped(Drop::bad_flags);
  f.route->tally->note_success(balance::Failing::connect);
  learn_options(s, f, seg);
  join_streams(s, f, seg);
  drop_handshake(s, f);
  f.last_active = s.r.now;
  s.timers.disarm(f.index);
  if (f.state == FlowState::passing) return join_passing(s, f), kConsume;
  splice::arm(s.r, f);  // from here on it may be idle only so long, even if neither end ever says a word
  splice::owe_ack_to_server(s.r, f);
  splice::owe_ack_to_client(s.r, f);  // the server's window is the client's now
  splice::go_on(s.r, f);
  if (f.exchange != nullptr) advance(s, f);
  return kConsume;
}

void on_connect_timer(State& s, Flow& f) noexcept {
  if (f.expires > s.r.now) return;
  if (f.link == ServerLink::none && f.exchange != nullptr) return splice::reset_both(s.r, f, Reset::idle_timeout);  // no whole request came
  if (f.link == ServerLink::none) return splice::reset_both(s.r, f, Reset::handshake_timeout);  // it never said what it wanted
  Handshake* h = handshake_of(s, f);
  if (h != nullptr && h->syns < (f.route->policy.speech == splice::ServerSpeech::tls ? kSynsPerTlsServer : kSynsPerServer)) return send_syn(s, f, *h);
  note_failure(s, f, balance::Failing::connect);
  splice::reset_server(s.r, f);
  ask_next(s, f, Reset::server_unreachable);
}

}  // namespace cutwater::path
