// The table of contents of the packet's path: the stages in order, and nothing else (docs/packet-path.md walks through it).
#include "path/path.hpp"
#include "path/state.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"

namespace cutwater::path {
namespace {
constexpr std::uint64_t kPostAgainUs = 1000;  // how soon a hello that waits is offered again where no reply wakes the worker
}

Path::Path(const PathConfig& config, port::ChunkPool& pool, secure::Link& secure)
    : impl_(new Impl{State(config, pool, secure)}) {}
Path::~Path() {
  State& s = impl_->state;
  for (std::uint32_t i = 0; i < s.flows.used(); ++i) {
    if (s.flows.at(i).state != splice::FlowState::free) splice::release(s.r, s.flows.at(i));
  }
  for (std::uint32_t i = 0; i < s.half_open.used(); ++i) s.half_open.at(i).ahead.clear(s.r.held);
}

void Path::run(Side side, std::span<port::Packet> burst, Tick now) noexcept {
  State& s = impl_->state;
  s.r.now = now;
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
    post_waiting(s);
    sleep_all(s);
    burst = burst.subspan(part.size());
  }
}

void Path::drain_secure(Tick now) noexcept {
  State& s = impl_->state;
  s.r.now = now;
  while (true) {
    if (s.waiting == nullptr) s.waiting = s.secure.poll();
    if (s.waiting == nullptr || !has_memory_for(s, *s.waiting)) break;
    const auto reply = std::move(s.waiting);
    take_reply(s, *reply);
  }
  post_waiting(s);
  splice::settle_acks(s.r);
  sleep_all(s);
}

void Path::expire(Tick now) noexcept {
  constexpr int kMostTimers = 256;  // a turn: a thousand flows that time out together must not stop the packets
  State& s = impl_->state;
  s.r.now = now;
  for (int i = 0; i < kMostTimers; ++i) {
    const std::uint32_t index = s.timers.pop_due(now);
    if (index == flow::TimerWheel::kNone) break;
    splice::Flow& f = s.flows.at(index);
    if (f.state == splice::FlowState::syn_sent && f.expires <= now) note_failure(s, f, balance::Failing::connect);
    const bool is_ours = f.state == splice::FlowState::established || f.state == splice::FlowState::passing;
    if (is_ours && f.link != splice::ServerLink::up) on_connect_timer(s, f);
    if (is_half_open(f)) {  // a trace keeps them awake
      expire_half_open(s, f);
      continue;
    }
    if (f.state != splice::FlowState::free) splice::on_timer(s.r, f);
    if (f.state == splice::FlowState::free) forget(s, f);
  }
  for (int i = 0; i < kMostTimers; ++i) {
    const std::uint32_t index = s.half_open.timers.pop_due(now);
    if (index == flow::TimerWheel::kNone) break;
    splice::Flow* f = wake(s, s.half_open.at(index));
    if (f == nullptr) {  // no place to wake it in: soon there will be
      s.half_open.timers.arm(index, now + kPostAgainUs, now);
      break;
    }
    f->expires = now;  // a timer that has fired no longer knows when it was to
    expire_half_open(s, *f);
    splice::settle_acks(s.r);
    sleep_all(s);
  }
  post_waiting(s);
  splice::settle_acks(s.r);
  sleep_all(s);
}

Tick Path::next_deadline() const noexcept {
  const State& s = impl_->state;
  const Tick due = std::min(s.timers.next_deadline(), s.half_open.timers.next_deadline());
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
