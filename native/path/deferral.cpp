// Hellos that can only end in RSA key exchange: answered at once from a template, and a processor hears of the client only when
// its secret is there. Until then a client costs its record and the block with its hello; our answer is sent from the template,
// and sent again as TCP wants it, without a sender of its own.
// Not here: which hellos (hello/deferral.hpp). Implements: H3, H4, H5, H8.
#include "path/deferral.hpp"

#include <algorithm>
#include <new>

#include "path/state.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"
#include "splice/rto.hpp"

namespace cutwater::path {
namespace {

using secure::HandshakeFailure;
using splice::Flow;

constexpr std::uint64_t kMs = 1000;
constexpr std::uint32_t kInitialSegments = 10;   // RFC 6928 2; no more is ever on its way
constexpr std::uint8_t kDuplicateThreshold = 3;  // RFC 5681 3.2

std::size_t place_of(const hello::Assembly& a) noexcept { return (a.message_bytes + alignof(Deferral) - 1) / alignof(Deferral) * alignof(Deferral); }

/// Requires: Turn::reply.
Deferral& deferral_of(State& s, const HalfOpen& h) noexcept {
  return *std::launder(reinterpret_cast<Deferral*>(s.blocks.at(h.assembly.block) + place_of(h.assembly)));
}

Bytes reply_of(State& s, const HalfOpen& h) noexcept {
  const Deferral& d = deferral_of(s, h);
  return {reinterpret_cast<const std::uint8_t*>(&d + 1), d.reply_bytes};
}

std::uint64_t interval_us(const Flow& f, const Deferral& d) noexcept {
  splice::Rto rto;
  rto.sample(f.client_rtt_us);
  return rto.interval_us() << std::min<std::uint8_t>(d.resends, splice::Rto::kMaxRetries);
}

void copy_flight(const Deferral& d, std::size_t offset, MutableBytes out) noexcept {
  const Bytes front = Bytes(d.server_hello).first(d.server_hello_bytes);
  for (const Bytes part : {front, Bytes(d.flight->records)}) {
    const Bytes piece = part.subspan(std::min(offset, part.size()));
    const std::size_t bytes = std::min(piece.size(), out.size());
    std::copy_n(piece.begin(), bytes, out.begin());
    out = out.subspan(bytes);
    offset -= std::min(offset, part.size());
  }
}

bool send_piece(State& s, Flow& f, Deferral& d, SeqNum at, std::uint32_t bytes) noexcept {
  splice::Outgoing out;
  if (!splice::take_packet(s.r, out.packet, out.payload)) return false;
  copy_flight(d, static_cast<std::size_t>(at - d.begin), {out.payload, bytes});
  const bool is_resent = before(at, d.highest);
  out.payload_bytes = bytes;
  out.seq = at;
  out.flags = wire::kAck | wire::kPsh;
  out.note = is_resent ? splice::TraceNote::local_resent : splice::TraceNote::local_bytes;
  s.counters.add(is_resent ? Count::local_resent : Count::local_sent);
  d.highest = later(d.highest, at + bytes);
  (void)splice::send_to_client(s.r, f, out);
  return true;
}

/// Sends what comes next, as far as the client's window and `segments` go; into a closed window `probe_bytes`, once nothing is on its way.
void send_flight(State& s, Flow& f, Deferral& d, std::uint32_t segments, std::int32_t probe_bytes) noexcept {
  const std::uint32_t mss = f.client_tcp.mss;
  const SeqNum edge = earlier(f.down.client_edge, f.down.cipher_una + kInitialSegments * mss);
  for (; segments != 0 && before(d.sent, f.down.cipher_next); --segments) {
    auto bytes = std::min<std::int32_t>(f.down.cipher_next - d.sent, static_cast<std::int32_t>(mss));
    const std::int32_t room = edge - d.sent;
    if (room < bytes) bytes = d.sent == f.down.cipher_una ? std::max(room, probe_bytes) : 0;
    if (bytes <= 0 || !send_piece(s, f, d, d.sent, static_cast<std::uint32_t>(bytes))) break;
    d.sent += static_cast<std::uint32_t>(bytes);
  }
  if (d.resend_at == kNever) d.resend_at = s.r.now + interval_us(f, d);
  f.expires = std::min(d.deadline, d.resend_at);
}

void note_progress(State& s, Flow& f, Deferral& d) noexcept {
  d.acked = f.down.cipher_una;
  d.sent = later(d.sent, d.acked);
  d.resends = d.duplicates = 0;
  d.resend_at = d.acked == f.down.cipher_next ? kNever : s.r.now + interval_us(f, d);
  f.expires = std::min(d.deadline, d.resend_at);
}

void refuse_reply(State& s, Flow& f, const hello::Refusal& refusal) noexcept {
  using Kind = hello::Refusal::Kind;
  if (refusal.kind == Kind::client_alert) return end_by_alert(s, f, refusal.alert);
  const auto failure = refusal.kind == Kind::too_large ? HandshakeFailure::too_large : HandshakeFailure::bad_record;
  refuse_handshake(s, f, failure, refusal.alert);
}

// A whole reply. Nobody can have made it who has not got all that it answers.
void take_whole_reply(State& s, Flow& f) noexcept {
  if (f.down.cipher_una != f.down.cipher_next) {
    return refuse_handshake(s, f, HandshakeFailure::bad_record, static_cast<std::uint8_t>(record::Alert::unexpected_message));
  }
  half_open_of(s, f).is_proven = true;
  s.counters.add(Count::replies_handed_over);
  wait_for_processor(s, f, Standing::known);
}

}  // namespace

bool is_deferred(const HalfOpen& h) noexcept { return h.standing == Standing::deferred; }

// Only where the flow's own routes are the current ones: they keep the template alive, and the processors have the same certificates.
const record::RsaFlights* rsa_flights_of(const State& s, const Flow& f, const HelloRules& rules) noexcept {
  const std::vector<splice::Route>& routes = s.route_sets.back().routes;
  const bool is_current = f.route >= routes.data() && f.route < routes.data() + routes.size();
  return is_current ? rules.rsa_flights.get() : nullptr;
}

bool answer_from_template(State& s, Flow& f, const hello::Deferred& deferred) noexcept {
  HalfOpen& h = half_open_of(s, f);
  const std::size_t at = place_of(h.assembly);
  if (!hello::make_room(h.assembly, s.blocks, at + sizeof(Deferral), h.assembly.message_bytes)) return false;
  auto& d = *new (s.blocks.at(h.assembly.block) + at) Deferral{};
  d.flight = deferred.flight;
  d.deadline = s.r.now + f.route->policy.handshake_timeout_ms * kMs;
  d.begin = d.sent = d.highest = f.down.cipher_next;
  d.acked = f.down.cipher_una;
  d.server_hello_bytes = static_cast<std::uint16_t>(hello::emit_server_hello(deferred, s.server_randoms.next(), d.server_hello.data()));
  d.reply.may_have_certificate = deferred.asks_certificate;
  f.down.cipher_next += d.server_hello_bytes + static_cast<std::uint32_t>(d.flight->records.size());
  h.assembly.turn = hello::Turn::reply;
  s.half_open.move(h, Standing::deferred);
  s.counters.add(Count::hellos_deferred);
  send_flight(s, f, d, kInitialSegments, 0);
  return true;
}

std::size_t collect_reply(State& s, Flow& f, Bytes bytes) noexcept {
  HalfOpen& h = half_open_of(s, f);
  hello::KeyReply reply = deferral_of(s, h).reply;
  const hello::KeyReplyStep step = hello::follow(reply, bytes);
  if (step.is_refused) {
    f.up.cipher_next += static_cast<std::uint32_t>(step.used_bytes);
    return refuse_reply(s, f, step.refusal), step.used_bytes;
  }
  const std::size_t used = place_of(h.assembly) + sizeof(Deferral) + deferral_of(s, h).reply_bytes;
  if (used + step.used_bytes > hello::kLongBlockBytes) {  // certificates that no block holds: a processor takes them as they come
    if (f.down.cipher_una == f.down.cipher_next) take_whole_reply(s, f);
    return 0;
  }
  if (!hello::make_room(h.assembly, s.blocks, used + step.used_bytes, used)) return 0;
  Deferral& d = deferral_of(s, h);
  std::copy_n(bytes.begin(), step.used_bytes, s.blocks.at(h.assembly.block) + used);
  d.reply_bytes = static_cast<std::uint16_t>(d.reply_bytes + step.used_bytes);
  d.reply = reply;
  f.up.cipher_next += static_cast<std::uint32_t>(step.used_bytes);
  if (reply.is_whole()) take_whole_reply(s, f);
  return step.used_bytes;
}

void go_on_with_flight(State& s, Flow& f, const wire::Segment& seg) noexcept {
  HalfOpen& h = half_open_of(s, f);
  if (!is_deferred(h)) return;
  Deferral& d = deferral_of(s, h);
  if (before(d.acked, f.down.cipher_una)) note_progress(s, f, d);
  else if (d.acked != d.sent && seg.length() == 0 && seg.ack == d.acked && ++d.duplicates == kDuplicateThreshold) {
    const auto bytes = std::min<std::int32_t>(d.highest - d.acked, f.client_tcp.mss);
    (void)send_piece(s, f, d, d.acked, static_cast<std::uint32_t>(bytes));
  }
  if (before(d.sent, f.down.cipher_next)) send_flight(s, f, d, kInitialSegments, 0);
}

void resend_flight(State& s, Flow& f) noexcept {
  Deferral& d = deferral_of(s, half_open_of(s, f));
  if (f.down.cipher_una == f.down.cipher_next) return;
  d.sent = f.down.cipher_una;
  send_flight(s, f, d, kInitialSegments, 0);
}

bool on_deferral_timer(State& s, Flow& f) noexcept {
  Deferral& d = deferral_of(s, half_open_of(s, f));
  if (d.deadline <= s.r.now) return false;
  f.expires = std::min(d.deadline, d.resend_at);
  if (d.resend_at <= s.r.now) {
    if (d.resends < splice::Rto::kMaxRetries) ++d.resends;
    d.sent = f.down.cipher_una;
    d.resend_at = kNever;
    send_flight(s, f, d, 1, 1);
  }
  splice::arm(s.r, f);
  return true;
}

void add_deferral(State& s, const Flow& f, secure::Request& request, std::vector<std::uint8_t>& rest) {
  const HalfOpen& h = half_open_of(s, f);
  const Deferral& d = deferral_of(s, h);
  const Bytes reply = reply_of(s, h);
  const std::size_t whole = record::whole_records(reply).record_bytes;
  request.hello_bytes = static_cast<std::uint32_t>(request.bytes.size());
  request.bytes.insert(request.bytes.end(), reply.begin(), reply.begin() + static_cast<std::ptrdiff_t>(whole));
  request.flight.resize(d.server_hello_bytes + d.flight->records.size());
  copy_flight(d, 0, request.flight);
  rest.assign(reply.begin() + static_cast<std::ptrdiff_t>(whole), reply.end());
}

}  // namespace cutwater::path
