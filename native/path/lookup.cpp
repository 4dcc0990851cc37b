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

bool is_from_client(const Flow& f, const wire::Segment& s) noexcept {
  return f.client.port == s.source_port && f.route->service.port == s.destination_port && f.client.address == s.source &&
         f.route->service.address == s.destination;
}
bool is_from_server(const Flow& f, const wire::Segment& s) noexcept {
  return f.source_port == s.destination_port && f.route->server.port == s.source_port && f.source() == s.destination &&
         f.route->server.address == s.source;
}

}  // namespace

Flow* find(State& s, Side side, const wire::Segment& seg) noexcept {
  const flow::FlowKey key{seg.source, seg.destination, seg.source_port, seg.destination_port, side == Side::client ? 0U : 1U};
  const auto index = s.table.find(s.table.hash(key), [&](flow::FlowIndex i) {
    const Flow& f = s.flows.at(i);
    return side == Side::client ? is_from_client(f, seg) : is_from_server(f, seg);
  });
  return index == flow::kNoFlow ? nullptr : &s.flows.at(index);
}

void lookup(State& s, Side side, std::span<Work> work) noexcept {
  for (Work& w : work) {
    if (w.verdict.action != Action::forward) continue;  // ended in an earlier stage
    w.flow = find(s, side, w.segment);
    if (w.flow != nullptr) w.generation = w.flow->generation;
  }
}

bool enlist_client(State& s, Flow& f) noexcept {
  return s.table.insert(s.table.hash(client_key(f.client.address, f.client.port, f.route->service)), f.index);
}

bool enlist_server(State& s, Flow& f) noexcept { return s.table.insert(s.table.hash(server_key(f)), f.index); }

void strike_server(State& s, Flow& f) noexcept { s.table.erase(s.table.hash(server_key(f)), f.index); }

bool is_taken(State& s, const splice::End& server, const IpAddress& source, std::uint16_t port) noexcept {
  wire::Segment answer;
  answer.source = server.address;
  answer.source_port = server.port;
  answer.destination = source;
  answer.destination_port = port;
  return find(s, Side::server, answer) != nullptr;
}

void forget(State& s, Flow& f) noexcept {
  cancel_handshake(s, f);
  if (s.events != nullptr && f.reset_reason != Reset::none && f.reset_reason != Reset::handshake_failed) {
    s.events->event({.kind = FlowEvent::Kind::reset, .at = s.r.now, .client = f.client.address, .client_port = f.client.port,
                     .service = f.route->service_id, .reset = f.reset_reason, .suite = f.suite});
  }
  s.table.erase(s.table.hash(client_key(f.client.address, f.client.port, f.route->service)), f.index);
  leave_server(s, f);
  if ((f.owed_acks & Flow::kListed) != 0) std::erase(s.r.owing, &f);
  s.flows.put(f);
}

}  // namespace cutwater::path
