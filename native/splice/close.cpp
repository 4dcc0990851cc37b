#include "splice/close.hpp"

#include <algorithm>

#include "http/exchange.hpp"
#include "splice/custody.hpp"
#include "splice/emit.hpp"
#include "splice/seal.hpp"
#include "splice/up.hpp"

namespace cutwater::splice {
namespace {

constexpr std::uint64_t kMs = 1000;

void drop_server_side(Resources& r, Flow& f) noexcept {
  if (f.state != FlowState::draining) reset_server(r, f);
  release_custody(r, f);
  f.up.spans.clear(r.spans);
  f.up.ahead.clear(r.held);
  f.up.pieces.clear(r.held);
  f.down.ahead.clear(r.held);
  f.down.pieces.clear(r.held);
}

void count_reset(Resources& r, Flow& f, Reset reason) noexcept {
  f.reset_reason = reason;
  r.counters.add(reason);
}

void start_draining(Resources& r, Flow& f) noexcept {
  f.state = FlowState::draining;
  f.expires = r.now + kDrainUs;
  send_local(r, f);
  arm(r, f);  // here, not by the caller: an alert may be lost, and a client that hears nothing may say nothing
}

}  // namespace

void fail(Resources& r, Flow& f, Reset reason, record::Alert alert) noexcept {
  if (f.state == FlowState::draining || f.state == FlowState::free) return;
  count_reset(r, f, reason);
  drop_server_side(r, f);
  if (f.down.fin != FinState::none || !append_alert(r, f, static_cast<std::uint8_t>(alert), Ending::fin)) {
    reset_client(r, f);
    release(r, f);
    return;
  }
  start_draining(r, f);
}

void fail_handshake(Resources& r, Flow& f, Reset reason, std::vector<std::uint8_t>&& records) noexcept {
  if (f.state == FlowState::draining || f.state == FlowState::free) return;
  count_reset(r, f, reason);
  drop_server_side(r, f);
  if (!append_local(r, f, std::move(records), Ending::fin)) {
    reset_client(r, f);
    release(r, f);
    return;
  }
  start_draining(r, f);
}

void end_with_answer(Resources& r, Flow& f, Reset reason, Bytes answer) noexcept {
  if (f.state == FlowState::draining || f.state == FlowState::free) return;
  count_reset(r, f, reason);
  drop_server_side(r, f);
  const bool is_said = f.down.fin == FinState::none && append_answer(r, f, answer) &&
                       append_alert(r, f, static_cast<std::uint8_t>(record::Alert::close_notify), Ending::fin);
  if (!is_said) {
    reset_client(r, f);
    return release(r, f);
  }
  start_draining(r, f);
}

void end_by_client_alert(Resources& r, Flow& f) noexcept { reset_both(r, f, Reset::client_alert); }

void reset_both(Resources& r, Flow& f, Reset reason) noexcept {
  count_reset(r, f, reason);
  if (f.state != FlowState::draining) reset_server(r, f);
  reset_client(r, f);
  release(r, f);
}

void pass_reset_to_server(Resources& r, Flow& f, Reset reason) noexcept {
  count_reset(r, f, reason);
  if (f.state != FlowState::draining) reset_server(r, f);
  release(r, f);
}

void pass_reset_to_client(Resources& r, Flow& f, Reset reason) noexcept {
  count_reset(r, f, reason);
  reset_client(r, f);
  release(r, f);
}

void take_client_fin(Resources& r, Flow& f) noexcept {
  if (f.up.end == UpEnd::finished) return;
  const bool is_in_record = f.custody != nullptr && !f.custody->partial.is_none();
  if (f.up.end == UpEnd::open && f.state == FlowState::established) {
    if (is_in_record) return reset_both(r, f, Reset::truncated_in_record);
    if (f.route->policy.truncation == Truncation::reset) return reset_both(r, f, Reset::truncated);
    owe_fin_to_server(r, f);
  }
  f.up.end = UpEnd::finished;
  f.up.cipher_next += 1;
  owe_ack_to_client(r, f);
}

void take_server_fin(Resources& r, Flow& f) noexcept {
  if (f.down.fin != FinState::none) return;
  if (f.exchange != nullptr && f.exchange->keeps_end()) {  // between two requests it is no end to the client
    f.down.plain_next += 1;
    return owe_ack_to_server(r, f);
  }
  if (!append_alert(r, f, static_cast<std::uint8_t>(record::Alert::close_notify), Ending::fin)) return;  // it will be resent
  f.down.fin = FinState::owed;
  send_local(r, f);
}

void settle_fins(Resources& r, Flow& f) noexcept {
  if (f.down.fin == FinState::owed && f.down.spans.empty()) {
    f.down.fin = FinState::acked;
    if (f.state == FlowState::established) {
      f.down.plain_next += 1;
      owe_ack_to_server(r, f);
    }
  }
  const bool is_done = f.down.fin == FinState::acked && f.up.fin == FinState::acked && f.up.end == UpEnd::finished;
  if (!is_done || f.state != FlowState::established) return;
  f.state = FlowState::lingering;
  f.expires = r.now + kLingerUs;
  r.counters.add(Count::flows_closed);
}

bool take_late_reset(Resources& r, Flow& f) noexcept {
  if (f.up.end != UpEnd::finished || f.down.fin == FinState::none || f.state != FlowState::established) return false;
  if (f.down.fin == FinState::acked) return true;  // it has everything, and what it gave us is still ours to deliver
  bool is_all_local = true;
  f.down.spans.each(r.spans, [&](const Span& span) { return is_all_local = span.plain_bytes == 0; });
  if (!is_all_local) return false;  // the server's last bytes never arrived: it has to hear of it (I1)
  release_local(r, f);
  f.down.spans.clear(r.spans);
  settle_fins(r, f);
  go_on(r, f);
  return true;
}

void release(Resources& r, Flow& f) noexcept {
  release_custody(r, f);
  release_local(r, f);
  f.up.spans.clear(r.spans);
  f.down.spans.clear(r.spans);
  f.up.ahead.clear(r.held);
  f.up.pieces.clear(r.held);
  f.down.ahead.clear(r.held);
  f.down.pieces.clear(r.held);
  if (f.previous != nullptr) {
    const auto before_it = [](std::uint8_t epoch) { return static_cast<std::uint8_t>(epoch - 1); };
    r.keys.erase({f.index, f.generation, before_it(f.up.epoch), record::KeyId::Direction::up});
    r.keys.erase({f.index, f.generation, before_it(f.down.epoch), record::KeyId::Direction::down});
    wipe(&f.previous->up, sizeof f.previous->up);
    wipe(&f.previous->down, sizeof f.previous->down);
    r.previous_keys.put(f.previous);
    f.previous = nullptr;
  }
  if (f.suite != nullptr) {
    r.keys.erase({f.index, f.generation, f.up.epoch, record::KeyId::Direction::up});
    r.keys.erase({f.index, f.generation, f.down.epoch, record::KeyId::Direction::down});
  }
  r.timers.disarm(f.index);
  f.state = FlowState::free;
}

void arm(Resources& r, Flow& f) noexcept {
  if (f.state == FlowState::free) return;
  const bool is_up = (f.state == FlowState::established || f.state == FlowState::passing) && f.link == ServerLink::up;
  Tick due = is_up ? f.last_active + f.route->policy.idle_timeout_ms * kMs : f.expires;
  if (f.state == FlowState::passing) due = std::min(due, f.expires);
  if (f.custody != nullptr) due = std::min(due, f.custody->control.deadline());
  if (f.local != nullptr) due = std::min(due, f.local->deadline());
  if (due < r.timers.deadline(f.index)) r.timers.arm(f.index, due, r.now);
}

void on_timer(Resources& r, Flow& f) noexcept {
  if (f.local != nullptr && f.local->deadline() <= r.now) {
    // While the client lacks bytes of the server's before ours it cannot acknowledge ours: the server's patience counts, not our own.
    const bool is_held_up = f.state == FlowState::established && f.local->is_beyond(f.down.cipher_una);
    if (!f.local->on_timer(r.now) && !is_held_up) return reset_both(r, f, Reset::retries_exhausted);
    send_local(r, f);
  }
  if (f.custody != nullptr && f.custody->control.deadline() <= r.now) {
    if (!f.custody->control.on_timer(r.now, send_end(f))) return reset_both(r, f, Reset::retries_exhausted);
    send_from_custody(r, f);
  }
  switch (f.state) {
    case FlowState::established:
      if (f.link != ServerLink::up) break;  // path/connect.cpp counts its time
      if (f.last_active + f.route->policy.idle_timeout_ms * kMs <= r.now) return reset_both(r, f, Reset::idle_timeout);
      break;
    case FlowState::passing:
      if (f.link != ServerLink::up) break;  // as above
      if (f.expires <= r.now) return release(r, f);
      if (f.last_active + f.route->policy.idle_timeout_ms * kMs <= r.now) return reset_both(r, f, Reset::idle_timeout);
      break;
    case FlowState::lingering:
      if (f.expires <= r.now) return release(r, f);
      break;
    case FlowState::draining:
      if (f.expires <= r.now) {
        reset_client(r, f);
        return release(r, f);
      }
      break;
    case FlowState::syn_sent:
    case FlowState::syn_answered:
    case FlowState::handshake:
      if (f.expires <= r.now) return reset_both(r, f, Reset::handshake_timeout);
      break;
    case FlowState::free: return;
  }
  arm(r, f);
}

}  // namespace cutwater::splice
