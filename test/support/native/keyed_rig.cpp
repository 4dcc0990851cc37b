#include "support/native/keyed_rig.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "native/hello/hello_builder.hpp"

namespace cutwater::support {
namespace {

using path::Side;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "keyed_rig: %s\n", what);
  std::abort();
}

constexpr std::uint16_t kServicePort = 443, kServerPort = 80, kClientPort = 50'000;
constexpr std::uint8_t kClientKey = 11, kDeviceKey = 22, kServerKey = 33, kCallerKey = 44;
constexpr std::uint64_t kTurnUs = 1'024'000'000;  // whole turns of the timer wheel, whole periods of SYN cookies
constexpr std::size_t kMostOffset = 1U << 20;
constexpr unsigned kRunsOfADevice = 2048;          // then a new one, lest a script's fate depend on thousands before it

IpAddress address(bool is_v6, std::uint8_t network, std::uint8_t host) {
  const std::array<std::uint8_t, 4> v4{10, network, 0, host};
  const std::array<std::uint8_t, 16> v6{0xfd, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host};
  return is_v6 ? IpAddress::from_v6(v6.data()) : IpAddress::from_v4(v4.data());
}
MacAddress mac(std::uint8_t last) { return {2, 0, 0, 0, 0, last}; }

bool is_proxy(Shape shape) { return shape == Shape::proxy || shape == Shape::introduced || shape == Shape::layer7 || shape == Shape::far; }

std::shared_ptr<const path::Services> services_of(const KeyedPlan& plan) {
  auto services = std::make_shared<path::Services>();
  path::Service service;
  service.name = "rig";
  service.mode = is_proxy(plan.shape) ? path::Mode::proxy : plan.shape == Shape::direct ? path::Mode::direct : path::Mode::balance;
  service.address = address(plan.is_v6, 2, 2);
  service.port = kServicePort;
  const std::size_t servers = plan.shape == Shape::direct ? 1 : KeyedRig::kServers;
  for (std::size_t i = 0; i < servers; ++i) {
    service.servers.push_back({.address = address(plan.is_v6, 2, static_cast<std::uint8_t>(2 + i)), .port = kServerPort, .hop = {.mac = mac(4), .is_known = true}});
  }
  if (plan.shape == Shape::pass) service.handling = splice::Handling::pass, service.overhead_bytes = 0;
  if (plan.shape == Shape::pass_hello) {
    service.handling = splice::Handling::pass_tls, service.overhead_bytes = 0;
    service.mode = path::Mode::proxy;
    service.routes = {{.sni = "shop.test", .servers = {0}}, {.servers = {1, 2}}};
  }
  if (plan.shape == Shape::introduced) service.introduction = splice::Introduction::proxy_v2_tls;
  if (plan.shape == Shape::balance) service.pool = {address(plan.is_v6, 2, 200), address(plan.is_v6, 2, 201)};
  if (plan.shape == Shape::far) service.speech = splice::ServerSpeech::tls;
  if (plan.shape == Shape::layer7) {
    service.http = {.is_read = true, .is_forwarded = false, .max_head_bytes = 1024};
    service.routes = {{.request = {.path = "/a"}, .servers = {0}}, {.request = {.path = "/b"}, .servers = {1}}, {.request = {.path = "/c"}, .servers = {2}}};
  }
  service.truncation_forward = plan.truncation_forward;
  service.release_streaming = plan.release_streaming;
  service.custody_congestion = plan.has_bbr ? splice::CongestionControl::bbr : splice::CongestionControl::cubic;
  service.rekey_after_records = plan.rekey_after_records;
  service.hello = {.retry = plan.is_asked_back ? path::Retry::always : path::Retry::never, .profile = {{0x1301, 0x1302, 0x1303}, {0x001d, 0x0017}, false}};
  services->list.push_back(service);
  services->client = {.mac = mac(2), .mtu = 1500, .vlan = 0};
  services->server = {.mac = mac(3), .mtu = 1500, .vlan = 0};
  return services;
}

void trace(Side to, const sim::Segment& s, bool is_lost) {
  std::fprintf(stderr, "  to %s: seq %u ack %u %s, %zu bytes%s\n", to == Side::client ? "client" : "server", s.seq, s.ack, sim::flag_names(s.flags).c_str(),
               s.payload.size(), is_lost ? ", lost" : "");
}

}  // namespace

bool is_traced() {
  static const bool is = std::getenv("CUTWATER_FUZZ_TRACE") != nullptr;
  return is;
}

struct KeyedRig::Device {
  port::ChunkPool chunks;
  secure::Link link;
  path::Path path;
  Tick now{kTurnUs};
  unsigned runs = 0;
  std::optional<KeyedPlan> configured;

  explicit Device(std::uint32_t packets)
      : chunks(packets),
        path({.max_flows = 8,
              .max_half_open = 8,
              .blocks = {.answers = 8, .hellos = 4, .long_hellos = 2},
              .retry_secret = {9},
              .cookie_key = {7},
              .wall_at_zero_s = 1'700'000'000,
              .hash_seed = {0x9e37'79b9'7f4a'7c15, 0x243f'6a88'85a3'08d3},
              .syn_key = {0x1319'8a2e'0370'7344, 0xa409'3822'299f'31d0}},
             chunks, link) {}

  // Services whose servers speak TLS leave a path with a second half: those have devices of their own.
  static Device& of(const KeyedPlan& plan) {
    static std::array<std::unique_ptr<Device>, 4> devices;
    std::unique_ptr<Device>& device = devices[(plan.has_few_chunks ? 1U : 0U) + (plan.shape == Shape::far ? 2U : 0U)];
    if (device == nullptr || ++device->runs == kRunsOfADevice) device = std::make_unique<Device>(plan.has_few_chunks ? 96U : 512U);
    device->now = Tick{(device->now.us / kTurnUs + 2) * kTurnUs};
    device->path.expire(device->now);
    if (device->configured != plan) device->path.configure(services_of(plan)), device->configured = plan;
    return *device;
  }
};

KeyedRig::KeyedRig(const KeyedPlan& plan) : plan_(plan), device_(Device::of(plan)) {
  client.host = {mac(1), address(plan.is_v6, 1, 2)};
  client.gateway = {mac(2), {}};
  client.peer = address(plan.is_v6, 2, 2);
  client.port = kClientPort, client.peer_port = kServicePort;
  client.isn = 0xffff'f000;  // wraps early
  for (std::size_t i = 0; i < kServers; ++i) {
    servers[i].host = {mac(4), address(plan.is_v6, 2, static_cast<std::uint8_t>(2 + i))};
    servers[i].gateway = {mac(3), {}};
    servers[i].peer = client.host.address;
    servers[i].port = kServerPort, servers[i].peer_port = kClientPort;
    servers[i].isn = 0xffff'ff00 + static_cast<std::uint32_t>(i) * 77'777;
  }
  const auto same = [&](ScriptedEnd& end) {
    end.window_scale = plan.window_scale;
    end.has_sack = plan.has_sack;
    end.has_timestamps = plan.has_timestamps;
  };
  same(client), std::for_each(servers.begin(), servers.end(), same);
  const record::Suite* suite = record::find_suite(plan.suite, plan.suite >> 8 == 0x13 ? record::Version::tls13 : record::Version::tls12);
  client_tls.start(*suite, kClientKey, kDeviceKey);
  server_tls.start(*suite, kServerKey, kCallerKey);
}

// Whatever a script has left is gone for the next one.
KeyedRig::~KeyedRig() {
  device_.path.reset_flows(~0U, Reset::shutdown, device_.now);
  for (const Side side : {Side::client, Side::server}) {
    for (const port::Packet& packet : device_.path.tx(side)) device_.chunks.put(packet.chunk);
    device_.path.clear_tx(side);
  }
  std::unique_ptr<secure::Request> request;
  while (device_.link.lane(0).to.pop(request)) continue;
}

path::Path& KeyedRig::path() { return device_.path; }
std::uint32_t KeyedRig::held_chunks() const { return device_.chunks.capacity() - device_.chunks.free_chunks(); }
Tick KeyedRig::now() const { return device_.now; }
void KeyedRig::reload() { device_.path.configure(services_of(plan_)); }

void KeyedRig::hello() {
  static const ByteVector message = hello::test::captured("curl_name");
  if (message.empty()) fail("no stored hello");
  client.out.insert(client.out.end(), {22, 3, 1, static_cast<std::uint8_t>(message.size() >> 8), static_cast<std::uint8_t>(message.size())});
  client.out.insert(client.out.end(), message.begin(), message.end());
}

void KeyedRig::establish() {
  send(Side::client, client.syn(sim::kSyn));
  send(Side::client, client.segment(0, 0));
  if (plan_.shape == Shape::pass) return;
  hello();
  send(Side::client, client.segment(0, client.out.size(), sim::kAck | sim::kPsh));
  send(Side::client, client.segment(client.out.size(), 0));
  for (ScriptedEnd& end : servers) {
    if (end.peer_isn != 0) send(Side::server, end.segment(end.out.size(), 0));
  }
}

void KeyedRig::send(Side from, const sim::Segment& segment) { send_frame(from, sim::encode(segment, sim::Padding::to_60)); }

void KeyedRig::send_frame(Side from, sim::Frame frame) {
  device_.now = device_.now + 100;
  auto packet = device_.chunks.take();
  if (packet && frame.size() <= port::kMaxPacketBytes) {
    std::memcpy(packet->data, frame.data(), frame.size());
    packet->bytes = static_cast<std::uint32_t>(frame.size());
    device_.path.run(from, {&*packet, 1}, device_.now);
  } else if (packet) {
    device_.chunks.put(packet->chunk);
  }
  collect();
}

void KeyedRig::wait(std::uint64_t us) {
  const Tick end = device_.now + us;
  while (device_.path.next_deadline() <= end) {
    device_.now = std::max(device_.path.next_deadline(), device_.now);
    device_.path.expire(device_.now);
    collect();
    if (device_.path.next_deadline() <= device_.now) device_.now = device_.now + 1;
  }
  device_.now = std::max(end, device_.now);
  device_.path.expire(device_.now);
  collect();
}

// ---- What the path sends

void KeyedRig::collect() {
  for (int turn = 0; turn < 8; ++turn) {
    collect(Side::client), collect(Side::server);
    std::unique_ptr<secure::Request> request;
    while (device_.link.lane(0).to.pop(request)) {
      if (processor == Processor::slow) waiting_.push_back(std::move(request));
      else answer(*request);
    }
    if (!device_.link.has_replies() && device_.path.tx(Side::client).empty() && device_.path.tx(Side::server).empty()) return;
    device_.path.drain_secure(device_.now);
  }
}

void KeyedRig::collect(Side side) {
  // Ends may answer at once, which sends more: what is here now is taken first.
  std::vector<sim::Frame> frames;
  for (const port::Packet& packet : device_.path.tx(side)) {
    frames.emplace_back(packet.data, packet.data + packet.bytes);
    device_.chunks.put(packet.chunk);
  }
  device_.path.clear_tx(side);
  for (sim::Frame& frame : frames) {
    const sim::Decoded decoded = sim::decode(frame);
    if (decoded.kind == sim::Decoding::too_big) continue;
    if (decoded.kind != sim::Decoding::tcp) fail("the path sent something that is not a sound TCP packet");
    if (is_traced()) trace(side, decoded.segment, lost_[index(side)] != 0);
    std::size_t& lost = lost_[index(side)];
    const bool is_lost = lost != 0 && lost-- != 0;
    if (side == Side::server) {
      take_to_server(decoded.segment, is_lost);
    } else if (decoded.segment.target_port == client.port) {
      if (decoded.segment.has(sim::kSyn) && decoded.segment.has(sim::kAck)) note_answer(decoded.segment);
      const auto offset = static_cast<std::int32_t>(decoded.segment.seq - (client.peer_isn + 1U));
      if (offset >= 0 && !decoded.segment.has(sim::kSyn) && !decoded.segment.has(sim::kRst) && !sent_to_client_.agrees(static_cast<std::size_t>(offset), decoded.segment.payload)) is_contradicted_ = true;
      if (!is_lost) client.take(decoded.segment);
    }
    latest_[index(side)] = std::move(frame);
  }
  is_contradicted_ = !has_reconnected_ && (is_contradicted_ || client.is_contradicted);
}

// An answer with another number begins another connection: what went before stands for itself.
void KeyedRig::note_answer(const sim::Segment& syn_ack) {
  const bool is_own = syn_ack.ack == client.isn + 1U;
  if (is_own && (client.peer_isn == 0 || client.peer_isn == syn_ack.seq)) return;
  has_reconnected_ = has_reconnected_ || !is_own || is_keyed_;
  is_contradicted_ = is_contradicted_ || client.is_contradicted;
  client.is_contradicted = false;
  client.in.clear(), client.ahead.clear();
  sent_to_client_ = {};
}

void KeyedRig::take_to_server(const sim::Segment& segment, bool is_lost) {
  const auto found = std::find_if(servers.begin(), servers.end(), [&](const ScriptedEnd& end) { return end.host.address == segment.target; });
  if (segment.has(sim::kRst) && (found == servers.end() || segment.target_port != kServerPort)) return;  // to a stranger who had said something
  if (found == servers.end() || segment.target_port != kServerPort) fail("the path called somebody who is no server");
  const bool has_own_port = plan_.shape == Shape::direct || plan_.shape == Shape::pass || plan_.shape == Shape::pass_hello;
  if (has_own_port && segment.source_port != client.port) return;  // a stranger's, who are only in the way
  const auto which = static_cast<std::size_t>(found - servers.begin());
  ScriptedEnd& end = *found;
  if (segment.has(sim::kSyn) && !is_lost) {
    const bool is_again = end.peer_isn == segment.seq && end.peer_port == segment.source_port;
    if (!is_again) {  // a new connection
      end.in.clear(), end.ahead.clear();
      end.has_fin = end.has_rst = false;
      if (end.peer_isn != 0) end.isn += 1'000'000, end.acked = 0;
      if (end.peer_isn != 0 || plan_.shape == Shape::far) end.out.clear();  // what was written before the keys began anew is nothing now
      end.peer = segment.source, end.peer_port = segment.source_port;
      sent_to_servers_[which] = {};
      if (plan_.shape == Shape::far) server_tls.start(client_tls.suite(), kServerKey, kCallerKey), server_keyed_at = 0;
      talking = which, ++connections;
    }
    end.take(segment);
    if (welcome == Welcome::mute) return;
    sim::Segment reply = end.syn(sim::kSyn | sim::kAck);
    if (welcome == Welcome::refuse) reply = end.segment(0, 0, sim::kRst | sim::kAck), reply.seq = end.isn;
    auto packet = device_.chunks.take();
    if (!packet) return;  // lost
    const sim::Frame frame = sim::encode(reply, sim::Padding::to_60);
    std::memcpy(packet->data, frame.data(), frame.size());
    packet->bytes = static_cast<std::uint32_t>(frame.size());
    device_.path.run(Side::server, {&*packet, 1}, device_.now);
    return;
  }
  if (segment.source_port != end.peer_port || segment.source != end.peer) return;  // of an older connection
  const auto offset = static_cast<std::int32_t>(segment.seq - (end.peer_isn + 1U));
  if (offset >= 0 && !segment.has(sim::kRst) && !sent_to_servers_[which].agrees(static_cast<std::size_t>(offset), segment.payload)) end.is_contradicted = true;
  if (!is_lost) end.take(segment);
}

bool KeyedRig::Sent::agrees(std::size_t offset, Bytes more) {
  if (offset + more.size() > kMostOffset) return true;
  if (bytes.size() < offset + more.size()) bytes.resize(offset + more.size()), is_known.resize(bytes.size());
  for (std::size_t i = 0; i < more.size(); ++i) {
    if (is_known[offset + i] && bytes[offset + i] != more[i]) return false;
    bytes[offset + i] = more[i], is_known[offset + i] = true;
  }
  return true;
}

// ---- The processor

void KeyedRig::serve() {
  while (!waiting_.empty()) {
    const auto request = std::move(waiting_.front());
    waiting_.pop_front();
    answer(*request);
  }
  if (device_.link.has_replies()) device_.path.drain_secure(device_.now);
  collect();
}

void KeyedRig::answer(const secure::Request& request) {
  if (!secure::is_beginning(request.kind)) return;
  const bool is_call = request.kind == secure::Request::Kind::call;
  auto r = std::make_unique<secure::Reply>();
  r->kind = secure::Reply::Kind::established;
  r->token = request.token;
  r->consumed_bytes = static_cast<std::uint32_t>(request.bytes.size());
  r->bytes = {22, 3, 3, 0, 4, 2, 0, 0, 0};  // stands for a flight
  r->established = std::make_unique<secure::Established>();
  if (is_call) {
    server_tls.start(client_tls.suite(), kServerKey, kCallerKey);
    server_tls.tell(*r->established);
    server_keyed_at = r->bytes.size();
  } else {
    RecordEnd at_first;  // what the client has written since is under these keys, too
    at_first.start(client_tls.suite(), kClientKey, kDeviceKey);
    if (!is_keyed_) at_first.tell(*r->established), client_keyed_at = client.in.size() + r->bytes.size();
    else r->kind = secure::Reply::Kind::failed, r->established.reset();  // one client, one handshake
    is_keyed_ = true;
    if (r->established && plan_.shape == Shape::layer7) r->established->protocol = "http/1.1";
    if (r->established) r->established->server_name = "shop.test";
  }
  if (processor != Processor::odd) return reply(std::move(r));
  const auto [how, a, b, c] = oddness;
  if ((how & 3) == 1) r->kind = secure::Reply::Kind::failed, r->alert = a, r->failure = static_cast<secure::HandshakeFailure>(b % secure::kHandshakeFailures), r->established.reset();
  if ((how & 3) == 2) r->consumed_bytes = static_cast<std::uint32_t>(a) << (b % 25);
  if ((how & 3) == 3 && r->established) r->established->max_fragment_bytes = static_cast<std::uint16_t>(64 + a * 64);
  if ((how & 4) != 0) r->bytes.assign(static_cast<std::size_t>(c) * 400, b);
  if ((how & 8) != 0) r->token.generation += a;
  if ((how & 16) != 0) r->token.flow = a;
  if ((how & 32) != 0) {  // something first
    auto first = std::make_unique<secure::Reply>();
    first->token = request.token;
    first->bytes.assign(c, 22);
    reply(std::move(first));
  }
  reply(std::move(r));
}

void KeyedRig::reply(std::unique_ptr<secure::Reply> r) {
  (void)device_.link.lane(0).from.push(std::move(r));
}

}  // namespace cutwater::support
