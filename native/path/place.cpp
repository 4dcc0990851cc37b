// Which server a flow gets, and under which address and port that server sees its client. Chosen at the SYN; a flow whose server
// does not answer, or refuses, goes to another one while nothing was sent. Sessions are counted here, and failures.
// Implements: A8.
#include <algorithm>

#include "base/host_name.hpp"
#include "http/route_match.hpp"
#include "path/owner.hpp"
#include "path/state.hpp"

namespace cutwater::path {
namespace {

using splice::Flow;
using splice::Route;

constexpr std::uint32_t kFirstPoolPort = 1024;   // below are ports that servers and firewalls treat as privileged
constexpr std::uint32_t kPoolPorts = 65'536 - kFirstPoolPort;
constexpr std::uint32_t kPortProbes = 128;       // of this worker's own; a pool of which 19 in 20 are taken still has one for nearly everybody
constexpr std::uint32_t kTriedBits = 15;          // of Flow::tried
constexpr std::uint16_t kSomeSilent = 1U << 15;   // in it: not all of them refused, so one of them may be well, and a packet lost

std::uint64_t hash_of(const IpAddress& address, std::uint16_t port) noexcept { return siphash({port, 0}, address.bytes); }

// The next port that is free towards the server and whose answers come back to this worker. 0: none.
std::uint16_t free_port(State& s, const splice::End& server, const IpAddress& source) noexcept {
  const std::uint32_t probes = std::min(kPortProbes * s.workers, kPoolPorts);
  for (std::uint32_t i = 0; i < probes; ++i) {
    const auto port = static_cast<std::uint16_t>(kFirstPoolPort + s.next_port++ % kPoolPorts);
    if (owner_of(source, port, s.workers) == s.worker && !is_taken(s, server, source, port)) return port;
  }
  return 0;
}

// Two services that share a server, and a client that uses one port towards both: to the server they are one connection.
bool claim_port(State& s, Flow& f, const Route& route) noexcept {
  const bool is_own = !route.has_pool && !is_taken(s, route.server, f.client.address, f.client.port);
  const std::uint16_t port = is_own ? f.client.port : free_port(s, route.server, route.has_pool ? route.pool : f.client.address);
  if (port == 0) return false;
  if (!is_own && !route.has_pool) s.counters.add(Count::ports_translated);
  f.source_port = port;
  return true;
}

RouteSet* set_of(State& s, const Flow& f) noexcept {
  for (RouteSet& set : s.route_sets) {
    if (f.route >= set.routes.data() && f.route < set.routes.data() + set.routes.size()) return &set;
  }
  return nullptr;
}

// A route to the server: one for each address of the pool, in turn.
const Route& route_to(State& s, const Listener& listener, std::uint32_t server) noexcept {
  const std::uint32_t pool = listener.routes_per_server == 1 ? 0 : s.next_port % listener.routes_per_server;
  return s.route_sets.back().routes[listener.first_route + server * listener.routes_per_server + pool];
}

// A flow that has a server leaves it only now, when it has another one: until then its session and its entry stand.
bool go_to(State& s, Flow& f, const Route& route) noexcept {
  const Route* old_route = f.route;
  const std::uint16_t old_port = f.source_port;
  if (!claim_port(s, f, route)) {
    f.source_port = old_port;
    return false;
  }
  if (old_route != nullptr) {
    const std::uint16_t new_port = f.source_port;
    f.source_port = old_port;
    leave_server(s, f);
    f.source_port = new_port;
  }
  f.route = &route;
  f.has_session = true;
  ++s.route_sets.back().flows;
  (void)enlist_server(s, f);  // the table has two places for each flow
  return true;
}

// Whether anybody would take a flow if it had room: a client that asks again later is served then.
bool is_only_full(const balance::ServerSet& set) noexcept {
  return std::any_of(set.members().begin(), set.members().end(), [&](const balance::Member& member) {
    return member.weight != 0 && member.max_sessions != 0 && member.tally->may_take() && member.tally->sessions() >= member.max_sessions;
  });
}

bool fits_hello(const RouteRule& rule, std::string_view sni, std::string_view alpn) noexcept {
  return (rule.sni.empty() || matches_host_name(sni, rule.sni)) && (rule.alpn.empty() || rule.alpn == alpn);
}

/// Servers that will not do for a flow.
class Tried {
 public:
  void add(std::uint32_t index) noexcept {
    if (count_ < indices_.size()) indices_[count_++] = index;
  }
  [[nodiscard]] bool is_full() const noexcept { return count_ == indices_.size(); }
  [[nodiscard]] std::span<const std::uint32_t> indices() const noexcept { return {indices_.data(), count_}; }

 private:
  std::array<std::uint32_t, 64> indices_{};
  std::size_t count_ = 0;
};

bool place_beside_tried(State& s, Listener& listener, Flow& f) noexcept {
  Tried tried;
  for (std::uint32_t i = 0; i < listener.pools[0].servers->members().size(); ++i) {
    if ((f.tried >> i % kTriedBits & 1U) != 0) tried.add(i);
  }
  return place_beside(s, listener, 0, f, tried.indices()) == Drop::none;
}

}  // namespace

Drop place_beside(State& s, Listener& listener, std::uint32_t pool, Flow& f, std::span<const std::uint32_t> before) noexcept {
  ServerPool& of = listener.pools[pool];
  Tried tried;
  for (const std::uint32_t index : before) tried.add(index);
  Drop why = Drop::no_server;
  while (!tried.is_full()) {
    const auto chosen = of.chooser.choose({f.client.address, f.client.port}, s.r.now, tried.indices());
    if (!chosen) break;
    const Route& route = route_to(s, listener, of.places[*chosen]);
    if (route.has_server_mac && go_to(s, f, route)) return Drop::none;
    why = route.has_server_mac ? Drop::no_source_port : Drop::no_neighbour;
    route.tally->close();
    tried.add(*chosen);
  }
  if (why == Drop::no_server && is_only_full(*of.servers)) why = Drop::servers_full;
  return why;
}

void RouteSet::add(Listener listener, const IpAddress& address, std::uint16_t port) {
  by_end[hash_of(address, port)].push_back(static_cast<std::uint32_t>(listeners.size()));
  listeners.push_back(std::move(listener));
}

Listener* RouteSet::find(const IpAddress& address, std::uint16_t port) noexcept {
  const auto found = by_end.find(hash_of(address, port));
  if (found == by_end.end()) return nullptr;
  for (const std::uint32_t index : found->second) {
    const Route& any = routes[listeners[index].first_route];
    if (any.service.port == port && any.service.address == address) return &listeners[index];
  }
  return nullptr;
}

Drop place(State& s, Listener& listener, Flow& f) noexcept { return place_beside(s, listener, 0, f, {}); }

std::optional<std::uint32_t> server_of(const ServerPool& pool, const Flow& f) noexcept {
  const auto& members = pool.servers->members();
  const auto current = std::find_if(members.begin(), members.end(), [&](const balance::Member& member) {
    return member.port == f.route->server.port && member.address == f.route->server.address;
  });
  if (current == members.end()) return std::nullopt;
  return static_cast<std::uint32_t>(current - members.begin());
}

std::optional<std::uint32_t> pool_for(const Listener& listener, std::string_view sni, std::string_view alpn) noexcept {
  const std::vector<RouteRule>& rules = listener.service->routes;
  if (rules.empty()) return 0;
  for (std::uint32_t i = 0; i < rules.size(); ++i) {
    if (rules[i].request.is_empty() && fits_hello(rules[i], sni, alpn)) return i + 1;
  }
  return std::nullopt;
}

std::optional<std::uint32_t> pool_for(const Listener& listener, const Layer7& x) noexcept {
  const std::vector<RouteRule>& rules = listener.service->routes;
  if (rules.empty()) return 0;
  for (std::uint32_t i = 0; i < rules.size(); ++i) {
    if (fits_hello(rules[i], x.server_name, x.protocol) && http::matches(rules[i].request, x.gate().head())) return i + 1;
  }
  return std::nullopt;
}

// A flow remembers who failed it, so that two dead servers cannot hand it to and fro. With more servers than bits some that are
// well are passed over, too; there are others then. When everybody was asked, those who said nothing are asked again.
bool move_on(State& s, Flow& f, Failed how) noexcept {
  Listener* listener = s.route_sets.back().find(f.route->service.address, f.route->service.port);
  if (listener == nullptr) return false;  // its service is gone meanwhile
  const auto current = server_of(listener->pools[0], f);
  const auto now_failed = static_cast<std::uint16_t>((current ? 1U << *current % kTriedBits : 0U) | (how == Failed::silent ? kSomeSilent : 0U));
  f.tried |= now_failed;
  bool has_moved = place_beside_tried(s, *listener, f);
  if (!has_moved && (f.tried & kSomeSilent) != 0) {
    f.tried = now_failed;
    has_moved = place_beside_tried(s, *listener, f);
  }
  if (has_moved) s.counters.add(Count::flows_moved);
  return has_moved;
}

void end_session(Flow& f) noexcept {
  if (!f.has_session) return;
  f.has_session = false;
  if (f.down.plain_next != f.down.first_plain) f.route->tally->note_success(balance::Failing::early_reset);  // it had something to say
  f.route->tally->close();
}

void leave_server(State& s, Flow& f) noexcept {
  if (f.route == nullptr) return;
  if (RouteSet* set = set_of(s, f)) --set->flows;
  if (f.route->kind == Route::Kind::door) return;  // it never had one
  strike_server(s, f);
  end_session(f);
}

void note_failure(State& s, const Flow& f, balance::Failing kind) noexcept {
  if (f.route->tally == nullptr) return;  // of the far half: the near one hears of it, and notes it
  if (f.route->tally->note_failure(kind, f.route->policy.passive, s.r.now)) s.counters.add(Count::servers_shunned);
}

}  // namespace cutwater::path
