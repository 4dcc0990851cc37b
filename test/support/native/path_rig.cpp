#include "support/native/path_rig.hpp"

#include <ctime>
#include <stdexcept>
#include <utility>

namespace cutwater::support {
namespace {

constexpr std::array<std::uint8_t, hello::kCookieKeyBytes> kCookieKey{7};
constexpr std::uint16_t kServicePort = 443, kServerPort = 80, kClientPort = 50'000;

IpAddress address(bool is_v6, std::uint8_t network, std::uint8_t host) {
  const std::array<std::uint8_t, 4> v4{10, network, 0, host};
  const std::array<std::uint8_t, 16> v6{0xfd, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host};
  return is_v6 ? IpAddress::from_v6(v6.data()) : IpAddress::from_v4(v4.data());
}

MacAddress mac(std::uint8_t last) { return {2, 0, 0, 0, 0, last}; }

ScriptedEnd make_client(const RigPlan& plan) {
  ScriptedEnd end;
  end.host = {mac(1), address(plan.is_v6, 1, 2)};
  end.gateway = {mac(2), {}};
  end.peer = address(plan.is_v6, 2, 2);
  end.port = kClientPort, end.peer_port = kServicePort;
  end.isn = 0xffff'f000;  // wraps early
  end.window_bytes = plan.client_window_bytes;
  end.mss = plan.client_mss;
  return end;
}

ScriptedEnd make_server(const RigPlan& plan) {
  ScriptedEnd end;
  end.host = {mac(4), address(plan.is_v6, 2, 2)};
  end.gateway = {mac(3), {}};
  end.peer = address(plan.is_v6, 1, 2);
  end.port = kServerPort, end.peer_port = kClientPort;
  end.isn = 0xffff'ff00;
  end.window_bytes = plan.server_window_bytes;
  end.mss = plan.server_mss;
  return end;
}

std::shared_ptr<const path::Services> services_of(const RigPlan& plan, const ScriptedEnd& server) {
  auto services = std::make_shared<path::Services>();
  path::Service service;
  service.name = "rig";
  service.mode = plan.mode;
  service.address = server.host.address;
  service.port = kServicePort;
  for (std::uint8_t i = 0; i < plan.servers; ++i) {
    service.servers.push_back({.address = address(plan.is_v6, 2, static_cast<std::uint8_t>(2 + i)), .port = kServerPort, .hop = {.mac = server.host.mac, .is_known = true}});
  }
  const secure::Tls13Offer offer = secure::tls13_offer(secure::test::shop());
  service.hello = {.retry = plan.retry, .profile = {offer.suites, offer.groups, offer.follows_chacha}};
  service.truncation_forward = plan.truncation_forward;
  service.release_streaming = plan.release_streaming;
  service.custody_congestion = plan.custody_congestion;
  service.idle_timeout_ms = plan.idle_timeout_ms;
  service.rekey_after_records = plan.rekey_after_records;
  services->list.push_back(service);
  if (plan.second_port != 0) {
    service.port = plan.second_port;
    services->list.push_back(service);
  }
  services->client = {.mac = mac(2), .mtu = 1500, .vlan = 0};
  services->server = {.mac = mac(3), .mtu = 1500, .vlan = 0};
  if (plan.adjust) plan.adjust(*services);
  return services;
}

void offer_suite(SSL_CTX* context, std::uint16_t iana) {
  struct Name {
    std::uint16_t iana;
    int version;
    const char* name;
  };
  static constexpr Name kNames[] = {{0x1301, TLS1_3_VERSION, "TLS_AES_128_GCM_SHA256"},
                                    {0x1302, TLS1_3_VERSION, "TLS_AES_256_GCM_SHA384"},
                                    {0x1303, TLS1_3_VERSION, "TLS_CHACHA20_POLY1305_SHA256"},
                                    {0x009c, TLS1_2_VERSION, "AES128-GCM-SHA256"},
                                    {0xc02b, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"},
                                    {0xc02c, TLS1_2_VERSION, "ECDHE-ECDSA-AES256-GCM-SHA384"},
                                    {0xcca9, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"}};
  for (const Name& n : kNames) {
    if (n.iana != iana) continue;
    SSL_CTX_set_min_proto_version(context, n.version);
    SSL_CTX_set_max_proto_version(context, n.version);
    if (n.version == TLS1_3_VERSION) SSL_CTX_set_ciphersuites(context, n.name);
    else SSL_CTX_set_cipher_list(context, n.name);
    return;
  }
  throw std::runtime_error("no such suite");
}

}  // namespace

SentPacket::SentPacket(sim::Frame&& f, bool lost) : frame(std::move(f)), is_lost(lost) {
  const sim::Decoded decoded = sim::decode(frame);
  if (decoded.kind != sim::Decoding::tcp) throw std::runtime_error("the path sent something that is not a sound TCP packet");
  segment = decoded.segment;
}

std::unique_ptr<secure::Pool> make_secure_pool(std::uint32_t tickets, std::function<Tick()> clock) {
  auto pool = std::make_unique<secure::Pool>(secure::PoolConfig{.threads = 0, .clock = std::move(clock)});
  secure::ServiceTls tls = secure::test::shop();
  tls.tickets = tickets;
  tls.cookie_key.assign(kCookieKey.begin(), kCookieKey.end());
  if (const std::string wrong = pool->configure(0, tls); !wrong.empty()) throw std::runtime_error(wrong);
  return pool;
}

PathRig::PathRig(const RigPlan& plan)
    : client(make_client(plan)),
      server(make_server(plan)),
      plan_(plan),
      chunks_(plan.chunks),
      own_secure_(plan.secure != nullptr ? nullptr : make_secure_pool(plan.tickets, [this] { return now_; })),
      secure_(plan.secure != nullptr ? *plan.secure : *own_secure_),
      path_(std::make_unique<path::Path>(
          path::PathConfig{.max_flows = plan.max_flows,
                           .max_half_open = plan.max_half_open != 0 ? plan.max_half_open : plan.max_flows,
                           .blocks = plan.blocks,
                           .retry_secret = {9},
                           .cookie_key = kCookieKey,
                           .wall_at_zero_s = std::time(nullptr),
                           .hash_seed = {0x9e37'79b9'7f4a'7c15, 0x243f'6a88'85a3'08d3},
                           .syn_key = {0x1319'8a2e'0370'7344, 0xa409'3822'299f'31d0},
                           .aead = plan.aead},
          chunks_, secure_.link(0))),
      tls_(std::make_unique<secure::test::TlsClient>([&](SSL_CTX* context) { offer_suite(context, plan.suite); })) {
  for (ScriptedEnd* end : {&client, &server}) {
    end->window_scale = plan.window_scale;
    end->has_sack = plan.has_sack;
    end->has_timestamps = plan.has_timestamps;
  }
  path_->configure(services_of(plan, server));
}

PathRig::~PathRig() = default;

void PathRig::connect() {
  send(Side::client, client.syn(sim::kSyn));
  if (plan_.mode == path::Mode::direct) server_answers();
  client_sends(0, 0);
}

void PathRig::connect_to_second() {
  ScriptedEnd first = std::exchange(client, make_client(plan_));
  auto tls = std::exchange(tls_, std::make_unique<secure::test::TlsClient>([&](SSL_CTX* context) { offer_suite(context, plan_.suite); }));
  const std::size_t fed = std::exchange(fed_, 0);
  client.peer_port = plan_.second_port;
  connect();
  for (int round = 0; round < 10 && !client.has_fin; ++round) {
    tls_->step();
    const std::size_t at = take_client_tls();
    if (at != client.out.size()) client_sends(at, client.out.size() - at);
    client_acks();
  }
  client = std::move(first);
  tls_ = std::move(tls);
  fed_ = fed;
}

void PathRig::be_server(std::uint8_t index) {
  server.host.address = address(plan_.is_v6, 2, static_cast<std::uint8_t>(2 + index));
  server.in.clear();
  server.has_rst = false;
}

void PathRig::talk_to(std::uint8_t index) {
  const IpAddress wanted = address(plan_.is_v6, 2, static_cast<std::uint8_t>(2 + index));
  if (wanted == server.host.address) return;
  ScriptedEnd other = std::move(server_at(wanted));
  silent_.erase(wanted.bytes);
  ScriptedEnd& place = silent_[server.host.address.bytes];
  place = std::exchange(server, std::move(other));
}

void PathRig::forget_server() {
  ScriptedEnd fresh = make_server(plan_);
  fresh.host = server.host;
  fresh.isn = server.isn + 1'000'000;
  fresh.window_scale = server.window_scale;
  fresh.has_sack = server.has_sack;
  fresh.has_timestamps = server.has_timestamps;
  fresh.peer_isn = server.peer_isn;
  fresh.peer_shift = server.peer_shift;
  fresh.echo = server.echo;
  server = std::move(fresh);
}

ScriptedEnd& PathRig::server_at(const IpAddress& wanted) {
  if (!has_many_ || wanted == server.host.address) return server;
  const auto [found, is_new] = silent_.try_emplace(wanted.bytes);
  if (is_new) {
    found->second = make_server(plan_);
    found->second.host.address = wanted;
    found->second.isn += wanted.bytes[15] * 77'777U;
    found->second.window_scale = plan_.window_scale;
    found->second.has_sack = plan_.has_sack;
    found->second.has_timestamps = plan_.has_timestamps;
  }
  return found->second;
}

// What the client's TLS has to say goes out in full segments; what comes back is acknowledged at once.
void PathRig::handshake() {
  for (int round = 0; round < 10; ++round) {
    const bool is_done = tls_->step();
    std::size_t at = take_client_tls();
    if (at == client.out.size() && is_done) break;
    for (; at < client.out.size(); at += 1400) client_sends(at, std::min<std::size_t>(1400, client.out.size() - at), sim::kAck | sim::kPsh);
    client_acks();
    if (plan_.mode == path::Mode::direct) server_acks();
  }
  if (flow().state != splice::FlowState::established) throw std::runtime_error("the handshake failed");
}

std::size_t PathRig::client_writes(std::string_view text) {
  tls_->write(text);
  return take_client_tls();
}

std::size_t PathRig::take_client_tls() {
  const std::size_t at = client.out.size();
  const ByteVector bytes = tls_->take();
  client.out.insert(client.out.end(), bytes.begin(), bytes.end());
  return at;
}

std::size_t PathRig::server_writes(std::string_view text) {
  const std::size_t at = server.out.size();
  server.out.insert(server.out.end(), text.begin(), text.end());
  return at;
}

std::string PathRig::client_reads() {
  std::string all;
  for (std::string part = tls_->read(); !part.empty(); part = tls_->read()) all += part;
  return all;
}

void PathRig::send(Side side, const sim::Segment& segment) { send_burst(side, {&segment, 1}); }

port::Packet PathRig::load(const sim::Segment& segment, sim::Padding padding) {
  const sim::Frame frame = sim::encode(segment, padding);
  auto packet = chunks_.take();
  if (!packet || frame.size() > port::kMaxPacketBytes) throw std::runtime_error("no chunk for a test's packet");
  std::memcpy(packet->data, frame.data(), frame.size());
  packet->bytes = static_cast<std::uint32_t>(frame.size());
  return *packet;
}

void PathRig::discard_sent() {
  for (const Side to : {Side::client, Side::server}) {
    for (const port::Packet& packet : path_->tx(to)) chunks_.put(packet.chunk);
    path_->clear_tx(to);
  }
}

void PathRig::send_burst(Side side, std::span<const sim::Segment> segments) {
  std::vector<port::Packet> burst;
  for (const sim::Segment& segment : segments) burst.push_back(load(segment, sim::Padding::to_60));
  now_ = now_ + 100;
  path_->run(side, burst, now_);
  collect();
}

void PathRig::wait(std::uint64_t us) {
  const Tick end = now_ + us;
  while (path_->next_deadline() <= end) {
    const Tick due = std::max(path_->next_deadline(), now_);
    now_ = due;
    path_->expire(now_);
    collect();
    if (path_->next_deadline() <= now_) now_ = now_ + 1;  // more than one turn's timers, or a slot not yet over
  }
  now_ = end;
  path_->expire(now_);
  collect();
}

void PathRig::collect() {
  for (int turn = 0; turn < 4; ++turn) {
    collect(Side::client, to_client, client, lost_to_client_);
    collect(Side::server, to_server, server, lost_to_server_);
    if (secure_.link(0).backlog() == 0) return;
    secure_.run_pending();
    path_->drain_secure(now_);
  }
}

void PathRig::collect(Side side, std::vector<SentPacket>& into, ScriptedEnd& end, std::size_t& lost) {
  for (const port::Packet& packet : path_->tx(side)) {
    into.emplace_back(sim::Frame(packet.data, packet.data + packet.bytes), lost != 0);
    chunks_.put(packet.chunk);
    if (lost != 0) --lost;
    else (side == Side::server ? server_at(into.back().segment.target) : end).take(into.back().segment);
  }
  path_->clear_tx(side);
  if (side == Side::client && end.in.size() > fed_) {
    tls_->give(Bytes(end.in).subspan(fed_));
    fed_ = end.in.size();
  }
}

path::FlowView PathRig::flow() {
  path::FlowView found;
  path_->each_flow([&](const path::FlowView& view) {
    found = view;
    return false;
  });
  return found;
}

std::string PathRig::pattern(std::size_t bytes, std::size_t from) {
  std::string text(bytes, ' ');
  for (std::size_t i = 0; i < bytes; ++i) text[i] = static_cast<char>('!' + (from + i * 7 + (from + i) / 97) % 90);
  return text;
}

}  // namespace cutwater::support
