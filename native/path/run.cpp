// The table of contents of the packet's path: the stages in order, and nothing else (docs/packet-path.md walks through it).
#include "path/path.hpp"
#include "path/state.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"

namespace cutwater::path {
namespace {

constexpr std::uint64_t kPostAgainUs = 1000;  // how soon a hello that waits is offered again where no reply wakes the worker

void release_all(State& s) noexcept {
  for (std::uint32_t i = 0; i < s.flows.used(); ++i) {
    if (s.flows.at(i).state != splice::FlowState::free) splice::release(s.r, s.flows.at(i));
  }
  for (std::uint32_t i = 0; i < s.half_open.used(); ++i) s.half_open.at(i).ahead.clear(s.r.held);
}

void settle(State& s) noexcept {
  if (s.half == Half::near) post_waiting(s);
  splice::settle_acks(s.r);
  sleep_all(s);
}

constexpr int kMostTimers = 256;  // a turn: a thousand flows that time out together must not stop the packets

void expire_flows(State& s) noexcept {
  for (int i = 0; i < kMostTimers; ++i) {
    const std::uint32_t index = s.timers.pop_due(s.r.now);
    if (index == flow::TimerWheel::kNone) break;
    splice::Flow& f = s.flows.at(index);
    if (s.half == Half::far && f.state == splice::FlowState::syn_sent) {
      on_far_timer(s, f);
      continue;
    }
    if (f.state == splice::FlowState::syn_sent && f.expires <= s.r.now) note_failure(s, f, balance::Failing::connect);
    const bool is_ours = f.state == splice::FlowState::established || f.state == splice::FlowState::passing;
    if (is_ours && f.link != splice::ServerLink::up) on_connect_timer(s, f);
    if (is_half_open(f)) {  // a trace keeps them awake
      expire_half_open(s, f);
      continue;
    }
    if (f.state != splice::FlowState::free) splice::on_timer(s.r, f);
    if (f.state == splice::FlowState::free) forget(s, f);
  }
}

void expire_half_opens(State& s) noexcept {
  for (int i = 0; i < kMostTimers; ++i) {
    const std::uint32_t index = s.half_open.timers.pop_due(s.r.now);
    if (index == flow::TimerWheel::kNone) break;
    splice::Flow* f = wake(s, s.half_open.at(index));
    if (f == nullptr) {  // no place to wake it in: soon there will be
      s.half_open.timers.arm(index, s.r.now + kPostAgainUs, s.r.now);
      break;
    }
    f->expires = s.r.now;  // a timer that has fired no longer knows when it was to
    expire_half_open(s, *f);
    splice::settle_acks(s.r);
    sleep_all(s);
  }
}

}  // namespace

Path::Impl::Impl(const PathConfig& given, port::ChunkPool& chunks, secure::Link& secure)
    : state(given, chunks, secure, near_counters), config(given), pool(chunks) {}

Path::Path(const PathConfig& config, port::ChunkPool& pool, secure::Link& secure) : impl_(std::make_unique<Impl>(config, pool, secure)) {}
Path::~Path() {
  if (impl_->far != nullptr) release_all(*impl_->far);
  release_all(impl_->state);
}

void Path::run(Side side, std::span<port::Packet> burst, Tick now) noexcept {
  impl_->state.r.now = now;
  if (impl_->far == nullptr) return run_half(impl_->state, side, burst);
  if (side == Side::client) run_half(impl_->state, side, burst);
  else impl_->run_from_servers(burst);
  impl_->exchange();
}

void run_half(State& s, Side side, std::span<port::Packet> burst) noexcept {
  while (!burst.empty()) {
    const std::span<port::Packet> part = burst.first(std::min(burst.size(), s.work.size()));
    const std::span<Work> work(s.work.data(), part.size());
    for (std::size_t i = 0; i < part.size(); ++i) {
      __builtin_prefetch(part[i].data);  // the headers: they lie in two lines
      __builtin_prefetch(part[i].data + 64);
      work[i].packet = part[i], work[i].flow = nullptr, work[i].verdict = kForward;
    }
    s.counters.add(side == Side::client ? Count::packets_from_clients : Count::packets_from_servers, part.size());
    parse(s, side, work);
    lookup(s, side, work);
    path::translate(s, side, work);
    finish(s, work);
    if (s.half == Half::near) post_waiting(s);
    sleep_all(s);
    burst = burst.subspan(part.size());
  }
}

void Path::drain_secure(Tick now) noexcept {
  State& s = impl_->state;
  s.r.now = now;
  while (true) {
    if (s.waiting == nullptr) s.waiting = s.secure.poll();
    if (s.waiting == nullptr) break;
    const bool is_far = (s.waiting->token.flow & kFarToken) != 0;
    State& of = is_far && impl_->far != nullptr ? *impl_->far : s;
    if (!has_memory_for(of, *s.waiting)) break;
    of.r.now = now;
    const auto reply = std::move(s.waiting);
    take_reply(of, *reply);
  }
  settle(s);
  if (impl_->far != nullptr) impl_->exchange();
}

void Path::expire(Tick now) noexcept {
  State& s = impl_->state;
  s.r.now = now;
  expire_flows(s);
  expire_half_opens(s);
  settle(s);
  if (impl_->far == nullptr) return;
  impl_->far->r.now = now;
  expire_flows(*impl_->far);
  impl_->exchange();
}

Tick Path::next_deadline() const noexcept {
  const State& s = impl_->state;
  Tick due = std::min(s.timers.next_deadline(), s.half_open.timers.next_deadline());
  if (impl_->far != nullptr) due = impl_->is_unfinished ? s.r.now : std::min(due, impl_->far->timers.next_deadline());
  return s.half_open.waiting() == 0 ? due : std::min(due, s.r.now + kPostAgainUs);
}

std::span<const port::Packet> Path::tx(Side side) const noexcept {
  return side == Side::client ? impl_->state.r.to_client.packets() : impl_->state.r.to_server.packets();
}
void Path::clear_tx(Side side) noexcept {
  if (side == Side::client) impl_->state.r.to_client.clear();
  else impl_->state.r.to_server.clear();
}

}  // namespace cutwater::path
