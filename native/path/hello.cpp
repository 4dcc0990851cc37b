// A half-open client's hello: put together, read, judged, and kept in line for a secure processor. Until its turn comes it
// costs its record and its block, and when the client goes it costs nothing any more: what nobody waits for is never signed.
// Implements: H1, H2, H3, H8, H9.
#include <algorithm>

#include "hello/client_hello.hpp"
#include "path/state.hpp"
#include "splice/close.hpp"
#include "splice/custody.hpp"
#include "splice/emit.hpp"

namespace cutwater::path {
namespace {

using hello::Assembled;
using hello::Refusal;
using secure::HandshakeFailure;
using splice::Flow;
using splice::FlowState;

constexpr std::uint64_t kMs = 1000;
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

std::uint64_t wall_s(const State& s) noexcept { return static_cast<std::uint64_t>(s.wall_at_zero_s) + s.r.now.us / 1'000'000; }

const HelloRules& rules_of(const State& s, const Flow& f) noexcept {
  static const HelloRules kNone;
  const std::uint32_t service = f.route->service_id;
  return service < s.hello_rules.size() && s.hello_rules[service] != nullptr ? *s.hello_rules[service] : kNone;
}

bool wants_retry(const State& s, const HelloRules& rules) noexcept {
  return rules.retry == Retry::always || (rules.retry == Retry::automatic && s.pressure.is_high);
}

hello::CookieOwner owner_of(const Flow& f) noexcept { return {f.client.address, f.route->service_id}; }

// Goes out beside the local sender: what a client has not acknowledged is kept in its block, and sent again when the client
// sends its hello again, which it does because nothing else acknowledged that.
void send_retry(State& s, Flow& f, SeqNum at) noexcept {
  const HalfOpen& h = half_open_of(s, f);
  splice::Outgoing out;
  if (!splice::take_packet(s.r, out.packet, out.payload)) return;
  std::memcpy(out.payload, s.blocks.at(h.answer), h.answer_bytes);
  out.payload_bytes = h.answer_bytes;
  out.seq = at;
  out.flags = wire::kAck | wire::kPsh;
  out.note = splice::TraceNote::local_bytes;
  (void)splice::send_to_client(s.r, f, out);
}

bool answer_with_retry(State& s, Flow& f, const hello::RetryMemory& memory, Bytes session_id) noexcept {
  HalfOpen& h = half_open_of(s, f);
  h.answer = s.blocks.take(hello::kAnswerBlockBytes);
  if (h.answer == hello::kNoBlock) return false;
  h.answer_bytes = static_cast<std::uint16_t>(hello::emit_retry(memory, owner_of(f), session_id, s.cookies, s.blocks.at(h.answer)));
  hello::drop_message(h.assembly, s.blocks);
  h.assembly = {.turn = hello::Turn::second};
  s.half_open.move(h, Standing::connecting);
  const SeqNum at = f.down.cipher_next;
  f.down.cipher_next += h.answer_bytes;
  send_retry(s, f, at);
  s.counters.add(Count::hellos_retried);
  return true;
}

void refuse_hello(State& s, Flow& f, record::Alert alert) noexcept {
  refuse_handshake(s, f, HandshakeFailure::bad_hello, static_cast<std::uint8_t>(alert));
}

void refuse_by_rule(State& s, Flow& f, HandshakeFailure why) noexcept {
  refuse_handshake(s, f, why, static_cast<std::uint8_t>(record::Alert::access_denied));
}

void judge_second(State& s, Flow& f, const hello::ClientHello& hello) noexcept {
  const auto memory = s.cookies.open(hello.cookie, owner_of(f), wall_s(s));
  if (!memory || !hello::fits_retry(*memory, hello)) {
    s.counters.add(Count::cookies_refused);
    return refuse_handshake(s, f, HandshakeFailure::bad_cookie, static_cast<std::uint8_t>(record::Alert::illegal_parameter));
  }
  s.counters.add(Count::cookies_accepted);
  half_open_of(s, f).is_proven = true;
  wait_for_processor(s, f, hello.has_psk ? Standing::resuming : Standing::known);
}

// A TLS 1.3 hello has a session ID for compatibility, and a ticket extension without meaning.
bool offers_session(const hello::ClientHello& hello) noexcept {
  constexpr std::uint16_t kTls13 = 0x0304;
  return hello.has_psk || (!hello.offers(kTls13) && (!hello.session_ticket.empty() || !hello.session_id.empty()));
}

// Behind an answer from a template a session is not taken up (secure/service_callbacks.cpp), so whoever offers one goes without. But an
// offer may be made up: strangers are taken at their word only while few of them wait and few handshakes are under way.
bool may_resume(const State& s, const hello::ClientHello& hello, bool is_known) noexcept {
  constexpr std::size_t kCrowd = 32, kBusy = 1024;
  const bool has_room = s.half_open.count(Standing::fresh) < kCrowd && s.under_way.size() - s.free_handshakes.size() < kBusy;
  return offers_session(hello) && (is_known || has_room);
}

// Returns: false when a processor has to see the hello now.
bool defer(State& s, Flow& f, const hello::ClientHello& hello, const HelloRules& rules) noexcept {
  const record::RsaFlights* flights = rsa_flights_of(s, f, rules);
  const auto deferred = flights == nullptr ? std::nullopt : hello::choose_deferral(*flights, hello);
  return deferred && answer_from_template(s, f, *deferred);
}

// Its server answers it. All that is kept of it here goes there, as the beginning of its stream.
void pass_hello(State& s, Flow& f, const hello::ClientHello& hello, Bytes message) noexcept {
  std::vector<std::uint8_t> records;
  record_hello(message, records);
  const std::string server_name(hello.server_name);  // its block goes with the half-open record
  if (!begin_passing(s, f, server_name)) return refuse_handshake(s, f, HandshakeFailure::overload, static_cast<std::uint8_t>(record::Alert::internal_error));
  if (f.state != FlowState::passing) return;
  if (!splice::keep_untouched(s.r, f, records)) return splice::reset_both(s.r, f, Reset::handshake_failed);
  connect(s, f);
}

// A whole hello. The first one is answered with a retry where the service wants that; the second has to bring the cookie back.
void judge(State& s, Flow& f) noexcept {
  const hello::Assembly& assembly = half_open_of(s, f).assembly;
  const Bytes message = hello::message_of(assembly, s.blocks);
  const auto parsed = hello::parse_client_hello(message);
  if (!parsed) return refuse_hello(s, f, static_cast<record::Alert>(hello::alert_for(parsed.error())));
  const HelloRules& rules = rules_of(s, f);
  if (assembly.turn == hello::Turn::second) return judge_second(s, f, *parsed);
  switch (s.triage.judge(rules.rules, *parsed, f.client.address, f.route->service_id, s.r.now)) {
    case hello::TriageVerdict::pass: break;
    case hello::TriageVerdict::deny: return refuse_by_rule(s, f, HandshakeFailure::denied);
    case hello::TriageVerdict::too_many: return refuse_by_rule(s, f, HandshakeFailure::too_many);
  }
  if (f.route->policy.handling == splice::Handling::pass_tls) return pass_hello(s, f, *parsed, message);
  const bool is_known = s.known.contains(f.client.address, s.r.now);
  if (!may_resume(s, *parsed, is_known) && defer(s, f, *parsed, rules)) return;
  if (wants_retry(s, rules)) {
    auto memory = hello::choose_retry(rules.profile, *parsed, message);
    if (memory) memory->wall_s = wall_s(s);
    if (memory && answer_with_retry(s, f, *memory, parsed->session_id)) return;
  }
  wait_for_processor(s, f, !is_known ? Standing::fresh : offers_session(*parsed) ? Standing::resuming : Standing::known);
}

bool is_waiting(const HalfOpen& h) noexcept { return static_cast<std::size_t>(h.standing) < kWaitingClasses; }

// Many wait, and more come than go: until few have waited for a while.
void note_pressure(State& s) noexcept {
  constexpr std::uint32_t kMany = 64, kFew = 8;
  constexpr std::uint64_t kCalmUs = 2'000'000;
  Pressure& p = s.pressure;
  const std::uint32_t waiting = s.half_open.waiting();
  if (waiting > kFew) p.low_since = s.r.now;
  if (!p.is_high && waiting >= kMany) {
    p.is_high = true;
    s.counters.add(Count::retries_switched_on);
  } else if (p.is_high && s.r.now - p.low_since >= kCalmUs) {
    p.is_high = false;
  }
}

// Best class first; one in eight is for the last in line, so that nobody starves.
HalfOpen* next_waiting(State& s) noexcept {
  std::array<Standing, kWaitingClasses> order{Standing::resuming, Standing::known, Standing::fresh};
  if (s.pressure.posted % 8 == 7) std::reverse(order.begin(), order.end());
  for (const Standing standing : order) {
    if (HalfOpen* h = s.half_open.oldest(standing)) return ++s.pressure.posted, h;
  }
  return nullptr;
}

}  // namespace

void wait_for_processor(State& s, Flow& f, Standing standing) noexcept {
  f.expires = s.r.now + rules_of(s, f).queue_timeout_ms * kMs;
  s.half_open.move(half_open_of(s, f), standing);  // posted when the burst ends
}

std::size_t collect_hello(State& s, Flow& f, Bytes bytes) noexcept {
  HalfOpen& h = half_open_of(s, f);
  if (is_deferred(h)) return collect_reply(s, f, bytes);
  if (is_waiting(h)) return 0;  // what comes behind its hello is not acknowledged, so it comes again
  Assembled step = hello::assemble(h.assembly, s.blocks, bytes);
  if (step.status == Assembled::Status::no_block && reap_speaking(s, f)) {
    const std::size_t used = step.used_bytes;
    step = hello::assemble(h.assembly, s.blocks, bytes.subspan(used));
    step.used_bytes += used;
  }
  f.up.cipher_next += static_cast<std::uint32_t>(step.used_bytes);
  if (h.answer != hello::kNoBlock && f.down.cipher_una == f.down.cipher_next) s.blocks.put(std::exchange(h.answer, hello::kNoBlock));
  if (h.assembly.block != hello::kNoBlock && h.standing == Standing::connecting) s.half_open.move(h, Standing::speaking);
  if (step.status == Assembled::Status::refused) refuse_handshake(s, f, failure_of(step.refusal.kind), step.refusal.alert);
  if (step.status == Assembled::Status::whole) judge(s, f);
  return step.used_bytes;
}

void resend_retry(State& s, Flow& f) noexcept {
  const HalfOpen& h = half_open_of(s, f);
  if (is_deferred(h)) return resend_flight(s, f);
  if (h.answer == hello::kNoBlock || f.down.cipher_una == f.down.cipher_next) return;
  s.counters.add(Count::local_resent);
  send_retry(s, f, f.down.cipher_next - h.answer_bytes);
}

void post_waiting(State& s) noexcept {
  note_pressure(s);
  while (s.secure.backlog() < kPostedAhead) {
    HalfOpen* h = next_waiting(s);
    Flow* f = h == nullptr ? nullptr : wake(s, *h);
    if (f == nullptr) return;
    (void)start_handshake(s, *f, hello::message_of(h->assembly, s.blocks), h->assembly.turn);
    if (f->state == FlowState::free) forget(s, *f);
    else splice::arm(s.r, *f);
  }
}

void expire_half_open(State& s, Flow& f) noexcept {
  constexpr auto kAlert = static_cast<std::uint8_t>(record::Alert::internal_error);
  const HalfOpen& h = half_open_of(s, f);
  if (is_deferred(h) && on_deferral_timer(s, f)) return;
  if (is_waiting(h) && f.expires <= s.r.now) refuse_handshake(s, f, HandshakeFailure::deadline, kAlert);
  else splice::on_timer(s.r, f);
  if (f.state == FlowState::free) forget(s, f);
}

}  // namespace cutwater::path
