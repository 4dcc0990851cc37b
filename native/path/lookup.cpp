// Stage 3: the flow of a packet, by its addresses and the side it came from. And the two entries of a flow in the table.
#include "path/state.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;

flow::FlowKey client_key(const IpAddress& client, std::uint16_t client_port, const splice::End& service) noexcept {
  return {client, service.address, client_port, service.port, 0};
}
flow::FlowKey server_key(const splice::End& server, const IpAddress& source, std::uint16_t source_port) noexcept {
  return {server.address, source, server.port, source_port, 1};
}
flow::FlowKey server_key(const Flow& f) noexcept { return server_key(f.route->server, f.source(), f.source_port); }

// Of a Flow or of a half-open record: both have the client's end and the route.
template <class Entry>
bool is_from_client(const Entry& f, const wire::Segment& s) noexcept {
  return f.client.port == s.source_port && f.route->service.port == s.destination_port && f.client.address == s.source &&
         f.route->service.address == s.destination;
}
template <class Entry>
bool is_from_server(const Entry& f, const wire::Segment& s) noexcept {
  return f.source_port == s.destination_port && f.route->server.port == s.source_port && f.source() == s.destination &&
         f.route->server.address == s.source;
}

template <class Entry>
bool is_meant(Side side, const Entry& entry, const wire::Segment& seg) noexcept {
  return side == Side::client ? is_from_client(entry, seg) : is_from_server(entry, seg);
}

bool has_same_ends(const wire::Segment& a, const wire::Segment& b) noexcept {
  return a.source_port == b.source_port && a.destination_port == b.destination_port && a.source == b.source && a.destination == b.destination;
}

bool has_leg(Flow& f, const wire::Segment& seg) noexcept { return f.exchange != nullptr && leg_of(f, seg) != nullptr; }

flow::FlowIndex find_entry(State& s, Side side, const wire::Segment& seg) noexcept {
  const flow::FlowKey key{seg.source, seg.destination, seg.source_port, seg.destination_port, side == Side::client ? 0U : 1U};
  return s.table.find(s.table.hash(key), [&](flow::FlowIndex i) {
    if (!is_half_open_entry(i)) return is_meant(side, s.flows.at(i), seg) || (side == Side::server && has_leg(s.flows.at(i), seg));
    const HalfOpen& h = s.half_open.at(i & ~kHalfOpenEntry);
    return h.awake == kNobody ? is_meant(side, h, seg) : is_meant(side, s.flows.at(h.awake), seg);
  });
}

std::uint32_t entry_of(const Flow& f) noexcept { return is_half_open(f) ? f.handshake : f.index; }

}  // namespace

std::uint32_t client_hash(const State& s, const Flow& f) noexcept {
  return s.table.hash(client_key(f.client.address, f.client.port, f.route->service));
}
std::uint32_t server_hash(const State& s, const Flow& f) noexcept {
  return s.table.hash(server_key(f));
}

Flow* find(State& s, Side side, const wire::Segment& seg) noexcept {
  const flow::FlowIndex index = find_entry(s, side, seg);
  if (index == flow::kNoFlow) return nullptr;
  return is_half_open_entry(index) ? wake(s, s.half_open.at(index & ~kHalfOpenEntry)) : &s.flows.at(index);
}

void lookup(State& s, Side side, std::span<Work> work) noexcept {
  const Work* before = nullptr;  // packets come in rows: the next one is most often of the same flow
  for (Work& w : work) {
    if (w.verdict.action != Action::forward) continue;  // ended in an earlier stage
    w.flow = before != nullptr && has_same_ends(before->segment, w.segment) ? before->flow : find(s, side, w.segment);
    if (w.flow != nullptr) w.generation = w.flow->generation;
    before = &w;
  }
}

bool enlist_client(State& s, Flow& f) noexcept { return s.table.insert(client_hash(s, f), entry_of(f)); }

bool enlist_server(State& s, Flow& f) noexcept { return s.table.insert(server_hash(s, f), entry_of(f)); }

void strike_server(State& s, Flow& f) noexcept { s.table.erase(server_hash(s, f), entry_of(f)); }

bool is_taken(State& s, const splice::End& server, const IpAddress& source, std::uint16_t port) noexcept {
  wire::Segment answer;
  answer.source = server.address;
  answer.source_port = server.port;
  answer.destination = source;
  answer.destination_port = port;
  return find_entry(s, Side::server, answer) != flow::kNoFlow;
}

void forget(State& s, Flow& f) noexcept {
  if (s.half == Half::far) return forget_far(s, f);
  s.table.erase(client_hash(s, f), entry_of(f));
  if (f.exchange != nullptr) end_layer7(s, f);
  leave_server(s, f);
  if (is_half_open(f)) drop_half_open(s, f);
  else cancel_handshake(s, f);
  if (s.events != nullptr && f.reset_reason != Reset::none && f.reset_reason != Reset::handshake_failed) {
    s.events->event({.kind = FlowEvent::Kind::reset, .at = s.r.now, .client = f.client.address, .client_port = f.client.port,
                     .service = f.route->service_id, .reset = f.reset_reason, .suite = f.suite});
  }
  if ((f.owed_acks & Flow::kListed) != 0) std::erase(s.r.owing, &f);
  s.flows.put(f);
}

}  // namespace cutwater::path
