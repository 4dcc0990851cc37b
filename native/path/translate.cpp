// Stage 4: which side did it come from, and how far is the flow? One switch a side, then the splice.
#include "path/state.hpp"
#include "splice/close.hpp"
#include "splice/down.hpp"
#include "splice/emit.hpp"
#include "splice/sack.hpp"
#include "splice/seal.hpp"
#include "splice/translate.hpp"
#include "splice/up.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::FlowState;

constexpr std::uint32_t kHandshakeAheadBytes = 65'536;  // the server's SYN-ACK may have shown the client as much

// Nothing that a segment says is believed unless it stands in the window its sender was shown, or touches it (RFC 9293
// 3.10.7.4): who does not know the numbers must not move acknowledgements, clocks or the way back. A byte more for probes.
bool is_acceptable(const wire::Segment& seg, SeqNum shown, SeqNum edge) noexcept {
  return !before(seg.seq + seg.length() + 1U, shown) && !before(edge + 1U, seg.seq);
}

bool is_acceptable_from_client(const Flow& f, const wire::Segment& seg) noexcept {
  const SeqNum least = f.state == FlowState::established ? f.up.cipher_next : f.up.cipher_next + kHandshakeAheadBytes;
  return is_acceptable(seg, f.up.ack_shown, later(f.up.edge_shown, least));
}
bool is_acceptable_from_server(const Flow& f, const wire::Segment& seg) noexcept {
  return is_acceptable(seg, f.down.ack_shown, later(f.down.edge_shown, f.down.plain_next));
}

// Two ends that disagree on a number would answer each other for ever (RFC 5961 7): an empty segment gets one answer in a while.
// One that carries something is always answered: its sender waits.
bool may_answer(State& s, Flow& f, const wire::Segment& seg) noexcept {
  constexpr unsigned kWhileShift = 18;  // 262 ms
  const auto at = static_cast<std::uint8_t>(s.r.now.us >> kWhileShift);
  if (seg.length() == 0 && f.answered_at == at) return false;
  f.answered_at = at;
  return true;
}

// Bytes that were acknowledged long ago have come twice, which their sender wants to know (RFC 2883).
void answer_client(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const auto twice = splice::twice_below(splice::ack_for_client(s.r, f), seg.seq, seg.seq + seg.payload_bytes);
  if (twice) splice::ack_client(s.r, f, nullptr, twice);
  else splice::owe_ack_to_client(s.r, f);
}
void answer_server(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const auto twice = splice::twice_below(splice::ack_for_server(s.r, f), seg.seq, seg.seq + seg.payload_bytes);
  if (twice) splice::ack_server(s.r, f, nullptr, twice);
  else splice::owe_ack_to_server(s.r, f);
}

// An old duplicate may stand in the window again when the numbers have wrapped: its clock gives it away (RFC 7323 5.3). None may be
// older than the newest segment that began where its sender knows we are; one that was only overtaken is no old duplicate (4.3).
// Flows are never idle for the 24 days after which a clock says nothing. Returns: false for an old duplicate.
bool take_clock(splice::SideState& side, std::uint32_t& ts_recent, const wire::Segment& seg, SeqNum shown) noexcept {
  if (!seg.options.has_timestamps) return true;
  if (static_cast<std::int32_t>(seg.options.ts_value - ts_recent) < 0) return false;
  side.note_clock(seg.options);
  if (at_or_before(seg.seq, shown)) ts_recent = seg.options.ts_value;
  return true;
}

// A RST is believed when it stands exactly where the sender knows we are; otherwise the real sender is asked (RFC 5961 3.2).
Verdict take_client_reset(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_exact = seg.seq == f.up.cipher_next || seg.seq == splice::ack_for_client(s.r, f) || seg.seq == f.up.ack_shown;
  if (is_exact) {
    if (!splice::take_late_reset(s.r, f)) splice::pass_reset_to_server(s.r, f, Reset::by_client);
    return kConsume;
  }
  if (before(seg.seq, f.up.ack_shown) || before(f.up.edge_shown, seg.seq)) return dropped(Drop::bad_sequence);
  s.counters.add(Count::challenge_acks);
  splice::ack_client(s.r, f);
  return dropped(Drop::bad_sequence);
}

Verdict take_server_reset(State& s, Flow& f, const wire::Segment& seg) noexcept {
  const bool is_exact = seg.seq == f.down.plain_next || seg.seq == splice::ack_for_server(s.r, f) || seg.seq == f.down.ack_shown;
  if (is_exact) {
    // Behind its FIN and ours it has only forgotten the connection; the client may still be at its own good-bye.
    if (f.down.fin == splice::FinState::acked && f.up.fin == splice::FinState::acked) return kConsume;
    if (f.exchange != nullptr && take_reset_between(s, f)) return kConsume;
    if (f.down.plain_next == f.down.first_plain) note_failure(s, f, balance::Failing::early_reset);
    splice::pass_reset_to_client(s.r, f, f.state == FlowState::established ? Reset::by_server : Reset::server_refused);
    return kConsume;
  }
  if (before(seg.seq, f.down.ack_shown) || before(f.down.edge_shown + 1U, seg.seq)) return dropped(Drop::bad_sequence);
  s.counters.add(Count::challenge_acks);
  splice::ack_server(s.r, f);
  return dropped(Drop::bad_sequence);
}

// The server is gone; the client fetches its alert. What it still sends is swallowed, and answered with RST once it has it.
Verdict take_while_draining(State& s, Flow& f, const wire::Segment& seg) noexcept {
  if (!splice::take_client_ack(s.r, f, seg)) return dropped(Drop::bad_ack);
  if (f.local != nullptr && f.local->is_empty()) splice::release_local(s.r, f);
  const bool is_in_order = seg.seq == f.up.cipher_next;
  if (is_in_order) f.up.cipher_next += seg.payload_bytes + (seg.has(wire::kFin) ? 1U : 0U);
  if (f.local == nullptr) {
    if (!is_in_order || !seg.has(wire::kFin)) {
      if (seg.length() == 0) return kConsume;  // it knows; it will close
      splice::reset_client(s.r, f);
    } else {
      splice::ack_client(s.r, f);
    }
    splice::release(s.r, f);
    return kConsume;
  }
  if (seg.length() != 0) splice::owe_ack_to_client(s.r, f);
  splice::send_local(s.r, f);
  splice::arm(s.r, f);
  return kConsume;
}

// The client is ahead of us: what it says goes into custody, and may be what its server is chosen by.
Verdict take_before_connect(State& s, Work& w) noexcept {
  Flow& f = *w.flow;
  const Verdict v = splice::up(s.r, f, w.segment, w.packet);
  if (f.state == FlowState::established) connect(s, f);
  return v;
}

// Requests are read as they come, and answers as they go: what follows from them is done when the packet is.
Verdict take_request_bytes(State& s, Work& w) noexcept {
  const Verdict v = splice::up(s.r, *w.flow, w.segment, w.packet);
  advance(s, *w.flow);
  return v;
}
Verdict take_answer_bytes(State& s, Work& w) noexcept {
  const Verdict v = splice::down(s.r, *w.flow, w.segment, w.packet);
  advance(s, *w.flow);
  return v;
}

Verdict from_client(State& s, Work& w) noexcept {
  if (w.flow == nullptr) w.flow = find(s, Side::client, w.segment);  // its SYN may have come in this very burst
  if (s.half == Half::far && (w.flow == nullptr || w.flow->state == FlowState::syn_sent || w.segment.has(wire::kSyn))) return take_called(s, w);
  if (w.segment.has(wire::kSyn)) return admit(s, w);
  if (w.flow == nullptr) {
    const Verdict v = accept(s, w);
    if (w.flow == nullptr) return v;
  }
  Flow& f = *w.flow;
  if (s.r.trace != nullptr) trace_in(s, Side::client, w);
  if (f.state == FlowState::passing) return pass_from_client(s, w);
  if (w.segment.has(wire::kRst)) return take_client_reset(s, f, w.segment);
  if (f.state == FlowState::syn_sent) return dropped(Drop::bad_flags);
  if (!is_acceptable_from_client(f, w.segment)) {
    if (may_answer(s, f, w.segment)) answer_client(s, f, w.segment);
    return dropped(Drop::bad_sequence);
  }
  if (f.has(Flow::kClientTimestamps) && !take_clock(f.client_tcp, f.up.ts_recent, w.segment, f.up.ack_shown)) {
    if (may_answer(s, f, w.segment)) answer_client(s, f, w.segment);
    return dropped(Drop::paws);
  }
  f.client_mac = w.segment.source_mac;  // the way back is the way it came (D-0003)
  switch (f.state) {
    case FlowState::established:
      if (f.exchange != nullptr) return take_request_bytes(s, w);
      if (f.link == splice::ServerLink::none) return take_before_connect(s, w);
      [[fallthrough]];
    case FlowState::lingering: return splice::up(s.r, f, w.segment, w.packet);
    case FlowState::syn_answered:
    case FlowState::handshake: return f.route->policy.handling == splice::Handling::pass ? start_passing(s, w) : take_hello(s, w);
    case FlowState::draining: return take_while_draining(s, f, w.segment);
    case FlowState::passing:
    case FlowState::syn_sent:
    case FlowState::free: break;
  }
  return dropped(Drop::bad_flags);
}

Verdict from_server(State& s, Work& w) noexcept {
  if (w.flow == nullptr) w.flow = find(s, Side::server, w.segment);
  if (s.half == Half::far && (w.flow == nullptr || w.segment.has(wire::kSyn))) return take_call(s, w);
  if (w.flow == nullptr || !may_speak(s, *w.flow)) return refuse(s, Side::server, w);
  Flow& f = *w.flow;
  if (s.r.trace != nullptr) trace_in(s, Side::server, w);
  if (f.exchange != nullptr) {
    if (Leg* leg = leg_of(f, w.segment)) return take_from_leg(s, f, *leg, w.segment), kConsume;
  }
  const bool is_asked = f.link == splice::ServerLink::asked && (f.state == FlowState::established || f.state == FlowState::passing);
  if (is_asked) return take_connect_answer(s, w);
  if (f.state == FlowState::passing) return pass_from_server(s, w);
  const bool is_synchronized = f.state == FlowState::handshake || f.state == FlowState::established || f.state == FlowState::lingering;
  if (is_synchronized && !w.segment.has(wire::kRst)) {
    if (!is_acceptable_from_server(f, w.segment)) {
      if (may_answer(s, f, w.segment)) answer_server(s, f, w.segment);
      return dropped(Drop::bad_sequence);
    }
    if (f.has(Flow::kServerTimestamps) && !take_clock(f.server_tcp, f.down.ts_recent, w.segment, f.down.ack_shown)) {
      if (may_answer(s, f, w.segment)) answer_server(s, f, w.segment);
      return dropped(Drop::paws);
    }
  }
  switch (f.state) {
    case FlowState::syn_sent:
      if (s.half == Half::far) return w.segment.has(wire::kRst) ? take_server_reset(s, f, w.segment) : dropped(Drop::bad_flags);
      [[fallthrough]];
    case FlowState::syn_answered: return answer_from_server(s, w);
    case FlowState::handshake:
      if (w.segment.has(wire::kRst)) return take_server_reset(s, f, w.segment);
      if (s.half == Half::far) return dropped(Drop::bad_flags);  // it has not been answered yet
      if (w.segment.has(wire::kSyn) || w.segment.length() != 0) splice::owe_ack_to_server(s.r, f);
      return w.segment.payload_bytes != 0 ? dropped(Drop::early_server_data) : kConsume;
    case FlowState::established:
    case FlowState::lingering:
      if (w.segment.has(wire::kRst)) return take_server_reset(s, f, w.segment);
      if (w.segment.has(wire::kSyn)) {
        splice::owe_ack_to_server(s.r, f);
        return dropped(Drop::bad_flags);
      }
      return f.exchange != nullptr ? take_answer_bytes(s, w) : splice::down(s.r, f, w.segment, w.packet);
    case FlowState::draining: return refuse(s, Side::server, w);
    case FlowState::passing:
    case FlowState::free: break;
  }
  return dropped(Drop::bad_flags);
}

}  // namespace

void trace_in(State& s, Side side, const Work& w) noexcept {
  const Flow& f = *w.flow;
  const std::uint8_t shift = side == Side::client ? f.client_tcp.window_shift : f.server_tcp.window_shift;
  s.r.trace->record({.at_us = s.r.now.us,
                     .flow = f.index,
                     .side = side == Side::client ? splice::TraceSide::client : splice::TraceSide::server,
                     .direction = splice::TraceDirection::rx,
                     .flags = w.segment.flags,
                     .note = splice::TraceNote::none,
                     .seq = w.segment.seq.value,
                     .ack = w.segment.ack.value,
                     .window = static_cast<std::uint32_t>(w.segment.window) << (w.segment.has(wire::kSyn) ? 0 : shift),
                     .payload_bytes = w.segment.payload_bytes});
}

void translate(State& s, Side side, std::span<Work> work) noexcept {
  for (Work& w : work) {
    if (w.verdict.action != Action::forward) continue;  // ended in an earlier stage
    if (w.flow != nullptr && (w.flow->state == FlowState::free || w.flow->generation != w.generation)) w.flow = nullptr;  // ended in this burst
    w.verdict = side == Side::client ? from_client(s, w) : from_server(s, w);
    if (w.flow == nullptr) continue;
    if (w.flow->state >= FlowState::draining) {
      end_session(*w.flow);
      if (w.flow->exchange != nullptr) close_legs(s, *w.flow);
    }
    if (w.flow->state == FlowState::free) forget(s, *w.flow);
  }
}

}  // namespace cutwater::path
