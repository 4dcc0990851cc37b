// A router says that a packet of ours does not fit its next hop. The end whose bytes it carried must hear of it in its own
// numbering, or path MTU discovery stops at us (A7). Believed only when it quotes something that is really on its way (RFC 5927 7).
#include <algorithm>

#include "path/state.hpp"
#include "splice/custody.hpp"
#include "wire/icmp.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::FlowState;

constexpr std::uint32_t kLeastMtuV4 = 552, kLeastMtuV6 = 1280;  // Linux min_pmtu; RFC 8200 5
constexpr std::uint16_t kTimestampBytes = 12;

bool is_on_its_way(SeqNum seq, SeqNum una, SeqNum next) noexcept { return !before(seq, una) && before(seq, next); }

// A packet that fits one side's MTU fits the other's with the headers of that side.
std::uint32_t across(std::uint32_t mtu, const IpAddress& from, const IpAddress& to) noexcept {
  const auto header = [](const IpAddress& address) { return static_cast<std::uint32_t>(address.is_v4() ? wire::kIpv4Bytes : wire::kIpv6Bytes); };
  return mtu - header(from) + header(to);
}

std::uint16_t payload_of(const Flow& f, std::uint8_t timestamps, std::uint32_t mtu, bool is_v4) noexcept {
  const std::size_t headers = (is_v4 ? wire::kIpv4Bytes : wire::kIpv6Bytes) + wire::kTcpBytes + (f.has(timestamps) ? kTimestampBytes : 0);
  return static_cast<std::uint16_t>(mtu - headers);
}

void pass_on(State& s, const wire::TooBig& told, const splice::LinkSide& link, const MacAddress& to, splice::Outbox& outbox) noexcept {
  const auto packet = s.r.chunks.take();
  if (!packet) return s.counters.add(Drop::no_chunk);
  port::Packet out = *packet;
  out.bytes = static_cast<std::uint32_t>(wire::emit_too_big(told, link.mac, to, link.vlan, out.data));
  outbox.push(out);
}

// The client's path is narrow: records get smaller from now on, and the server is told the MTU less their overhead.
Verdict from_client_side(State& s, Flow& f, wire::TooBig t) noexcept {
  if (!is_on_its_way(t.seq, f.down.cipher_una, f.state == FlowState::passing ? f.down.sent() : f.down.cipher_next)) return dropped(Drop::bad_sequence);
  f.client_tcp.mss = std::min(f.client_tcp.mss, payload_of(f, Flow::kClientTimestamps, t.mtu, t.source.is_v4()));
  if (f.local != nullptr) f.local->set_mss(f.client_tcp.mss);
  s.counters.add(Count::too_big_translated);
  if (f.state == FlowState::passing) {
    t.seq = t.seq - static_cast<std::uint32_t>(f.down.cipher_next - f.down.plain_next);
  } else {
    if (f.suite == nullptr || f.down.spans.empty()) return kConsume;
    t.seq = f.down.spans.front(s.r.spans).plain_begin;
    t.mtu -= static_cast<std::uint32_t>(f.suite->overhead_bytes());
  }
  t.mtu = across(t.mtu, f.client.address, f.route->server.address);
  t.source = f.route->server.address;
  t.source_port = f.route->server.port;
  t.destination = f.source();
  t.destination_port = f.source_port;
  pass_on(s, t, s.r.server_link, f.route->server_mac, splice::outbox_to_server(s.r, *f.route));
  return kConsume;
}

// The server's path is narrow: a client segment of that size fits once it is opened. What is in custody is cut anew.
Verdict from_server_side(State& s, Flow& f, wire::TooBig t) noexcept {
  const SeqNum next = f.state == FlowState::passing ? f.up.sent() : splice::next_to_server(f);
  if (!is_on_its_way(t.seq, f.up.plain_una, next)) return dropped(Drop::bad_sequence);
  f.server_tcp.mss = std::min(f.server_tcp.mss, payload_of(f, Flow::kServerTimestamps, t.mtu, t.source.is_v4()));
  if (f.custody != nullptr) f.custody->control.set_mss(f.server_tcp.mss, s.r.now);
  s.counters.add(Count::too_big_translated);
  if (f.state == FlowState::passing) {
    if (f.custody != nullptr) return kConsume;  // ours to cut anew
    t.seq = t.seq - static_cast<std::uint32_t>(f.up.plain_next - f.up.cipher_next);
  } else {
    if (f.up.spans.empty()) return kConsume;
    t.seq = f.up.spans.front(s.r.spans).cipher_begin;
  }
  t.mtu = across(t.mtu, f.route->server.address, f.client.address);
  t.source = f.client.address;  // as it sent the packet, whatever the server knows it by
  t.source_port = f.client.port;
  t.destination = f.route->service.address;
  t.destination_port = f.route->service.port;
  pass_on(s, t, s.r.client_link, f.client_mac, s.r.to_client);
  return kConsume;
}

}  // namespace

bool take_too_big(State& s, Side side, Work& w) noexcept {
  wire::TooBig t;
  if (!wire::parse_too_big(w.packet.view(), t)) return false;
  wire::Segment answer;  // as a packet from the quoted destination would look
  answer.source = t.destination;
  answer.destination = t.source;
  answer.source_port = t.destination_port;
  answer.destination_port = t.source_port;
  Flow* f = find(s, side, answer);
  if (f != nullptr && side == Side::server && !may_speak(s, *f)) f = nullptr;
  const bool is_sane = t.mtu >= (t.source.is_v4() ? kLeastMtuV4 : kLeastMtuV6) &&
                       t.mtu <= (side == Side::client ? s.r.client_link.mtu : s.r.server_link.mtu);
  if (f == nullptr || !is_sane) w.verdict = dropped(f == nullptr ? Drop::no_flow : Drop::bad_length);
  else w.verdict = side == Side::client ? from_client_side(s, *f, t) : from_server_side(s, *f, t);
  return true;
}

}  // namespace cutwater::path
