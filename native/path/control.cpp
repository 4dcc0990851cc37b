// What the control side asks of a path between two bursts: routes, views, ends. The worker calls it from its mailbox.
#include <algorithm>
#include <numeric>

#include "path/owner.hpp"
#include "path/path.hpp"
#include "path/state.hpp"
#include "splice/close.hpp"
#include "splice/emit.hpp"

namespace cutwater::path {
namespace {

splice::Route to_route(const Service& service, const Server& server, const balance::ServerSet& set, std::size_t index, std::uint32_t generation) noexcept {
  splice::Route route;
  route.tally = set.members()[index].tally.get();
  route.service = {service.address, service.port};
  route.server = {server.address, server.port};
  route.server_mac = server.hop.mac;
  route.has_server_mac = server.hop.is_known;
  route.service_id = service.id;
  route.generation = generation;
  route.policy = {.handling = service.handling,
                  .truncation = service.truncation_forward ? splice::Truncation::forward : splice::Truncation::reset,
                  .release = service.release_streaming ? splice::Release::streaming : splice::Release::whole_record,
                  .custody_congestion = service.custody_congestion,
                  .rekey_after_records = service.rekey_after_records,
                  .idle_timeout_ms = service.idle_timeout_ms,
                  .handshake_timeout_ms = service.handshake_timeout_ms,
                  .overhead_bytes = service.overhead_bytes,
                  .passive = set.rule().passive,
                  .introduction = service.introduction,
                  .speech = service.speech,
                  .server_truncation = service.server_truncation_forward ? splice::Truncation::forward : splice::Truncation::reset};
  return route;
}

// For a path that nobody has told of others: it counts for itself.
std::shared_ptr<const balance::ServerSet> set_of(const Service& service) {
  if (service.set) return service.set;
  std::vector<balance::Member> members;
  for (const Server& server : service.servers) {
    members.push_back({.address = server.address, .port = server.port, .tally = std::make_shared<balance::Tally>()});
  }
  return std::make_shared<balance::ServerSet>(std::move(members), balance::Rule{});
}

// All servers first, then those of each rule; they share their tallies.
std::vector<ServerPool> pools_of(State& s, const Service& service, const std::shared_ptr<const balance::ServerSet>& all) {
  std::vector<ServerPool> pools;
  const auto add = [&](std::shared_ptr<const balance::ServerSet> set, std::vector<std::uint32_t> places) {
    balance::Chooser chooser(*set, s.seed++ * 0x9e37'79b9'7f4a'7c15ULL);
    pools.push_back({std::move(set), std::move(chooser), std::move(places)});
  };
  std::vector<std::uint32_t> everyone(all->members().size());
  std::iota(everyone.begin(), everyone.end(), 0U);
  add(all, std::move(everyone));
  for (const RouteRule& rule : service.routes) add(rule.set ? rule.set : balance::subset(*all, rule.servers), rule.servers);
  return pools;
}

void add_listener(State& s, RouteSet& to, const Service& service, std::uint32_t generation) {
  if (service.servers.empty()) return;
  const auto servers = set_of(service);
  const auto door = static_cast<std::uint32_t>(to.routes.size());
  if (service.mode == Mode::proxy) {
    to.routes.push_back(to_route(service, {}, *servers, 0, generation));
    to.routes.back().kind = splice::Route::Kind::door;
    to.routes.back().tally = nullptr;
  }
  const auto first = static_cast<std::uint32_t>(to.routes.size());
  for (std::size_t i = 0; i < service.servers.size(); ++i) {
    splice::Route route = to_route(service, service.servers[i], *servers, i, generation);
    if (service.pool.empty()) to.routes.push_back(route);
    for (const IpAddress& address : service.pool) {
      route.has_pool = true;
      route.pool = address;
      to.routes.push_back(route);
    }
  }
  to.add({.first_route = first,
          .routes_per_server = static_cast<std::uint32_t>(std::max<std::size_t>(service.pool.size(), 1)),
          .pools = pools_of(s, service, servers),
          .service = &service,
          .door = service.mode == Mode::proxy ? door : Listener::kNoDoor},
         service.address, service.port);
}

splice::LinkSide to_link(const SideConfig& side) noexcept { return {side.mac, side.mtu, side.vlan}; }

FlowView view_of(const splice::Flow& f) noexcept {
  FlowView view{.client = f.client.address, .server = f.route->server.address, .client_port = f.client.port,
                .server_port = f.route->server.port, .service = f.route->service_id, .state = f.state, .link = f.link, .suite = f.suite,
                .last_active = f.last_active, .opened_ms = f.opened_ms,
                .up_since_ms = f.way_changed_ms, .custodies = f.up.custodies};
  view.up_bytes = f.up.plain_next.value - f.up.first_plain.value;
  view.down_bytes = f.down.plain_next.value - f.down.first_plain.value;
  if (f.exchange != nullptr) view.requests = layer7_of(f).requests, view.parked = layer7_of(f).leg_count;
  if (f.custody != nullptr) view.up = FlowView::Way::custody;
  if (f.up.end == splice::UpEnd::finished) view.up = FlowView::Way::closed;
  if (f.down.fin != splice::FinState::none) view.down = FlowView::Way::closed;
  return view;
}

// The flow of ours that carries a flow to a server that speaks TLS.
const splice::Flow* far_of(State& s, const splice::Flow& f) noexcept {
  const bool has_far = s.other != nullptr && f.route->policy.speech == splice::ServerSpeech::tls && f.link == splice::ServerLink::up;
  if (!has_far) return nullptr;
  wire::Segment from_server;
  from_server.source = f.route->server.address;
  from_server.source_port = f.route->server.port;
  from_server.destination = f.source();
  from_server.destination_port = f.source_port;
  return find(*s.other, Side::client, from_server);
}

FlowView view_of(const HalfOpen& h) noexcept {
  return {.client = h.client.address, .server = h.route->server.address, .client_port = h.client.port,
          .server_port = h.route->server.port, .service = h.route->service_id, .state = h.state,
          .last_active = h.last_active, .opened_ms = h.opened_ms};
}

template <class Is>
void reset_where(State& s, Reset reason, Tick now, Is&& is) noexcept {
  s.r.now = now;
  for (std::uint32_t i = 0; i < s.flows.used(); ++i) {
    splice::Flow& f = s.flows.at(i);
    if (f.state == splice::FlowState::free) continue;
    if (f.exchange != nullptr) drop_legs(s, f, is);
    if (!is(*f.route)) continue;
    splice::reset_both(s.r, f, reason);
    forget(s, f);
  }
  for (std::uint32_t i = 0; i < s.half_open.used(); ++i) {
    HalfOpen& h = s.half_open.at(i);
    if (h.state == splice::FlowState::free || !is(*h.route)) continue;
    splice::Flow* f = wake(s, h);
    if (f == nullptr) return;
    splice::reset_both(s.r, *f, reason);
    forget(s, *f);
  }
}

}  // namespace

void Path::configure(std::shared_ptr<const Services> services) noexcept {
  State& s = impl_->state;
  s.r.client_link = to_link(services->client);
  s.r.server_link = to_link(services->server);
  s.services = services;
  const auto speaks_tls = [](const Service& service) { return service.speech == splice::ServerSpeech::tls; };
  if (impl_->far != nullptr || std::any_of(services->list.begin(), services->list.end(), speaks_tls)) impl_->open_far();
  s.hello_rules.clear();
  for (const Service& service : services->list) {
    if (s.hello_rules.size() <= service.id) s.hello_rules.resize(service.id + 1U);
    s.hello_rules[service.id] = &service.hello;
    if (s.failures.size() <= service.id) s.failures.resize(service.id + 1U);
    if (s.failures[service.id] == nullptr) s.failures[service.id] = std::make_unique<ServiceFailures>();
  }
  RouteSet set;
  set.services = services;
  const auto generation = static_cast<std::uint32_t>(s.route_sets.size());
  for (const Service& service : services->list) add_listener(s, set, service, generation);
  s.route_sets.push_back(std::move(set));
  std::erase_if(s.route_sets, [&](const RouteSet& old) { return old.flows == 0 && &old != &s.route_sets.back(); });
}

void Path::refresh_hop(const IpAddress& server, const MacAddress& mac) noexcept {
  for (RouteSet& set : impl_->state.route_sets) {
    for (splice::Route& route : set.routes) {
      if (route.server.address != server) continue;
      route.server_mac = mac;
      route.has_server_mac = true;
    }
  }
}

void Path::reset_flows(std::uint32_t service, Reset reason, Tick now) noexcept {
  reset_where(impl_->state, reason, now, [service](const splice::Route& route) { return service == ~0U || route.service_id == service; });
  if (impl_->far != nullptr) impl_->exchange();
}

void Path::reset_flows(const splice::End& service, const splice::End& server, Reset reason, Tick now) noexcept {
  reset_where(impl_->state, reason, now, [&](const splice::Route& route) { return route.service == service && route.server == server; });
  if (impl_->far != nullptr) impl_->exchange();
}

Side Path::side_of(Bytes packet) const noexcept {
  Tuple t;
  if (!peek(packet, t)) return Side::server;
  for (RouteSet& set : impl_->state.route_sets) {
    if (set.find(t.destination, t.destination_port) != nullptr) return Side::client;
  }
  return Side::server;
}

const Counters& Path::counters() const noexcept { return impl_->near_counters; }
const Counters& Path::server_tls_counters() const noexcept { return impl_->far_counters; }
void Path::set_trace(splice::TraceSink* sink) noexcept { impl_->state.r.trace = sink; }
void Path::set_events(EventSink* sink) noexcept { impl_->state.events = sink; }
const FailureBook& Path::failures() const noexcept { return impl_->state.failures; }
std::uint32_t Path::live_flows() const noexcept {
  const State& s = impl_->state;
  return s.flows.live() - static_cast<std::uint32_t>(s.awake.size()) + s.half_open.live();
}

Holdings Path::holdings() const noexcept {
  Holdings h;
  const auto add = [&h](const State& s) {
    h.span_blocks += s.r.spans.capacity() - s.r.spans.free_blocks();
    h.held_segments += s.r.held.capacity() - s.r.held.free_count();
    h.custodies += s.r.custodies.in_use();
    h.local_senders += s.r.locals.in_use();
    h.previous_keys += s.r.previous_keys.in_use();
    h.layer7 += s.layer7.in_use();
    h.handshakes += s.handshakes.in_use();
    h.expanded_keys += s.r.keys.live();
    h.far_flows += s.own_routes.in_use();
  };
  add(impl_->state);
  if (impl_->far != nullptr) add(*impl_->far);
  return h;
}

Path::HelloLoad Path::hello_load() const noexcept {
  const State& s = impl_->state;
  return {s.half_open.live(), s.half_open.waiting(), s.blocks.hellos_in_use()};
}

void Path::each_flow(const std::function<bool(const FlowView&)>& visit) {
  State& s = impl_->state;
  for (std::uint32_t i = 0; i < s.flows.used(); ++i) {
    const splice::Flow& f = s.flows.at(i);
    if (f.state == splice::FlowState::free) continue;
    FlowView view = view_of(f);
    if (const splice::Flow* far = far_of(s, f)) view.server_suite = far->suite;
    if (!visit(view)) return;
  }
  for (std::uint32_t i = 0; i < s.half_open.used(); ++i) {
    const HalfOpen& h = s.half_open.at(i);
    if (h.state != splice::FlowState::free && h.awake == kNobody && !visit(view_of(h))) return;
  }
}

}  // namespace cutwater::path
