#include "sim/run.hpp"

#include <algorithm>
#include <utility>

#include "sim/trace.hpp"

namespace cutwater::sim {
namespace {

using invariants::Acknowledges;
using invariants::AuditFacts;
using invariants::FlowAudit;
using invariants::Tap;

constexpr std::uint64_t kLimitUs = 1'200'000'000;      // connections that are not over by then hang
constexpr std::uint64_t kLingerUs = 1'200'000'000;     // and the device may keep a flow so long behind them
constexpr std::uint64_t kMaxTurnsAtOneTime = 200'000;  // a deadline that does not move

/// A server's end. Whoever serves may call several, one after the other.
struct Leg {
  IpAddress address;
  std::uint16_t client_port = 0;  // as that server sees it
  std::unique_ptr<Application> server;
};

/// One connection of the run: both applications and the audit of what lies between them.
struct Connection {
  const ConnectionPlan* plan = nullptr;
  std::unique_ptr<Application> client;
  std::vector<Leg> legs;                      // each comes with its SYN
  IpAddress called;                           // the server that was called last, and from which port:
  std::uint16_t called_from = 0;              // SYNs may overtake each other behind the device
  Application* server = nullptr;              // of the newest call
  std::vector<std::uint16_t> pool_ports;      // the client's, behind a pool
  TlsClientStream* tls = nullptr;
  std::unique_ptr<FlowAudit> audit;
  bool has_started = false;
  bool is_up_touched = false, is_down_touched = false;  // an adversary put bytes into that direction

  [[nodiscard]] bool is_touched() const noexcept { return is_up_touched || is_down_touched; }
  [[nodiscard]] bool is_over() const {
    if (!has_started) return false;
    const auto ended = [](Application& a) {
      const auto state = a.stream().tcp().state();
      return (state == TcpState::closed || state == TcpState::time_wait) &&
             (a.has_read_all() || a.stream().ending() == Ending::failed);
    };
    return ended(*client) && (server == nullptr || ended(*server));
  }
};

class Running {
 public:
  Running(Rig& rig, const RunOptions& options);
  RunResult go();

 private:
  void wire_links();
  void start_due();
  void start(std::size_t index);
  void accept(Connection& c, const Segment& syn);
  void refuse(const Segment& syn);
  [[nodiscard]] Preamble client_preamble() const;
  [[nodiscard]] Preamble server_preamble(const Connection& c) const;
  [[nodiscard]] std::optional<Introduced> introduced(const Connection& c) const;
  template <class Visit>
  void each_end(Connection& c, Visit&& visit);
  void to_client(Frame&& frame);
  void to_server(Frame&& frame);
  void into_device(Side side, Frame&& frame);
  void enter(Side side, Frame&& frame);
  void out_of_device(Side side, Frame&& frame);
  void tap(Tap tap, Bytes frame);
  static void note_call(Connection& c, const Segment& syn);
  void settle(Connection& c);
  void send_all(TcpEndpoint& tcp, Link& link);
  Connection* find(std::uint16_t client_port);
  Connection* find_behind(std::uint16_t client_port, const Segment* from_device);
  [[nodiscard]] bool is_out_of_service(const IpAddress& server) const;
  [[nodiscard]] std::uint64_t next_event() const;
  void run_until_over();
  void judge();
  void judge_connection(std::size_t index, Connection& c);
  void add(std::string invariant, std::size_t connection, std::string what);

  Rig& rig_;
  const RunOptions& options_;
  const Profile& profile_;
  Scenario scenario_;
  Random random_;
  Timeline timeline_;
  Link client_up_, client_down_, server_up_, server_down_;
  Adversary client_adversary_, server_adversary_;
  std::unique_ptr<Device> device_;
  KeptSession kept_;
  std::vector<Connection> connections_;
  RunResult result_;
  Trace trace_;
};

Running::Running(Rig& rig, const RunOptions& options)
    : rig_(rig),
      options_(options),
      profile_(*options.profile),
      scenario_(draw(options.seed, profile_)),
      random_(options.seed * 0x9e3779b97f4a7c15ULL + 7),
      client_up_(profile_.client_up, timeline_, random_.fork()),
      client_down_(profile_.client_down, timeline_, random_.fork()),
      server_up_(profile_.server_up, timeline_, random_.fork()),
      server_down_(profile_.server_down, timeline_, random_.fork()),
      client_adversary_(profile_.client_malice, Random{options.seed * 2}),
      server_adversary_(profile_.server_malice, Random{options.seed * 2 + 1}) {
  SeededOpenssl::reseed(options.seed);
  device_ = rig.devices->make(scenario_, profile_, timeline_, random_.fork());
  if (options.wrap) device_ = options.wrap(std::move(device_));
  if (!device_->serves()) forget_serving(scenario_);
  if (device_->is_transparent()) scenario_.server.address = scenario_.servers[0].address = scenario_.service.address;
  if (scenario_.serving.handling == Serving::Handling::passes_tls) scenario_.hello = rig.contexts.hello();
  device_->attach([this](Side side, Frame&& frame) { out_of_device(side, std::move(frame)); });
  wire_links();
  for (const auto& plan : scenario_.connections) connections_.emplace_back().plan = &plan;
  if (scenario_.client_dies_at_us != kNoTime) {
    client_up_.kill(scenario_.client_dies_at_us);
    client_down_.kill(scenario_.client_dies_at_us);
  }
}

void Running::wire_links() {
  const auto in = [this](Side side) { return [this, side](Frame&& f) { into_device(side, std::move(f)); }; };
  const auto client = [this](Frame&& f) { to_client(std::move(f)); };
  const auto server = [this](Frame&& f) { to_server(std::move(f)); };
  // A router in the cable answers for packets that do not fit.
  Host near_client = scenario_.client, near_server = scenario_.servers[0];
  near_client.address.bytes[15] = 250;
  near_server.address.bytes[15] = 251;
  client_up_.attach(in(Side::client), client, near_client);
  client_down_.attach(client, in(Side::client), near_client);
  server_up_.attach(server, in(Side::server), near_server);
  server_down_.attach(in(Side::server), server, near_server);
}

RunResult Running::go() {
  run_until_over();
  judge();
  result_.virtual_us = timeline_.now();
  result_.connections = connections_.size();
  if (options_.tracing == Tracing::on) result_.trace = describe(scenario_) + trace_.text();
  return std::move(result_);
}

void Running::run_until_over() {
  std::uint64_t turns = 0, over_since = kNoTime;
  while (true) {
    start_due();
    const bool all_over = std::all_of(connections_.begin(), connections_.end(), [](const Connection& c) { return c.is_over(); });
    if (all_over && over_since == kNoTime) over_since = timeline_.now();
    if (all_over && device_->is_idle() && timeline_.next() == kNoTime) return;
    const auto next = next_event();
    if (next == kNoTime) return;
    const auto limit = over_since == kNoTime ? kLimitUs : over_since + kLingerUs;
    if (next > limit) {
      timeline_.advance(limit);
      return;
    }
    turns = next > timeline_.now() ? 0 : turns + 1;
    if (turns > kMaxTurnsAtOneTime) {
      add("liveness", 0, "time stands still at " + std::to_string(timeline_.now()) + " us");
      return;
    }
    timeline_.advance(next);
    timeline_.run_due();
    if (device_->deadline() <= timeline_.now()) device_->run_timers(timeline_.now());
    for (auto& c : connections_) settle(c);
    if (options_.tracing == Tracing::off) continue;
    for (const auto& note : device_->take_notes()) trace_.note(timeline_.now(), note);
  }
}

std::uint64_t Running::next_event() const {
  auto next = std::min(timeline_.next(), device_->deadline());
  for (const auto& c : connections_) {
    if (!c.has_started) continue;
    const auto wake = [&next](const Application& a, const TcpEndpoint& tcp) { next = std::min({next, a.deadline(), tcp.deadline()}); };
    wake(*c.client, c.client->stream().tcp());
    for (const auto& leg : c.legs) wake(*leg.server, leg.server->stream().tcp());
  }
  return next;
}

void Running::start_due() {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    auto& c = connections_[i];
    if (c.has_started) continue;
    if (c.plan->start == Start::after_previous && !connections_[i - 1].is_over()) return;
    c.has_started = true;
    start(i);
  }
}

void Running::start(std::size_t index) {
  auto& c = connections_[index];
  const auto content_seed = options_.seed * 64 + index;
  const Content up{content_seed, Direction::up}, down{content_seed, Direction::down};
  TcpEndpoint tcp{c.plan->client_tcp, scenario_.client, c.plan->client_port, random_.fork()};
  std::unique_ptr<Stream> stream;
  if (device_->opens_tls()) {
    auto tls = std::make_unique<TlsClientStream>(std::move(tcp), rig_.contexts, c.plan->tls, kept_);
    c.tls = tls.get();
    stream = std::move(tls);
  } else {
    stream = std::make_unique<PlainStream>(std::move(tcp), client_preamble());
  }
  c.client = std::make_unique<Application>(std::move(stream), c.plan->client, up, down);
  c.audit = std::make_unique<FlowAudit>(AuditFacts{.connection = index, .acknowledges = device_->terminates_tcp() ? Acknowledges::held : Acknowledges::delivered,
                                                   .truncation_forward = scenario_.truncation_forward, .release_streaming = scenario_.release_streaming,
                                                   .is_passed = device_->serves() && !device_->opens_tls(),
                                                   .is_sealed_again = scenario_.serving.speech == Serving::Speech::tls,
                                                   .grants_itself = scenario_.serving.answers == Serving::Answers::device || introduced(c),
                                                   .client_mtu = scenario_.serving.client_mtu,
                                                   .server_mtu = scenario_.serving.server_mtu, .introduced = introduced(c), .up = up, .down = down, .down_bytes = c.plan->server.bytes_to_write()},
                                        c.tls, result_.findings);
  Host gateway = scenario_.service;
  gateway.mac = scenario_.device_client.mac;
  c.client->stream().tcp().connect(gateway, 443, timeline_.now());
  send_all(c.client->stream().tcp(), client_up_);
}

void Running::accept(Connection& c, const Segment& syn) {
  const auto index = static_cast<std::size_t>(&c - connections_.data());
  const auto content_seed = options_.seed * 64 + index;
  const auto host = std::find_if(scenario_.servers.begin(), scenario_.servers.end(), [&](const Host& h) { return h.address == syn.target; });
  const Host self{host != scenario_.servers.end() ? host->mac : scenario_.server.mac, syn.target};
  TcpEndpoint tcp{c.plan->server_tcp, self, syn.target_port, random_.fork()};
  tcp.listen();
  std::unique_ptr<Stream> stream;
  if (scenario_.serving.speech == Serving::Speech::tls) {
    auto tls = std::make_unique<TlsServerStream>(std::move(tcp), rig_.server_contexts.find(options_.seed % 3 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION));
    c.audit->meet(syn.target, *tls);
    stream = std::move(tls);
  } else {
    stream = std::make_unique<PlainStream>(std::move(tcp), server_preamble(c));
  }
  auto server = std::make_unique<Application>(std::move(stream), c.plan->server, Content{content_seed, Direction::down}, Content{content_seed, Direction::up});
  if (syn.target == c.called && syn.source_port == c.called_from) c.server = server.get();
  c.legs.push_back({syn.target, syn.source_port, std::move(server)});
}

void Running::refuse(const Segment& syn) {
  TcpEndpoint nobody{TcpConfig{}, {scenario_.servers[0].mac, syn.target}, syn.target_port, Random{0}};
  nobody.receive(syn, timeline_.now());
  send_all(nobody, server_down_);
}

Preamble Running::client_preamble() const { return {.says = scenario_.hello, .hears = {}, .introduced = {}}; }

Preamble Running::server_preamble(const Connection& c) const { return {.says = {}, .hears = scenario_.hello, .introduced = introduced(c)}; }

std::optional<Introduced> Running::introduced(const Connection& c) const {
  if (scenario_.serving.introduces == Serving::Introduces::nobody) return std::nullopt;
  return Introduced{.client = scenario_.client.address, .service = scenario_.service.address, .client_port = c.plan->client_port, .service_port = 443};
}

bool Running::is_out_of_service(const IpAddress& server) const {
  return scenario_.serving.first != Serving::First::well && server == scenario_.servers[0].address;
}

template <class Visit>
void Running::each_end(Connection& c, Visit&& visit) {
  visit(*c.client, client_up_);
  for (auto& leg : c.legs) visit(*leg.server, server_down_);
}

void Running::to_client(Frame&& frame) {
  const auto d = decode(frame);
  auto* c = d.kind == Decoding::tcp ? find(d.segment.target_port) : d.kind == Decoding::too_big ? find(d.too_big.quoted_source_port) : nullptr;
  if (c == nullptr || !c->has_started) return;
  auto& tcp = c->client->stream().tcp();
  if (d.kind == Decoding::tcp) tcp.receive(d.segment, timeline_.now());
  else tcp.shrink_path(d.too_big, timeline_.now());
  settle(*c);
}

void Running::to_server(Frame&& frame) {
  const auto d = decode(frame);
  const bool is_tcp = d.kind == Decoding::tcp;
  if (!is_tcp && d.kind != Decoding::too_big) return;
  const auto& address = is_tcp ? d.segment.target : d.too_big.quoted_source;
  const auto port = is_tcp ? d.segment.source_port : d.too_big.quoted_target_port;
  auto* c = find_behind(port, is_tcp ? &d.segment : nullptr);
  if (c == nullptr) return;
  if (is_out_of_service(address)) {
    if (is_tcp && scenario_.serving.first == Serving::First::refuses && !d.segment.has(kRst)) refuse(d.segment);
    return;
  }
  const auto find_leg = [&] { return std::find_if(c->legs.begin(), c->legs.end(), [&](const Leg& l) { return l.address == address && l.client_port == port; }); };
  auto leg = find_leg();
  if (leg == c->legs.end()) {
    if (!is_tcp || !d.segment.has(kSyn)) return;
    accept(*c, d.segment);
    leg = find_leg();
  }
  auto& tcp = leg->server->stream().tcp();
  if (d.kind == Decoding::tcp) tcp.receive(d.segment, timeline_.now());
  else tcp.shrink_path(d.too_big, timeline_.now());
  settle(*c);
}

/// Lets both ends of a connection do what they can, and sends what they have to say.
void Running::settle(Connection& c) {
  const auto now = timeline_.now();
  if (c.client == nullptr) return;
  each_end(c, [&](Application& a, Link& link) {
    auto& tcp = a.stream().tcp();
    if (tcp.deadline() <= now) tcp.run_timers(now);
    a.run(now);
    send_all(tcp, link);
  });
}

void Running::send_all(TcpEndpoint& tcp, Link& link) {
  auto frames = std::exchange(tcp.output(), {});
  for (auto& frame : frames) link.send(std::move(frame));
}

void Running::into_device(Side side, Frame&& frame) {
  // Only the splice promises anything here: a router passes on what is forged, a terminator of model parts has no defence.
  const bool is_splice = device_->opens_tls() && !device_->terminates_tcp();
  auto& adversary = side == Side::client ? client_adversary_ : server_adversary_;
  const auto d = decode(frame);
  auto plot = is_splice && d.kind == Decoding::tcp ? adversary.plot(frame, d.segment) : Adversary::Plot{};
  if (plot.touches_data) {
    auto* c = side == Side::client ? find(d.segment.source_port) : find_behind(d.segment.target_port, nullptr);
    if (c != nullptr) (side == Side::client ? c->is_up_touched : c->is_down_touched) = true;
    if (c != nullptr && c->audit) c->audit->note_falsehood(side == Side::client ? Direction::up : Direction::down);
  }
  // What only a blind sender says is none of the connection's: the taps do not see it, and it may change nothing.
  const auto inject = [&](std::vector<Frame>& frames) {
    for (auto& f : frames) plot.touches_data ? enter(side, std::move(f)) : device_->receive(side, std::move(f), timeline_.now());
  };
  inject(plot.before);
  enter(side, std::move(frame));
  inject(plot.behind);
}

void Running::enter(Side side, Frame&& frame) {
  tap(side == Side::client ? Tap::client_in : Tap::server_in, frame);
  device_->receive(side, std::move(frame), timeline_.now());
}

void Running::out_of_device(Side side, Frame&& frame) {
  tap(side == Side::client ? Tap::client_out : Tap::server_out, frame);
  if (const auto d = decode(frame); d.kind == Decoding::tcp) (side == Side::client ? client_adversary_ : server_adversary_).overhear(d.segment);
  if (random_.chance(profile_.trouble.tx_full)) return;  // behind the taps: the device believes it sent it
  auto& link = side == Side::client ? client_down_ : server_up_;
  if (random_.chance(profile_.trouble.tx_twice)) link.send(Frame{frame});
  link.send(std::move(frame));
}

void Running::tap(Tap where, Bytes frame) {
  static constexpr std::array<std::string_view, 4> kNames{"c>D", "c<D", "s>D", "s<D"};
  const auto d = decode(frame);
  ++result_.packets;
  if (options_.tracing == Tracing::on) trace_.packet(timeline_.now(), kNames[static_cast<std::size_t>(where)], d);
  const auto& s = d.segment;
  for (const std::uint64_t word : {timeline_.now(), std::uint64_t{static_cast<std::uint8_t>(where)}, std::uint64_t{s.seq}, std::uint64_t{s.ack},
                                   std::uint64_t{s.flags}, std::uint64_t{s.window}, std::uint64_t{s.payload.size()}}) {
    result_.digest = (result_.digest ^ word) * 0x100000001b3ULL;
  }
  const bool leaves = where == Tap::client_out || where == Tap::server_out;
  if (d.kind != Decoding::tcp) {
    if (leaves && !device_->is_transparent() && d.kind != Decoding::too_big) add("tcp", 0, "the device sent a frame that does not parse");
    return;
  }
  const bool from_client = where == Tap::client_in || where == Tap::server_out;
  const auto port = from_client ? s.source_port : s.target_port;
  const bool is_client_side = where == Tap::client_in || where == Tap::client_out;
  auto* c = is_client_side ? find(port) : find_behind(port, where == Tap::server_out ? &s : nullptr);
  if (c != nullptr && where == Tap::server_out && s.has(kSyn)) note_call(*c, s);
  if (c != nullptr && c->audit) c->audit->see(where, s, d.ip_bytes, timeline_.now());
  else if (leaves) add("tcp", 0, "the device sent a segment of no connection");
}

void Running::note_call(Connection& c, const Segment& syn) {
  c.called = syn.target;
  c.called_from = syn.source_port;
  for (auto& leg : c.legs) {
    if (leg.address == c.called && leg.client_port == c.called_from) c.server = leg.server.get();
  }
}

Connection* Running::find(std::uint16_t client_port) {
  for (auto& c : connections_) {
    if (c.plan->client_port == client_port) return &c;
  }
  return nullptr;
}

/// Behind a pool a connection is told by its numbers: a server sees the client's own, less a header.
Connection* Running::find_behind(std::uint16_t client_port, const Segment* from_device) {
  constexpr std::uint32_t kLongestHeader = 1'024;
  if (scenario_.pool.empty()) return find(client_port);
  for (auto& c : connections_) {
    if (std::find(c.pool_ports.begin(), c.pool_ports.end(), client_port) != c.pool_ports.end()) return &c;
  }
  if (from_device == nullptr || !from_device->has(kSyn)) return nullptr;
  for (auto& c : connections_) {
    if (!c.has_started || c.plan->client_tcp.initial_seq - from_device->seq > kLongestHeader) continue;
    c.pool_ports.push_back(client_port);
    return &c;
  }
  return nullptr;
}

void Running::add(std::string invariant, std::size_t connection, std::string what) {
  if (options_.tracing == Tracing::on) trace_.note(timeline_.now(), invariant + ": " + what);
  result_.findings.add(std::move(invariant), timeline_.now(), connection, std::move(what));
}

// ---- the verdict

void Running::judge() {
  for (std::size_t i = 0; i < connections_.size(); ++i) judge_connection(i, connections_[i]);
  // Where a connection may take longer than a run, its flow may as well: nothing is left over of what goes on.
  const bool may_go_on = profile_.may_give_up && !std::all_of(connections_.begin(), connections_.end(), [](const Connection& c) { return c.is_over(); });
  if (may_go_on) return;
  for (const auto& what : device_->leftovers()) add("I5", 0, what);
}

void Running::judge_connection(std::size_t index, Connection& c) {
  if (!c.has_started) {
    add("liveness", index, "never started: the connection before it does not end");
    return;
  }
  const auto ends = "client: " + c.client->describe() + "; server: " + (c.server ? c.server->describe() : "no SYN came");
  for (auto* a : {c.client.get(), c.server}) {
    if (a == nullptr) continue;
    result_.bytes += a->received();
    const std::string who = a == c.client.get() ? "client" : "server";
    // What a server says in clear, somebody beside it may say too; what a client says, nobody, unless the service streams.
    const bool may_be_wrong = a == c.client.get() ? c.is_down_touched : c.is_up_touched && scenario_.release_streaming;
    if (const auto wrong = a->first_wrong_byte(); wrong && !may_be_wrong) add("I6", index, who + " got a wrong byte at " + std::to_string(*wrong));
    const auto& stats = a->stream().tcp().stats();
    if (stats.acks_of_unsent > 0 && !c.is_touched()) add("I1", index, who + " got acknowledgements of what it never sent");
    if (stats.missing_timestamps > 0) add("tcp", index, who + " got segments without the negotiated timestamp");
  }
  if (c.server != nullptr && !c.server->stream().trouble().empty()) add("I6", index, "the server: " + c.server->stream().trouble());
  c.audit->finish(timeline_.now());
  const auto client_end = c.client->stream().ending(), server_end = c.server ? c.server->stream().ending() : Ending::failed;
  const auto up = c.plan->client.bytes_to_write(), down = c.plan->server.bytes_to_write();
  const auto received_up = c.server ? c.server->received() : 0, received_down = c.client->received();

  // A clean end is a promise about all that came before it.
  const bool is_judged = device_->opens_tls() || device_->serves();
  const bool client_cut_short = (device_->opens_tls() && c.plan->client.has(Step::Kind::truncate)) || c.plan->client.has(Step::Kind::abort);
  const bool server_cut_short = c.plan->server.has(Step::Kind::abort);
  const bool may_end_truncated = scenario_.truncation_forward && c.plan->client.has(Step::Kind::truncate);
  if (server_end == Ending::clean && is_judged) {
    if (client_cut_short && !may_end_truncated) add("I6", index, "the server saw a clean end of a cut-off stream; " + ends);
    if (received_up != c.client->written()) add("I6", index, "the server saw a clean end with bytes missing; " + ends);
    if (c.server->first_wrong_byte()) add("I6", index, "the server saw a clean end of a forged stream; " + ends);
  }
  if (client_end == Ending::clean) {
    if (server_cut_short) add("I6", index, "the client saw a clean end of a reset stream; " + ends);
    if (received_down != (c.server ? c.server->written() : 0) && !c.is_down_touched) add("I6", index, "the client saw a clean end with bytes missing; " + ends);
  }
  if (device_->opens_tls() && client_end == Ending::truncated && !server_cut_short) {
    add("I6", index, "the client saw a FIN without close_notify; " + ends);
  }

  // Who has called close() after the last byte sends RST to what still comes: nothing is missing.
  const bool client_left = c.plan->client.has(Step::Kind::close) && c.client->has_closed_write() && received_down == down;
  const bool is_clean = server_end == Ending::clean && (client_end == Ending::clean || client_left) && received_up == up && received_down == down;
  ++(is_clean ? result_.completed : result_.failed);
  // close() while a ticket is still on its way becomes a reset, and takes along what TCP had not delivered.
  const bool left_in_reset = c.plan->client.has(Step::Kind::close) && c.client->stream().tcp().failure() == TcpFailure::aborted;
  const bool was_cut_short = client_cut_short || server_cut_short || left_in_reset || c.is_touched();
  if (!is_clean && !was_cut_short && !profile_.may_give_up) add("I6", index, "not completed; " + ends);
  if (!c.is_over() && !profile_.may_give_up) add("liveness", index, "not over; " + ends);

  if (is_clean || c.server == nullptr || !device_->opens_tls() || was_cut_short) return;
  // What was acknowledged to a client is still owed to the server, even when the client has vanished (I1, observed).
  const auto owed = c.audit->owed_to_server();
  if (received_up < owed.whole_records && (profile_.loses_a_side || !profile_.may_give_up)) {
    add("I1", index, "acknowledged " + std::to_string(owed.whole_records) + " bytes to the client, delivered " + std::to_string(received_up));
  }
  if (owed.is_inside_record && !profile_.loses_a_side && received_up <= owed.whole_records && !profile_.may_give_up) {
    add("I2", index, "acknowledged into a record behind byte " + std::to_string(owed.whole_records) + " that never reached the server");
  }
}

}  // namespace

RunResult run(Rig& rig, const RunOptions& options) { return Running{rig, options}.go(); }

}  // namespace cutwater::sim
