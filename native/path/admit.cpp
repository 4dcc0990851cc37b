// Connection set-up: the SYN of a client, the SYN-ACK of its server, and the options both may see.
// MSS is reduced so that a full server segment still fits the client's path as a record (A4); window scale, SACK-permitted
// and timestamps pass; Fast Open, MPTCP and unknown options end here. Implements: A3, A4.
#include "path/state.hpp"
#include "path/syn_options.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"
#include "splice/translate.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::FlowState;

constexpr std::uint64_t kSynTimeoutUs = 75'000'000;  // six retransmissions of a SYN

void trace_syn(State& s, std::uint32_t flow, splice::TraceSide side, const wire::Header& h) noexcept {
  s.r.trace->record({.at_us = s.r.now.us, .flow = flow, .side = side, .direction = splice::TraceDirection::tx, .flags = h.flags,
                     .note = splice::TraceNote::passed, .seq = h.seq.value, .ack = h.ack.value, .window = h.window});
}

// SYN and SYN-ACK keep their numbers; only addresses, MSS and the option list change.
Verdict pass_syn(State& s, std::uint32_t flow, splice::TraceSide side, const wire::Segment& seg, const splice::LinkSide& link, const MacAddress& mac, const splice::End& from,
                 const splice::End& to, std::uint16_t mss, splice::Outbox& outbox) noexcept {
  wire::Header h{.source_mac = link.mac,
                 .destination_mac = mac,
                 .vlan = link.vlan,
                 .source = &from.address,
                 .destination = &to.address,
                 .source_port = from.port,
                 .destination_port = to.port,
                 .seq = seg.seq,
                 .ack = seg.ack,
                 .window = seg.window,
                 .flags = static_cast<std::uint8_t>(seg.flags & (wire::kSyn | wire::kAck | wire::kEce | wire::kCwr)),
                 .ttl = static_cast<std::uint8_t>(seg.ttl > 1 ? seg.ttl - 1 : 1),
                 .traffic_class = seg.traffic_class,
                 .options = seg.options};
  h.options.mss = mss;
  h.options.sack_count = 0;
  if (const Verdict v = send_bare(s, h, outbox); v.action == Action::drop) return v;
  if (s.r.trace != nullptr) trace_syn(s, flow, side, h);
  return kConsume;
}

Verdict pass_syn_to_server(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_v4 = f.client.address.is_v4();
  const splice::End source{f.source(), f.source_port};
  const std::uint16_t client_mss = std::min(offered_mss(seg.options, is_v4), link_mss(s.r.client_link, is_v4));
  const auto room = static_cast<std::uint16_t>(std::max<int>(client_mss - f.route->policy.overhead_bytes, kMinMss));
  const std::uint16_t mss = std::min(room, link_mss(s.r.server_link, is_v4));
  s.counters.add(Count::packets_to_servers);
  return pass_syn(s, f.index, splice::TraceSide::server, seg, s.r.server_link, f.route->server_mac, source, f.route->server, mss, s.r.to_server);
}

// The SYN of a client once more, to another server than it was made for: from what the flow has kept of it.
Verdict repeat_syn_to_server(State& s, Flow& f) noexcept {
  wire::Segment syn;
  syn.seq = f.up.cipher_next - 1U;
  syn.flags = wire::kSyn;
  syn.window = 0xffff;  // holds until the handshake's first acknowledgement, which shows none
  syn.ttl = f.client_tcp.ttl;
  syn.options.mss = f.client_tcp.mss;
  syn.options.has_sack_permitted = f.has(Flow::kClientSack);
  syn.options.has_timestamps = f.has(Flow::kClientTimestamps);
  syn.options.ts_value = f.client_tcp.ts_value;
  if (f.has(Flow::kClientScale)) syn.options.window_scale = static_cast<std::int8_t>(f.client_tcp.window_shift);
  return pass_syn_to_server(s, f, syn);
}

Verdict pass_syn_to_client(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_v4 = f.client.address.is_v4();
  const std::uint16_t mss =
      std::min({offered_mss(seg.options, is_v4), link_mss(s.r.server_link, is_v4), link_mss(s.r.client_link, is_v4)});
  s.counters.add(Count::packets_to_clients);
  return pass_syn(s, f.index, splice::TraceSide::client, seg, s.r.client_link, f.client_mac, f.route->service, f.client, mss, s.r.to_client);
}

void learn_client(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_v4 = seg.source.is_v4();
  f.client_mac = seg.source_mac;
  f.client_tcp.mss = std::max(std::min(offered_mss(seg.options, is_v4), link_mss(s.r.client_link, is_v4)), kMinMss);
  f.client_tcp.window_shift = static_cast<std::uint8_t>(std::max<int>(seg.options.window_scale, 0));
  f.client_tcp.ttl = static_cast<std::uint8_t>(seg.ttl > 1 ? seg.ttl - 1 : 1);
  f.client_tcp.ts_value = f.up.ts_recent = seg.options.ts_value;
  f.option_flags = static_cast<std::uint16_t>((seg.options.has_timestamps ? Flow::kClientTimestamps : 0) |
                                             (seg.options.has_sack_permitted ? Flow::kClientSack : 0) |
                                             (seg.options.window_scale >= 0 ? Flow::kClientScale : 0));
  f.up.cipher_next = f.up.plain_next = f.up.first_plain = f.up.plain_una = f.up.ack_shown = seg.seq + 1U;
  f.up.server_edge = f.up.edge_shown = f.up.cipher_next;
}

// What only one end offered is off for both: each must see what the other really said.
void learn_server(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_v4 = f.client.address.is_v4();
  const bool has_timestamps = f.has(Flow::kClientTimestamps) && seg.options.has_timestamps;
  const bool has_sack = f.has(Flow::kClientSack) && seg.options.has_sack_permitted;
  f.option_flags = static_cast<std::uint16_t>((has_timestamps ? Flow::kClientTimestamps | Flow::kServerTimestamps : 0) |
                                             (has_sack ? Flow::kClientSack | Flow::kServerSack : 0) | (f.option_flags & Flow::kClientScale));
  f.server_tcp.mss = std::max(std::min(offered_mss(seg.options, is_v4), link_mss(s.r.server_link, is_v4)), kMinMss);
  if (has_timestamps) {
    f.server_tcp.mss = static_cast<std::uint16_t>(f.server_tcp.mss - kTimestampBytes);
    f.client_tcp.mss = static_cast<std::uint16_t>(f.client_tcp.mss - kTimestampBytes);
  }
  if (seg.options.window_scale < 0) f.client_tcp.window_shift = 0;
  else f.server_tcp.window_shift = static_cast<std::uint8_t>(seg.options.window_scale);
  f.up.shift_shown = f.server_tcp.window_shift;
  f.down.shift_shown = f.client_tcp.window_shift;
  f.server_tcp.ttl = static_cast<std::uint8_t>(seg.ttl > 1 ? seg.ttl - 1 : 1);
  f.server_tcp.ts_value = f.down.ts_recent = seg.options.ts_value;
  f.down.cipher_next = f.down.plain_next = f.down.first_plain = f.down.cipher_una = f.down.ack_shown = seg.seq + 1U;
  f.down.client_edge = f.down.edge_shown = f.down.plain_next;
  f.up.server_edge = f.up.edge_shown = seg.ack + seg.window;
}

// All down: the client hears so at once. All full: silence, and the client asks again in a second.
Verdict turn_away(State& s, Work& w, Drop why) noexcept {
  if (why == Drop::no_server) (void)refuse(s, Side::client, w);
  return dropped(why);
}

Verdict admit_new(State& s, Work& w, Listener& listener) noexcept {
  Flow* f = s.flows.take();
  if (f == nullptr) return dropped(Drop::flow_table_full);
  f->client = {w.segment.source, w.segment.source_port};
  if (take_half_open(s, *f) == nullptr) {
    s.flows.put(*f);
    return dropped(Drop::flow_table_full);
  }
  if (const Drop why = place(s, listener, *f); why != Drop::none) {
    drop_half_open(s, *f);
    s.flows.put(*f);
    return turn_away(s, w, why);
  }
  (void)enlist_client(s, *f);  // the table has two places for each flow
  learn_client(s, *f, w.segment);
  f->state = FlowState::syn_sent;
  f->link = splice::ServerLink::up;  // the client's SYN is on its way to it
  f->expires = s.r.now + kSynTimeoutUs;
  f->last_active = s.r.now;
  f->opened_ms = static_cast<std::uint32_t>(s.r.now.us / 1000);
  splice::arm(s.r, *f);
  s.counters.add(Count::flows_opened);
  w.flow = f;
  w.generation = f->generation;
  if (s.r.trace != nullptr) trace_in(s, Side::client, w);
  return pass_syn_to_server(s, *f, w.segment);
}

// The client asks again: the SYN was lost on either way, or its server is not there. Another server may be.
Verdict take_repeated_syn(State& s, Flow& f, const wire::Segment& seg) noexcept {
  if (f.state == FlowState::syn_sent) {
    learn_client(s, f, seg);
    note_failure(s, f, balance::Failing::connect);
    (void)move_on(s, f, Failed::silent);
  }
  return pass_syn_to_server(s, f, seg);
}

bool may_make_room(const Flow& f, const wire::Segment& seg) noexcept {
  switch (f.state) {
    case FlowState::syn_sent: return true;
    case FlowState::syn_answered: return seg.seq + 1U != f.up.cipher_next;
    case FlowState::passing:
      if (f.up.fin != splice::FinState::acked || f.down.fin != splice::FinState::acked) return false;
      [[fallthrough]];
    case FlowState::lingering:
    case FlowState::draining: return before(f.up.cipher_next, seg.seq);  // a new incarnation (RFC 9293 3.10.7.4)
    default: return false;
  }
}

}  // namespace

Verdict admit(State& s, Work& w) noexcept {
  const wire::Segment& seg = w.segment;
  const bool is_opening = !seg.has(wire::kAck | wire::kFin | wire::kRst);  // a client does not answer, it asks
  if (w.flow == nullptr && !is_opening) return refuse(s, Side::client, w);
  if (w.flow != nullptr) {
    Flow& f = *w.flow;
    const bool is_repeated = seg.seq + 1U == f.up.cipher_next;
    if (is_opening && is_repeated && (f.state == FlowState::syn_sent || f.state == FlowState::syn_answered)) return take_repeated_syn(s, f, seg);
    if (!is_opening || !may_make_room(f, seg)) {
      s.counters.add(Count::challenge_acks);
      splice::owe_ack_to_client(s.r, f);
      return dropped(Drop::bad_flags);
    }
    splice::release(s.r, f);
    forget(s, f);
    w.flow = nullptr;
  }
  if (seg.options.has_signature) return dropped(Drop::bad_flags);
  Listener* listener = s.route_sets.back().find(seg.destination, seg.destination_port);
  if (listener == nullptr) {
    const Verdict v = refuse(s, Side::client, w);
    return v.action == Action::drop ? dropped(Drop::no_service) : v;
  }
  if (listener->is_proxy()) return answer_syn(s, *listener, seg);
  return admit_new(s, w, *listener);
}

Verdict answer_from_server(State& s, Work& w) noexcept {
  Flow& f = *w.flow;
  const wire::Segment& seg = w.segment;
  if (!seg.has(wire::kAck)) return dropped(Drop::bad_ack);
  if (seg.ack != f.up.plain_next) {
    // It remembers another connection, whose end it has not heard, and answers no SYN until that is gone (RFC 9293 3.5.1, 3.10.7.3).
    return f.state == FlowState::syn_sent ? refuse(s, Side::server, w) : dropped(Drop::bad_ack);
  }
  if (seg.has(wire::kRst)) {
    note_failure(s, f, balance::Failing::connect);
    if (f.state == FlowState::syn_sent && move_on(s, f, Failed::refused)) return repeat_syn_to_server(s, f);
    splice::pass_reset_to_client(s.r, f, Reset::server_refused);
    return kConsume;
  }
  if (!seg.has(wire::kSyn)) return dropped(Drop::bad_flags);
  if (f.state == FlowState::syn_sent) {
    f.route->tally->note_success(balance::Failing::connect);
    learn_server(s, f, seg);
    f.state = FlowState::syn_answered;
    f.last_active = s.r.now;
  } else if (seg.seq + 1U != f.down.plain_next) {
    return dropped(Drop::bad_sequence);
  }
  f.server_tcp.note_clock(seg.options);  // it may have come again: the client hears of it, and ours must never look older (PAWS)
  return pass_syn_to_client(s, f, seg);
}

}  // namespace cutwater::path
