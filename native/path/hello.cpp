// A half-open client's hello: put together, read, judged, and kept in line for a secure processor. Until its turn comes it
// costs its record and its block, and when the client goes it costs nothing any more: what nobody waits for is never signed.
// Implements: H1, H2, H3, H8, H9.
#include "hello/client_hello.hpp"
#include "path/state.hpp"
#include "splice/close.hpp"

namespace cutwater::path {
namespace {

using hello::Assembled;
using hello::Refusal;
using secure::HandshakeFailure;
using splice::Flow;
using splice::FlowState;

constexpr std::size_t kPostedAhead = 16;  // requests that wait at the processors: enough to keep them busy until our next turn

HandshakeFailure failure_of(Refusal::Kind kind) noexcept {
  switch (kind) {
    case Refusal::Kind::bad_record: return HandshakeFailure::bad_record;
    case Refusal::Kind::plain_http: return HandshakeFailure::plain_http;
    case Refusal::Kind::client_alert: return HandshakeFailure::client_alert;
    case Refusal::Kind::bad_hello: return HandshakeFailure::bad_hello;
    case Refusal::Kind::too_large: return HandshakeFailure::too_large;
  }
  return HandshakeFailure::bad_hello;
}

void judge(State& s, Flow& f) noexcept {
  const auto parsed = hello::parse_client_hello(hello::message_of(half_open_of(s, f).assembly, s.blocks));
  if (!parsed) return refuse_handshake(s, f, HandshakeFailure::bad_hello, hello::alert_for(parsed.error()));
  s.half_open.move(half_open_of(s, f), Standing::fresh);  // posted when the burst ends
}

bool is_waiting(const HalfOpen& h) noexcept { return static_cast<std::size_t>(h.standing) < kWaitingClasses; }

// Best class first.
HalfOpen* next_waiting(State& s) noexcept {
  for (const Standing standing : {Standing::resuming, Standing::known, Standing::fresh}) {
    if (HalfOpen* h = s.half_open.oldest(standing)) return h;
  }
  return nullptr;
}

}  // namespace

std::size_t collect_hello(State& s, Flow& f, Bytes bytes) noexcept {
  HalfOpen& h = half_open_of(s, f);
  if (is_waiting(h)) return 0;  // what comes behind its hello is not acknowledged, so it comes again
  Assembled step = hello::assemble(h.assembly, s.blocks, bytes);
  if (step.status == Assembled::Status::no_block && reap_speaking(s, f)) {
    const std::size_t used = step.used_bytes;
    step = hello::assemble(h.assembly, s.blocks, bytes.subspan(used));
    step.used_bytes += used;
  }
  f.up.cipher_next += static_cast<std::uint32_t>(step.used_bytes);
  if (h.assembly.block != hello::kNoBlock && h.standing == Standing::connecting) s.half_open.move(h, Standing::speaking);
  if (step.status == Assembled::Status::refused) refuse_handshake(s, f, failure_of(step.refusal.kind), step.refusal.alert);
  if (step.status == Assembled::Status::whole) judge(s, f);
  return step.used_bytes;
}

void post_waiting(State& s) noexcept {
  while (s.secure.backlog() < kPostedAhead) {
    HalfOpen* h = next_waiting(s);
    Flow* f = h == nullptr ? nullptr : wake(s, *h);
    if (f == nullptr) return;
    (void)start_handshake(s, *f, hello::message_of(h->assembly, s.blocks));
    if (f->state == FlowState::free) forget(s, *f);
    else splice::arm(s.r, *f);
  }
}

void expire_half_open(State& s, Flow& f) noexcept {
  constexpr auto kAlert = static_cast<std::uint8_t>(record::Alert::internal_error);
  if (is_waiting(half_open_of(s, f)) && f.expires <= s.r.now) refuse_handshake(s, f, HandshakeFailure::deadline, kAlert);
  else splice::on_timer(s.r, f);
  if (f.state == FlowState::free) forget(s, f);
}

}  // namespace cutwater::path
