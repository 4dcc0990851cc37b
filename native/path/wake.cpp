// Half-open clients and their Flows: woken for a packet or a timer, put back to sleep when the burst ends, promoted when a
// secure processor starts to work for them, and given up, oldest first, when there is no room for newer ones.
// Implements: H1, H8; I5.
#include <algorithm>

#include "path/state.hpp"
#include "splice/close.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::FlowState;

// The table points to the record while there is one; afterwards to the flow.
void point_table_at_flow(State& s, Flow& f) noexcept {
  const std::array<std::uint32_t, 2> hashes{client_hash(s, f), server_hash(s, f)};
  const bool has_server = f.route->kind == splice::Route::Kind::through;
  for (const std::uint32_t hash : std::span(hashes).first(has_server ? 2 : 1)) {
    s.table.erase(hash, f.handshake);
    (void)s.table.insert(hash, f.index);  // into the place that has just become free
  }
}

bool may_sleep(const State& s, const Flow& f) noexcept {
  const bool is_setting_up = f.state == FlowState::syn_sent || f.state == FlowState::syn_answered || f.state == FlowState::handshake;
  return is_setting_up && f.local == nullptr && s.r.trace == nullptr;  // a trace wants one number for the whole life of a flow
}

void drop_blocks(State& s, HalfOpen& h) noexcept {
  hello::drop_message(h.assembly, s.blocks);
  if (h.answer != hello::kNoBlock) s.blocks.put(h.answer);
  h.answer = hello::kNoBlock;
}

void put_to_sleep(State& s, Flow& f) noexcept {
  HalfOpen& h = half_open_of(s, f);
  to_record(f, h);
  h.awake = kNobody;
  s.half_open.timers.arm(s.half_open.index_of(h), f.expires, s.r.now);
  s.timers.disarm(f.index);
  f.up.ahead = {};  // the record holds it now
  s.flows.put(f);
}

HalfOpen* older(HalfOpen* a, HalfOpen* b) noexcept {
  if (a == nullptr || b == nullptr) return a == nullptr ? b : a;
  return a->last_active <= b->last_active ? a : b;
}

HalfOpen* oldest_with_block(State& s) noexcept { return older(s.half_open.oldest(Standing::speaking), s.half_open.oldest(Standing::deferred)); }

HalfOpen* oldest_unproven(State& s) noexcept {
  return older(s.half_open.oldest(Standing::connecting), oldest_with_block(s));
}

}  // namespace

HalfOpen& half_open_of(State& s, const Flow& f) noexcept { return s.half_open.at(f.handshake & ~kHalfOpenEntry); }

HalfOpen* take_half_open(State& s, Flow& f) noexcept {
  HalfOpen* h = s.half_open.take();
  if (h == nullptr && reap(s, oldest_unproven(s))) h = s.half_open.take();
  if (h == nullptr) return nullptr;
  s.half_open.move(*h, Standing::connecting);
  h->awake = f.index;
  f.handshake = kHalfOpenEntry | s.half_open.index_of(*h);
  s.awake.push_back(&f);
  return h;
}

void drop_half_open(State& s, Flow& f) noexcept {
  HalfOpen& h = half_open_of(s, f);
  drop_blocks(s, h);
  s.half_open.move(h, Standing::none);
  s.half_open.put(h);
  std::erase(s.awake, &f);
  f.handshake = kNobody;
}

Flow* wake(State& s, HalfOpen& h) noexcept {
  if (h.awake != kNobody) return &s.flows.at(h.awake);
  Flow* f = s.flows.take();
  if (f == nullptr) return nullptr;
  const std::uint32_t index = s.half_open.index_of(h);
  from_record(h, *f);
  f->handshake = kHalfOpenEntry | index;
  f->expires = s.half_open.timers.deadline(index);
  s.half_open.timers.disarm(index);
  h.ahead = {};
  h.awake = f->index;
  s.awake.push_back(f);
  return f;
}

void sleep_all(State& s) noexcept {
  while (!s.awake.empty()) {
    Flow& f = *s.awake.back();
    if (may_sleep(s, f)) {
      s.awake.pop_back();
      put_to_sleep(s, f);
    } else if (s.r.trace != nullptr && f.local == nullptr && f.state != FlowState::draining) {
      return;  // all of them stay awake
    } else {
      promote(s, f);  // it has something to say to its client, and answers for it
    }
  }
}

void promote(State& s, Flow& f) noexcept {
  point_table_at_flow(s, f);
  drop_half_open(s, f);
}

bool reap(State& s, HalfOpen* h) noexcept {
  Flow* f = h == nullptr ? nullptr : wake(s, *h);
  if (f == nullptr) return false;
  splice::reset_both(s.r, *f, Reset::half_open_reaped);
  forget(s, *f);
  return true;
}

bool reap_speaking(State& s, const Flow& but) noexcept {
  HalfOpen* h = oldest_with_block(s);
  return h != nullptr && h != &half_open_of(s, but) && reap(s, h);
}

}  // namespace cutwater::path
