#include "engine/engine.hpp"

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "engine/clock.hpp"
#include "engine/names.hpp"
#include "engine/open_ports.hpp"
#include "engine/worker.hpp"
#include "port/host_address.hpp"
#include "port/next_hop.hpp"
#include "record/suite.hpp"
#include "secure/first_flight.hpp"

namespace cutwater::engine {
namespace {

constexpr std::chrono::milliseconds kNeighbourPatience{1500};  // one ARP retry
constexpr int kRefreshMs = 2000;
constexpr std::uint64_t kRenewUs = 5'000'000;
constexpr std::uint8_t kOverheadTls12 = 29, kOverheadTls13 = 22;  // suite.hpp: the largest of each version

Failure<Error> error(ErrorCode code, std::string message) { return {Error{code, std::move(message)}}; }

/// Cores that this process may run on: taskset and cgroups count.
std::uint32_t allowed_cores() {
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  if (sched_getaffinity(0, sizeof cpus, &cpus) != 0) return std::thread::hardware_concurrency();
  return static_cast<std::uint32_t>(CPU_COUNT(&cpus));
}

std::string check_balance(const ServiceConfig& service) {
  if (service.servers.empty()) return ".servers: at least one is needed";
  if (std::all_of(service.servers.begin(), service.servers.end(), [](const ServerConfig& s) { return s.weight == 0; })) {
    return ".servers: every weight is 0: nobody could be served";
  }
  if (service.listen.address == IpAddress{}) return ".listen: balance mode listens on one address";
  const bool is_v4 = service.listen.address.is_v4();
  for (const ServerConfig& server : service.servers) {
    if (server.endpoint.address.is_v4() != is_v4) return ".servers: must be of the IP version of the address clients connect to";
    if (server.endpoint.address == service.listen.address) return ".servers: a server at the virtual address itself";
  }
  for (const IpAddress& address : service.pool) {
    if (address.is_v4() != is_v4) return ".pool: must be of the IP version of the servers";
  }
  return "";
}

// What is wrong with the mode and the servers of a service, or nothing.
std::string wrong_servers(const ServiceConfig& service) {
  if (service.servers.empty()) return ".servers: at least one is needed";
  for (const ServerConfig& server : service.servers) {
    if (server.endpoint.address.is_v4() == service.listen.address.is_v4()) continue;
    if (service.mode != Mode::proxy) return ".servers: of the same IP version as listen.address";
    if (service.pool.empty() || service.pool[0].is_v4() != server.endpoint.address.is_v4()) return ".balance.pool: addresses of the servers' IP version are needed";
  }
  switch (service.mode) {
    case Mode::direct:
      if (service.servers.size() != 1) return ".servers: direct mode has exactly one server";
      if (service.servers[0].endpoint.address != service.listen.address) return ".servers: in direct mode the server's address is the one clients connect to";
      return "";
    case Mode::balance: return check_balance(service);
    case Mode::proxy: return "";
  }
  return "";
}

std::string wrong_routes(const ServiceConfig& service) {
  if (!service.routes.empty() && service.mode != Mode::proxy) return ".routes: need mode proxy";
  if (service.http.is_read && service.mode != Mode::proxy) return ".http: needs mode proxy";
  for (const path::RouteRule& rule : service.routes) {
    const bool is_known = std::all_of(rule.servers.begin(), rule.servers.end(), [&](std::uint32_t i) { return i < service.servers.size(); });
    if (rule.servers.empty() || !is_known) return ".routes: each names servers of the service";
  }
  return "";
}

path::Mode to_path(Mode mode) {
  switch (mode) {
    case Mode::direct: return path::Mode::direct;
    case Mode::balance: return path::Mode::balance;
    case Mode::proxy: return path::Mode::proxy;
  }
  return path::Mode::direct;
}

void fill_random(void* out, std::size_t bytes) { (void)!getrandom(out, bytes, 0); }

splice::Introduction to_introduction(ProxyProtocol protocol) {
  switch (protocol) {
    case ProxyProtocol::none: return splice::Introduction::none;
    case ProxyProtocol::v2: return splice::Introduction::proxy_v2;
    case ProxyProtocol::v2_tls: return splice::Introduction::proxy_v2_tls;
  }
  return splice::Introduction::none;
}

splice::Handling to_splice(Handling handling) {
  switch (handling) {
    case Handling::open: return splice::Handling::open;
    case Handling::pass: return splice::Handling::pass;
    case Handling::pass_tls: return splice::Handling::pass_tls;
  }
  return splice::Handling::open;
}

}  // namespace

struct Engine::Impl {
  EngineConfig config;
  OpenPorts ports;
  std::unique_ptr<secure::Pool> secure;
  std::vector<std::unique_ptr<Handover>> handovers;
  std::vector<std::unique_ptr<Worker>> workers;
  std::unique_ptr<port::NextHops> hops;
  std::unique_ptr<port::HostAddresses> addresses;
  ServerRoster roster;
  std::vector<port::Steer> client_steering, server_steering;
  std::vector<Event> own_events;      // of servers, not of flows; under the lock
  std::thread housekeeper;
  std::mutex control;                 // mailboxes have one sender at a time: the control thread or the housekeeper
  std::atomic<bool> is_stopping{false};
  std::atomic<bool> has_server_tls{false};  // ever since a service had it
  int stop_fd = -1;
  Tick started_at, renewed_at;
  std::map<std::string, std::uint32_t> service_ids;  // names keep their number over reloads: counters and TLS contexts
  std::vector<ServiceConfig> services;
  std::vector<Counter> last_counters;
  bool is_closed = false;
  std::array<std::uint8_t, hello::kCookieKeyBytes> retry_secret{}, cookie_key{};  // HelloRetryRequest cookies: of workers, of TLS contexts

  Result<StartReport, Error> start(const EngineConfig& wanted);
  Result<bool, Error> check(const std::vector<ServiceConfig>& wanted) const;
  Result<bool, Error> use(const std::vector<ServiceConfig>& wanted, std::vector<std::string>& notes);
  std::string start_secure();
  void start_workers();
  void keep_house();
  void follow_hops();
  Result<bool, std::string> hold_addresses(const std::vector<ServiceConfig>& wanted);
  Result<bool, std::string> steer();
  void let_go();
  std::vector<IpAddress> renewed();
  void tell(std::string kind, const std::string& service, std::string detail);
  std::shared_ptr<const path::Services> to_path_services(std::vector<std::string>& notes);
  std::uint32_t id_of(const std::string& name) {
    return service_ids.emplace(name, static_cast<std::uint32_t>(service_ids.size())).first->second;
  }
  /// Has every worker answer between two bursts, and takes what comes in time.
  template <class Answer, class Make, class Take>
  void ask(Make make, Take take) {
    constexpr std::chrono::seconds kPatience{2};
    for (auto& worker : workers) {
      auto promise = std::make_shared<std::promise<Answer>>();
      auto answer = promise->get_future();
      {
        const std::lock_guard lock(control);
        if (!worker->post([promise, make](path::Path& path, Tick) { promise->set_value(make(path)); })) continue;
      }
      if (answer.wait_for(kPatience) == std::future_status::ready) take(answer.get());
    }
  }
  std::string name_of(std::uint32_t id) const {
    for (const auto& [name, number] : service_ids) {
      if (number == id) return name;
    }
    return "";
  }
  void close();
  ~Impl() { close(); }
};

Result<bool, Error> Engine::Impl::check(const std::vector<ServiceConfig>& wanted) const {
  for (const ServiceConfig& service : wanted) {
    const std::string where = "services." + service.name;
    if (const std::string wrong = wrong_servers(service); !wrong.empty()) return error(ErrorCode::config_invalid, where + wrong);
    if (const std::string wrong = wrong_routes(service); !wrong.empty()) return error(ErrorCode::config_invalid, where + wrong);
    if (service.client_interface != wanted[0].client_interface || service.server_interface != wanted[0].server_interface) {
      return error(ErrorCode::config_invalid, where + ": this version runs all services between the same two interfaces");
    }
    if (service.tls.servers && (service.mode != Mode::proxy || service.handling != Handling::open)) {
      return error(ErrorCode::config_invalid, where + ".serverTls: needs mode proxy, and protocol tls");
    }
    if (service.tls.servers && service.proxy_protocol != ProxyProtocol::none) {
      return error(ErrorCode::config_invalid, where + ".serverTls: no PROXY header goes before TLS");
    }
    if (service.handling != Handling::open) continue;
    if (const std::string wrong = secure->check(service.tls); !wrong.empty()) {
      return error(ErrorCode::certificate_invalid, where + ".tls: " + wrong);
    }
  }
  return true;
}

Result<StartReport, Error> Engine::Impl::start(const EngineConfig& wanted) {
  config = wanted;
  started_at = clock_now();
  if (config.services.empty()) return error(ErrorCode::config_invalid, "services: at least one is needed");
  if (config.workers == 0 || config.workers > kMaxWorkers) {
    return error(ErrorCode::config_invalid, "workers: 1 to " + std::to_string(kMaxWorkers));
  }
  if (!config.aead.empty() && record::find_aead(config.aead) == nullptr) {
    return error(ErrorCode::config_invalid, "aead: \"" + config.aead + "\" is not built in, or this machine cannot run it");
  }
  if (const std::string wrong = start_secure(); !wrong.empty()) return error(ErrorCode::config_invalid, wrong);
  if (const auto checked = check(config.services); !checked) return Failure{checked.error()};
  auto opened = open_ports(config);
  if (!opened) return error(ErrorCode::port_unavailable, opened.error());
  ports = std::move(*opened);
  auto neighbours = port::NextHops::open();
  if (!neighbours) return error(ErrorCode::port_unavailable, neighbours.error());
  hops = std::move(*neighbours);
  auto host = port::HostAddresses::open();
  if (!host) return error(ErrorCode::port_unavailable, host.error());
  addresses = std::move(*host);

  StartReport report{.ports = {}, .aead = {}, .notes = ports.notes};
  start_workers();
  if (const auto used = use(config.services, report.notes); !used) return Failure{used.error()};
  for (auto& worker : workers) worker->start();
  stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  housekeeper = std::thread([this] { keep_house(); });
  report.ports = ports.reports;
  report.aead = std::string((config.aead.empty() ? record::default_aead() : *record::find_aead(config.aead)).name);
  return report;
}

// First of all, since it judges the services' options. Returns: what is wrong, or an empty string.
std::string Engine::Impl::start_secure() {
  const bool is_process = config.secure_place == secure::Place::process;
  secure = std::make_unique<secure::Pool>(secure::PoolConfig{.threads = std::max(config.secure_threads, 1U),
                                                             .links = config.workers,
                                                             .first_cpu = -1,
                                                             .max_handshakes = config.max_handshakes,
                                                             .clock = clock_now,
                                                             .wake = [this](std::uint32_t link) { if (link < workers.size()) workers[link]->wake(); },
                                                             .key_log_path = config.key_log_path,
                                                             .place = config.secure_place,
                                                             .program = config.secure_program,
                                                             .arguments = config.secure_arguments});
  if (secure->failure().empty()) return {};
  return (is_process ? "secure: " : "keyLog: ") + secure->failure();
}

// Made, not started: the path is configured by the control side before its thread runs.
void Engine::Impl::start_workers() {
  fill_random(retry_secret.data(), retry_secret.size());
  fill_random(cookie_key.data(), cookie_key.size());
  const std::uint32_t n = config.workers;
  handovers.resize(std::size_t{n} * n);
  for (std::uint32_t from = 0; from < n; ++from) {
    for (std::uint32_t to = 0; to < n; ++to) {
      if (from != to) handovers[std::size_t{from} * n + to] = std::make_unique<Handover>(ports.workers[0].pool->max_packet_bytes());
    }
  }
  const bool shares_core = allowed_cores() < n + config.secure_threads;
  for (std::uint32_t i = 0; i < n; ++i) {
    path::PathConfig path_config{.max_flows = config.max_flows, .max_half_open = config.max_half_open};
    path_config.blocks.answers = config.max_half_open;  // who is asked back keeps one until he acknowledges
    path_config.retry_secret = retry_secret;
    path_config.cookie_key = cookie_key;
    path_config.wall_at_zero_s = std::time(nullptr) - static_cast<std::int64_t>(clock_now().us / 1'000'000);
    path_config.worker = i;
    path_config.workers = n;
    fill_random(path_config.hash_seed, sizeof path_config.hash_seed);
    fill_random(path_config.syn_key.data(), sizeof path_config.syn_key);
    path_config.aead = config.aead.empty() ? nullptr : record::find_aead(config.aead);
    WorkerParts parts = std::move(ports.workers[i]);
    parts.secure = secure.get();
    parts.link = &secure->link(i);
    parts.path = std::make_unique<path::Path>(path_config, *parts.pool, *parts.link);
    for (std::uint32_t other = 0; other < n; ++other) {
      parts.inbound.push_back(handovers[std::size_t{other} * n + i].get());
      parts.outbound.push_back(handovers[std::size_t{i} * n + other].get());
    }
    workers.push_back(std::make_unique<Worker>(
        WorkerConfig{.index = i, .workers = n, .cpu = config.first_cpu < 0 ? -1 : config.first_cpu + static_cast<int>(i), .busy_poll_us = config.busy_poll_us, .shares_core = shares_core},
        std::move(parts)));
  }
  std::vector<Worker*> peers;
  for (const auto& worker : workers) peers.push_back(worker.get());
  for (const auto& worker : workers) worker->set_peers(peers);
}

std::shared_ptr<const path::Services> Engine::Impl::to_path_services(std::vector<std::string>& notes) {
  auto out = std::make_shared<path::Services>();
  const port::PortReport& client = ports.client_report;
  const port::PortReport& server = ports.server_report;
  out->client = {client.mac, static_cast<std::uint16_t>(std::min(client.mtu, 65'535U)), ports.client_vlan};
  out->server = {server.mac, static_cast<std::uint16_t>(std::min(server.mtu, 65'535U)), ports.server_vlan};
  std::map<std::string, std::shared_ptr<const record::RsaFlights>> flights;
  for (const ServiceConfig& service : services) {
    path::Service entry;
    entry.name = service.name;
    entry.mode = to_path(service.mode);
    entry.id = id_of(service.name);
    entry.address = service.listen.address;
    entry.port = service.listen.port;
    entry.handling = to_splice(service.handling);
    entry.overhead_bytes = service.handling != Handling::open ? std::uint8_t{0} : service.tls.allow_tls12 ? kOverheadTls12 : kOverheadTls13;
    entry.truncation_forward = service.truncation == Truncation::forward;
    entry.custody_congestion = service.custody_congestion;
    entry.speech = service.tls.servers ? splice::ServerSpeech::tls : splice::ServerSpeech::clear;
    entry.server_truncation_forward = service.server_truncation == Truncation::forward;
    entry.release_streaming = service.release == Release::streaming;
    entry.idle_timeout_ms = service.idle_timeout_ms;
    entry.handshake_timeout_ms = service.handshake_timeout_ms;
    entry.rekey_after_records = service.rekey_after_records;
    entry.hello = service.hello;
    const secure::Tls13Offer offer = secure::tls13_offer(service.tls);
    entry.hello.profile = {offer.suites, offer.groups, offer.follows_chacha};
    if (service.handling == Handling::open) {
      const auto [made, is_new] = flights.try_emplace(service.name);  // a service with several addresses is there as often
      if (is_new) made->second = secure::first_flights(service.tls);
      entry.hello.rsa_flights = made->second;
    }
    entry.set = roster.set_of(service);
    entry.http = service.http;
    entry.routes = service.routes;
    for (path::RouteRule& rule : entry.routes) rule.set = balance::subset(*entry.set, rule.servers);
    entry.pool = service.pool;
    entry.introduction = to_introduction(service.proxy_protocol);
    for (const ServerConfig& configured : service.servers) {
      path::Server target{configured.endpoint.address, configured.endpoint.port, {}};
      const auto hop = hops->find(configured.endpoint.address, ports.server_ifindex, kNeighbourPatience);
      if (hop) target.hop = {hop->mac, true};
      else notes.push_back("services." + service.name + ": server " + to_text(target.address, target.port) + ": " + hop.error());
      entry.servers.push_back(target);
    }
    out->list.push_back(std::move(entry));
  }
  return out;
}

// Addresses that nobody else has, TLS contexts, then routes, then the packets: nothing is admitted before it can be served.
Result<bool, Error> Engine::Impl::use(const std::vector<ServiceConfig>& wanted, std::vector<std::string>& notes) {
  if (const auto held = hold_addresses(wanted); !held) return error(ErrorCode::port_unavailable, held.error());
  std::set<std::string> configured;  // a service with several addresses is there as often
  for (const ServiceConfig& service : wanted) {
    if (service.handling != Handling::open || !configured.insert(service.name).second) continue;
    secure::ServiceTls tls = service.tls;
    tls.cookie_key.assign(cookie_key.begin(), cookie_key.end());
    if (const std::string wrong = secure->configure(id_of(service.name), tls); !wrong.empty()) {
      return error(ErrorCode::certificate_invalid, "services." + service.name + ".tls: " + wrong);
    }
  }
  const auto speaks_tls = [](const ServiceConfig& service) { return service.tls.servers.has_value(); };
  if (std::any_of(wanted.begin(), wanted.end(), speaks_tls)) has_server_tls.store(true, std::memory_order_relaxed);
  services = wanted;
  roster.list(services, clock_now());
  const auto for_path = to_path_services(notes);
  for (auto& worker : workers) {
    if (!worker->post([for_path](path::Path& path, Tick) { path.configure(for_path); })) {
      return error(ErrorCode::config_invalid, "a worker does not take commands: it is overloaded or stopped");
    }
  }
  if (const auto steered = steer(); !steered) return error(ErrorCode::port_unavailable, steered.error());
  return true;
}

// Virtual addresses on the client side, the pools' on the server side. What flows of an earlier configuration still use is kept
// by the steering; the address itself may go, as no new flow is to come to it.
Result<bool, std::string> Engine::Impl::hold_addresses(const std::vector<ServiceConfig>& wanted) {
  std::vector<port::HostAddress> held;
  for (const ServiceConfig& service : wanted) {
    const bool is_servers_own = std::any_of(service.servers.begin(), service.servers.end(), [&](const ServerConfig& server) {
      return server.endpoint.address == service.listen.address;  // the appliance is on the way there, as in direct mode
    });
    if (is_servers_own || service.announce == Announce::no) continue;
    if (ports.client_ifindex == 0) return Failure{"services." + service.name + ": " + ports.client_device_missing};
    held.push_back({service.listen.address, ports.client_ifindex});
    for (const IpAddress& address : service.pool) held.push_back({address, ports.server_ifindex});
  }
  auto done = addresses->hold(held);
  if (!done) return Failure{"services: " + done.error()};
  return done;
}

// Leaving servers are steered as long as they have flows; what servers send to the host itself is the host's.
Result<bool, std::string> Engine::Impl::steer() {
  std::vector<port::Steer> client_side, server_side;
  roster.add_steering(client_side, server_side);
  std::vector<IpAddress> pools;
  for (const ServiceConfig& service : services) pools.insert(pools.end(), service.pool.begin(), service.pool.end());
  for (const IpAddress& address : addresses->own()) {
    if (std::find(pools.begin(), pools.end(), address) == pools.end()) server_side.push_back({port::Steer::Match::own, address, 0});
  }
  if (client_side == client_steering && server_side == server_steering) return true;
  auto done = ports.steer(client_side, server_side);
  if (!done) return done;
  client_steering = std::move(client_side);
  server_steering = std::move(server_side);
  return true;
}

// Servers that were taken out: reset what outlived its limit, and stop steering where nothing is left.
void Engine::Impl::let_go() {
  for (const ServerRoster::Ends& ends : roster.take_overdue(clock_now())) {
    for (auto& worker : workers) {
      (void)worker->post([ends](path::Path& path, Tick now) { path.reset_flows(ends.service, ends.server, Reset::server_removed, now); });
    }
  }
  (void)roster.drop_empty();
}

// Not at every turn of the housekeeper: each renewal is a change of addresses, of which the housekeeper hears.
std::vector<IpAddress> Engine::Impl::renewed() {
  if (clock_now() - renewed_at < kRenewUs) return {};
  renewed_at = clock_now();
  return addresses->renew();
}

void Engine::Impl::tell(std::string kind, const std::string& service, std::string detail) {
  constexpr std::size_t kMostEvents = 1024;
  if (own_events.size() == kMostEvents) return;  // nobody is listening
  own_events.push_back({.at_us = clock_now() - started_at, .kind = std::move(kind), .service = service, .client = "", .detail = std::move(detail)});
}

void Engine::Impl::keep_house() {
  pthread_setname_np(pthread_self(), "cw-house");
  while (!is_stopping.load(std::memory_order_acquire)) {
    pollfd fds[2] = {{stop_fd, POLLIN, 0}, {hops->fd(), POLLIN, 0}};
    ::poll(fds, 2, kRefreshMs);
    if (is_stopping.load(std::memory_order_acquire)) return;
    const std::lock_guard lock(control);
    if (hops->refresh()) follow_hops();
    let_go();
    for (const IpAddress& address : renewed()) tell("address_conflict", "", to_text(address) + " is another station's, too");
    if (const auto steered = steer(); !steered) tell("steering_failed", "", steered.error());
  }
}

void Engine::Impl::follow_hops() {
  std::set<std::array<std::uint8_t, 16>> seen;
  for (const ServiceConfig& service : services) {
    for (const ServerConfig& server : service.servers) {
      if (!seen.insert(server.endpoint.address.bytes).second) continue;
      const port::NextHop* hop = hops->at(server.endpoint.address, ports.server_ifindex);
      if (hop == nullptr) continue;
      for (auto& worker : workers) {
        (void)worker->post([address = server.endpoint.address, mac = hop->mac](path::Path& path, Tick) { path.refresh_hop(address, mac); });
      }
    }
  }
}

// The reverse of start().
void Engine::Impl::close() {
  if (is_closed) return;
  is_closed = true;
  is_stopping.store(true, std::memory_order_release);
  if (housekeeper.joinable()) {
    const std::uint64_t one = 1;
    (void)!::write(stop_fd, &one, sizeof one);
    housekeeper.join();
  }
  for (auto& worker : workers) worker->stop();
  secure.reset();  // its threads may still wake workers: they go first
  workers.clear();
  addresses.reset();  // the network hears no more of them
  ports = OpenPorts{};
  hops.reset();
  if (stop_fd >= 0) ::close(stop_fd);
}

Engine::Engine() : impl_(std::make_unique<Impl>()) {}
Engine::~Engine() = default;

Result<StartReport, Error> Engine::start(const EngineConfig& config) {
  if (impl_->is_closed || !impl_->workers.empty()) return error(ErrorCode::closed, "the engine was started before");
  auto report = impl_->start(config);
  if (!report) impl_ = std::make_unique<Impl>();
  return report;
}

Result<bool, Error> Engine::apply(const std::vector<ServiceConfig>& services) {
  const std::lock_guard lock(impl_->control);
  if (impl_->is_closed || impl_->workers.empty()) return error(ErrorCode::closed, "the engine is not running");
  if (services.empty()) return error(ErrorCode::config_invalid, "services: at least one is needed");
  if (auto checked = impl_->check(services); !checked) return checked;
  if (services[0].client_interface != impl_->config.services[0].client_interface ||
      services[0].server_interface != impl_->config.services[0].server_interface) {
    return error(ErrorCode::config_invalid, "services: interfaces cannot change while the engine runs");
  }
  std::vector<std::string> notes;
  return impl_->use(services, notes);
}

std::vector<Counter> Engine::counters() const {
  if (impl_->is_closed) return impl_->last_counters;
  std::vector<Counter> out;
  for (const auto& worker : impl_->workers) add_counters(worker->counters(), out);
  if (impl_->has_server_tls.load(std::memory_order_relaxed)) {
    for (const auto& worker : impl_->workers) add_server_tls_counters(worker->server_tls_counters(), out);
  }
  std::uint64_t half_open = 0, hellos_waiting = 0, hello_blocks = 0;
  std::uint64_t flows = 0, chunks = 0, turns = 0, busy_us = 0, handed_over = 0, handover_full = 0, rx_lost = 0, tx_lost = 0;
  for (const auto& worker : impl_->workers) {
    const WorkerGauges& g = worker->gauges();
    flows += g.live_flows.load(std::memory_order_relaxed);
    chunks += g.free_chunks.load(std::memory_order_relaxed);
    half_open += g.half_open.load(std::memory_order_relaxed);
    hellos_waiting += g.hellos_waiting.load(std::memory_order_relaxed);
    hello_blocks += g.hello_blocks.load(std::memory_order_relaxed);
    turns += g.turns.load(std::memory_order_relaxed);
    busy_us += g.busy_us.load(std::memory_order_relaxed);
    handed_over += g.handed_over.load(std::memory_order_relaxed);
    handover_full += g.handover_full.load(std::memory_order_relaxed);
    for (const port::PortCounters& p : {worker->client_port_counters(), worker->server_port_counters()}) {
      rx_lost += p.rx_oversize + p.rx_pool_dry + p.rx_kernel_drops;
      tx_lost += p.tx_not_admitted + p.tx_invalid;
    }
  }
  out.push_back({"flows_live", "", flows});
  out.push_back({"half_open_live", "", half_open});
  out.push_back({"hellos_waiting", "", hellos_waiting});
  out.push_back({"hello_blocks_used", "", hello_blocks});
  out.push_back({"chunks_free", "", chunks});
  out.push_back({"worker_turns", "", turns});
  out.push_back({"worker_busy_us", "", busy_us});
  out.push_back({"packets_handed_over", "", handed_over});
  out.push_back({"drop_handover_full", "", handover_full});
  out.push_back({"port_rx_lost", "", rx_lost});
  out.push_back({"port_tx_lost", "", tx_lost});
  if (impl_->secure) {
    out.push_back({"handshakes_alive", "", impl_->secure->stats().alive});
    out.push_back({"secure_restarts", "", impl_->secure->stats().restarts});
  }
  return out;
}

std::vector<Event> Engine::take_events() {
  std::vector<Event> out;
  {
    const std::lock_guard lock(impl_->control);
    out.swap(impl_->own_events);
  }
  for (auto& worker : impl_->workers) {
    for (EventNote note; worker->take_event(note);) out.push_back(to_event(note, impl_->started_at.us, impl_->name_of(note.event.service)));
  }
  return out;
}

void Engine::trace(std::uint32_t capacity) {
  const std::lock_guard lock(impl_->control);
  for (auto& worker : impl_->workers) worker->trace(capacity > 0);
}

std::vector<TraceEntry> Engine::take_trace() {
  std::vector<TraceEntry> out;
  for (auto& worker : impl_->workers) {
    for (splice::TraceRecord record; worker->take_trace(record);) out.push_back(to_entry(record, impl_->started_at.us));
  }
  return out;
}

std::vector<FlowEntry> Engine::flows(std::uint32_t limit) {
  std::vector<FlowEntry> out;
  const Tick now = clock_now();
  impl_->ask<std::vector<path::FlowView>>(
      [limit](path::Path& path) {
        std::vector<path::FlowView> taken;
        path.each_flow([&](const path::FlowView& view) {
          taken.push_back(view);
          return taken.size() < limit;
        });
        return taken;
      },
      [&](const std::vector<path::FlowView>& views) {
        for (const path::FlowView& view : views) {
          if (out.size() < limit) out.push_back(to_entry(view, now, impl_->name_of(view.service)));
        }
      });
  return out;
}

std::vector<FailureReport> Engine::failures() {
  using Copies = std::vector<std::pair<std::uint32_t, path::ServiceFailures>>;
  std::map<std::uint32_t, std::vector<path::ServiceFailures>> by_service;
  impl_->ask<Copies>(
      [](path::Path& path) {
        Copies copies;
        const path::FailureBook& book = path.failures();
        for (std::uint32_t id = 0; id < book.size(); ++id) {
          if (book[id] != nullptr) copies.emplace_back(id, *book[id]);
        }
        return copies;
      },
      [&](const Copies& copies) {
        for (const auto& [id, failures] : copies) by_service[id].push_back(failures);
      });
  std::vector<FailureReport> out;
  for (const auto& [id, parts] : by_service) {
    FailureReport report = to_report(parts, clock_now(), impl_->name_of(id));
    if (!report.reasons.empty()) out.push_back(std::move(report));
  }
  return out;
}

std::vector<ServerEntry> Engine::servers() const {
  const std::lock_guard lock(impl_->control);
  return impl_->roster.entries(clock_now());
}

Result<bool, Error> Engine::admit(const std::string& service, const std::string& server, balance::Admission admission) {
  const std::lock_guard lock(impl_->control);
  if (!impl_->roster.set(service, server, admission)) return error(ErrorCode::config_invalid, "no server \"" + server + "\" in service \"" + service + "\"");
  impl_->tell(admission == balance::Admission::draining ? "server_draining" : "server_enabled", service, server);
  return true;
}

Result<bool, Error> Engine::judge(const std::string& service, const std::string& server, balance::Health health) {
  const std::lock_guard lock(impl_->control);
  const auto changed = impl_->roster.set(service, server, health, clock_now());
  if (changed == ServerRoster::Changed::unknown_server) return error(ErrorCode::config_invalid, "no server \"" + server + "\" in service \"" + service + "\"");
  if (changed == ServerRoster::Changed::yes) impl_->tell(health == balance::Health::up ? "server_up" : "server_down", service, server);
  return changed == ServerRoster::Changed::yes;
}

void Engine::close() {
  if (!impl_->is_closed) impl_->last_counters = counters();
  impl_->close();
}

}  // namespace cutwater::engine
