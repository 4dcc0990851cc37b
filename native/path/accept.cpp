// Proxy mode, the client's end: the device answers the SYN itself, by a cookie, and keeps nothing until the client's first bytes
// come back with it. So a SYN flood costs no state at all, and neither do connections that say nothing (but to services whose bytes pass untouched).
// Implements: A9.
#include "path/state.hpp"
#include "path/syn_cookie.hpp"
#include "path/syn_options.hpp"
#include "splice/close.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::FlowState;

constexpr std::uint8_t kOwnWindowShift = 6;      // windows up to 4 MiB, more than custody keeps
constexpr std::uint16_t kOwnSynWindow = kCookieWindow;  // as translate.cpp shows during the handshake
constexpr std::uint8_t kOwnTtl = 64;
constexpr std::uint64_t kMs = 1000;
constexpr std::uint32_t kLongestRttMs = 60'000;

void learn_client(State& s, Flow& f, const wire::Segment& seg, const SynMemory& syn) noexcept {
  const bool has_stamps = seg.options.has_timestamps;  // on every segment, once agreed (RFC 7323 3.2)
  f.client_mac = seg.source_mac;
  f.client_tcp.mss = static_cast<std::uint16_t>(std::max(syn.mss, kMinMss) - (has_stamps ? kTimestampBytes : 0));
  f.client_tcp.window_shift = static_cast<std::uint8_t>(std::max<int>(syn.window_scale, 0));
  f.client_tcp.ttl = static_cast<std::uint8_t>(seg.ttl > 1 ? seg.ttl - 1 : 1);
  f.client_tcp.ts_value = f.up.ts_recent = seg.options.ts_value;
  f.server_tcp.ttl = kOwnTtl;
  f.option_flags = static_cast<std::uint16_t>((has_stamps ? Flow::kClientTimestamps : 0) | (syn.has_sack ? Flow::kClientSack : 0) |
                                             (syn.window_scale >= 0 ? Flow::kClientScale : 0));
  if (has_stamps) {
    const std::uint32_t rtt_ms = std::min(splice::own_stamp(s.r) - seg.options.ts_echo, kLongestRttMs);
    f.client_rtt_us = std::max(rtt_ms, 1U) * static_cast<std::uint32_t>(kMs);
  }
}

// Our numbers towards the server are the client's own, as in direct mode; downwards the server's are not known yet.
void begin_streams(Flow& f, const wire::Segment& seg, const SynMemory& syn) noexcept {
  f.up.cipher_next = f.up.ack_shown = seg.seq;
  f.up.plain_next = f.up.first_plain = f.up.plain_una = f.up.server_edge = seg.seq;
  f.up.edge_shown = seg.seq + kOwnSynWindow;
  f.up.shift_shown = syn.window_scale >= 0 ? kOwnWindowShift : 0;
  f.down.cipher_next = f.down.cipher_una = seg.ack;
  f.down.client_edge = seg.ack + (static_cast<std::uint32_t>(seg.window) << f.client_tcp.window_shift);
}

Flow* open_flow(State& s, const splice::Route& door, const wire::Segment& seg, const SynMemory& syn) noexcept {
  Flow* f = s.flows.take();
  if (f == nullptr) return nullptr;
  f->route = &door;
  f->client = {seg.source, seg.source_port};
  if (take_half_open(s, *f) == nullptr) {
    s.flows.put(*f);
    return nullptr;
  }
  (void)enlist_client(s, *f);  // the table has two places for each flow
  ++s.route_sets.back().flows;
  learn_client(s, *f, seg, syn);
  begin_streams(*f, seg, syn);
  f->state = FlowState::handshake;
  f->expires = s.r.now + door.policy.handshake_timeout_ms * kMs;
  f->last_active = s.r.now;
  f->opened_ms = static_cast<std::uint32_t>(s.r.now.us / kMs);
  splice::arm(s.r, *f);
  s.counters.add(Count::flows_opened);
  return f;
}

// What a client may send in one segment so that it goes on as one: the server's side may have larger headers, or a smaller MTU.
std::uint16_t own_mss(const State& s, const Listener& listener, bool is_v4) noexcept {
  const splice::Route& first = s.route_sets.back().routes[listener.first_route];
  return std::min(link_mss(s.r.client_link, is_v4), link_mss(s.r.server_link, first.server.address.is_v4()));
}

}  // namespace

Verdict answer_syn(State& s, const Listener& listener, const wire::Segment& syn) noexcept {
  const bool is_v4 = syn.source.is_v4();
  const std::uint16_t mss = std::min(offered_mss(syn.options, is_v4), link_mss(s.r.client_link, is_v4));
  wire::Header h{.source_mac = s.r.client_link.mac,
                 .destination_mac = syn.source_mac,
                 .vlan = s.r.client_link.vlan,
                 .source = &syn.destination,
                 .destination = &syn.source,
                 .source_port = syn.destination_port,
                 .destination_port = syn.source_port,
                 .seq = make_cookie(s.syn_key, syn, mss, s.r.now),
                 .ack = syn.seq + 1U,
                 .window = kOwnSynWindow,
                 .flags = wire::kSyn | wire::kAck,
                 .ttl = kOwnTtl,
                 .traffic_class = 0,
                 .options = {}};
  h.options.mss = own_mss(s, listener, is_v4);
  h.options.has_sack_permitted = syn.options.has_sack_permitted;
  if (syn.options.window_scale >= 0) h.options.window_scale = kOwnWindowShift;
  if (syn.options.has_timestamps) {
    h.options.has_timestamps = true;
    h.options.ts_value = splice::own_stamp(s.r);
    h.options.ts_echo = syn.options.ts_value;
  }
  s.counters.add(Count::packets_to_clients);
  s.counters.add(Count::syns_answered);
  return send_bare(s, h, s.r.to_client);
}

Verdict accept(State& s, Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  RouteSet& set = s.route_sets.back();
  const Listener* listener = set.find(seg.destination, seg.destination_port);
  const bool may_begin = listener != nullptr && listener->is_proxy() && seg.has(wire::kAck) && !seg.has(wire::kRst);
  const CookieVerdict cookie = may_begin ? judge_cookie(s.syn_key, seg, s.r.now) : CookieVerdict{};
  switch (cookie.kind) {
    case CookieVerdict::Kind::foreign: return refuse(s, Side::client, w);
    case CookieVerdict::Kind::not_first: return dropped(Drop::not_first);
    case CookieVerdict::Kind::first: break;
  }
  if (s.spent_cookies.has(seg)) return refuse(s, Side::client, w);
  // It hears us; what it wants it has still to say. Where nobody listens to that, the server may be the one to speak first.
  const splice::Route& door = set.routes[listener->door];
  if (seg.length() == 0 && door.policy.handling != splice::Handling::pass) return kConsume;
  w.flow = open_flow(s, door, seg, cookie.memory);
  if (w.flow == nullptr) return dropped(Drop::flow_table_full);
  s.spent_cookies.add(seg);
  w.generation = w.flow->generation;
  s.counters.add(Count::cookies_taken);
  return kForward;
}

}  // namespace cutwater::path
