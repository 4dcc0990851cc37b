// Balance through the path: what is addressed to a virtual address reaches one of several servers under that server's own address,
// and what it answers comes from the virtual address. One scripted server answers; the others are read off the wire.
#include <doctest/doctest.h>

#include <set>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

constexpr std::uint16_t kVipPort = 8443;
const IpAddress kVip = [] {
  const std::uint8_t v4[4] = {10, 1, 0, 100};
  return IpAddress::from_v4(v4);
}();
IpAddress server_address(std::uint8_t host) {
  const std::uint8_t v4[4] = {10, 2, 0, host};
  return IpAddress::from_v4(v4);
}
MacAddress server_mac(std::uint8_t host) { return host == 2 ? MacAddress{2, 0, 0, 0, 0, 4} : MacAddress{2, 0, 0, 0, 1, host}; }

struct Plan {
  std::vector<std::uint8_t> hosts{2, 3, 4};
  balance::Rule rule{};
  std::vector<IpAddress> pool{};
  std::uint32_t max_sessions = 0;
};

/// The service of the rig behind a virtual address, with the servers 10.2.0.N; 2 is the scripted one.
path::Service balanced(const path::Service& plain, const Plan& plan) {
  path::Service service = plain;
  service.address = kVip;
  service.port = kVipPort;
  service.pool = plan.pool;
  service.servers.clear();
  std::vector<balance::Member> members;
  for (const std::uint8_t host : plan.hosts) {
    service.servers.push_back({.address = server_address(host), .port = 80, .hop = {.mac = server_mac(host), .is_known = true}});
    members.push_back({.address = server_address(host), .port = 80, .max_sessions = plan.max_sessions, .tally = std::make_shared<balance::Tally>()});
  }
  service.set = std::make_shared<balance::ServerSet>(std::move(members), plan.rule);
  return service;
}

struct Tallies {
  std::shared_ptr<const balance::ServerSet> set;
  balance::Tally& operator[](std::size_t i) const { return *set->members()[i].tally; }
};

RigPlan rig_plan(const Plan& plan, Tallies* tallies = nullptr) {
  RigPlan out;
  out.adjust = [plan, tallies](path::Services& services) {
    services.list[0] = balanced(services.list[0], plan);
    if (tallies != nullptr) tallies->set = services.list[0].set;
  };
  return out;
}

void aim_at_vip(PathRig& rig) {
  rig.client.peer = kVip;
  rig.client.peer_port = kVipPort;
}

sim::Segment syn_from_port(PathRig& rig, std::uint16_t port) {
  rig.client.port = port;
  return rig.client.syn(sim::kSyn);
}

sim::Segment answer_to(const PathRig& rig, const SentPacket& syn, std::uint8_t flags) {
  sim::Segment out = rig.server.syn(flags);
  out.source = syn.segment.target;
  out.source_port = syn.segment.target_port;
  out.target = syn.segment.source;
  out.target_port = syn.segment.source_port;
  out.ack = syn.segment.seq + 1;
  return out;
}

}  // namespace

TEST_CASE("A8: a SYN to the virtual address goes to a server's own address with the client's, and everything after it; answers come from the virtual address") {
  PathRig rig(rig_plan({.hosts = {2}}));
  aim_at_vip(rig);
  rig.connect();
  rig.handshake();
  const std::size_t at = rig.client_writes("GET / HTTP/1.1");
  rig.client_sends(at, rig.client.out.size() - at);
  CHECK(rig.server_got() == "GET / HTTP/1.1");
  rig.server_sends(rig.server_writes("hello"), 5);
  CHECK(rig.client_reads() == "hello");
  for (const SentPacket& packet : rig.to_server) {
    CHECK(packet.segment.target == server_address(2));
    CHECK(packet.segment.target_port == 80);
    CHECK(packet.segment.source == rig.client.host.address);
    CHECK(packet.segment.source_port == rig.client.port);
    CHECK(packet.segment.target_mac == server_mac(2));
  }
  for (const SentPacket& packet : rig.to_client) {
    CHECK(packet.segment.source == kVip);
    CHECK(packet.segment.source_port == kVipPort);
  }
}

TEST_CASE("A8: new flows are spread over the servers, each by its own next hop; sessions are counted while they last") {
  Tallies tallies;
  PathRig rig(rig_plan({.rule = {.algorithm = balance::Algorithm::round_robin}}, &tallies));
  aim_at_vip(rig);
  std::map<std::uint8_t, int> seen;
  for (std::uint16_t port = 1000; port < 1012; ++port) rig.send(Side::client, syn_from_port(rig, port));
  REQUIRE(rig.to_server.size() == 12);
  for (const SentPacket& syn : rig.to_server) {
    const std::uint8_t host = syn.segment.target.bytes[15];
    ++seen[host];
    CHECK(syn.segment.target_mac == server_mac(host));
  }
  CHECK(seen == std::map<std::uint8_t, int>{{2, 4}, {3, 4}, {4, 4}});
  for (std::size_t i = 0; i < 3; ++i) CHECK(tallies[i].sessions() == 4);
  rig.path().reset_flows(~0U, Reset::shutdown, rig.now());
  for (std::size_t i = 0; i < 3; ++i) CHECK(tallies[i].sessions() == 0);
}

TEST_CASE("A8: a server that refuses loses the flow to another at once, under the same numbers, and the client never knows") {
  Tallies tallies;
  PathRig rig(rig_plan({}, &tallies));
  aim_at_vip(rig);
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  REQUIRE(rig.to_server.size() == 1);
  const std::uint8_t first = rig.to_server[0].segment.target.bytes[15];
  rig.send(Side::server, answer_to(rig, rig.to_server[0], sim::kRst | sim::kAck));
  REQUIRE(rig.to_server.size() == 2);
  const sim::Segment &syn = rig.to_server[0].segment, &again = rig.to_server[1].segment;
  CHECK(rig.to_client.empty());
  CHECK(again.target.bytes[15] != first);
  CHECK(again.seq == syn.seq);
  CHECK(again.source == rig.client.host.address);
  CHECK(again.source_port == rig.client.port);
  CHECK(again.options.mss == syn.options.mss);
  CHECK(again.options.window_scale == syn.options.window_scale);
  CHECK(again.options.sack_permitted == syn.options.sack_permitted);
  CHECK(rig.count(Count::flows_moved) == 1);
  CHECK(tallies[static_cast<std::size_t>(first - 2)].sessions() == 0);
  CHECK(tallies[static_cast<std::size_t>(first - 2)].failures() == 1);
  // The second answers: it has the flow, and a late answer of the first is refused.
  rig.send(Side::server, answer_to(rig, rig.to_server[1], sim::kSyn | sim::kAck));
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.source == kVip);
  rig.send(Side::server, answer_to(rig, rig.to_server[0], sim::kSyn | sim::kAck));
  CHECK(rig.to_client.size() == 1);
  CHECK(rig.to_server.back().has(sim::kRst));
}

TEST_CASE("A8: a server that remembers another connection of these ports is told that it is gone, and then answers the next SYN") {
  PathRig rig(rig_plan({.hosts = {2}}));
  aim_at_vip(rig);
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  REQUIRE(rig.to_server.size() == 1);
  sim::Segment challenge = answer_to(rig, rig.to_server[0], sim::kAck);  // RFC 5961 4.2
  challenge.ack += 5000;
  rig.send(Side::server, challenge);
  REQUIRE(rig.to_server.size() == 2);
  CHECK(rig.to_server[1].segment.flags == sim::kRst);
  CHECK(rig.to_server[1].segment.seq == challenge.ack);
  CHECK(rig.to_client.empty());
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  rig.send(Side::server, answer_to(rig, rig.to_server.back(), sim::kSyn | sim::kAck));
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].has(sim::kSyn));
}

TEST_CASE("A8: a server that said nothing is asked again when the others have failed too: its answer may have been lost") {
  PathRig rig(rig_plan({}));
  aim_at_vip(rig);
  const auto host_asked = [&rig] { return rig.to_server.back().segment.target.bytes[15]; };
  std::map<std::uint8_t, int> asked;
  for (int i = 0; i < 6; ++i) {  // two rounds of three servers
    rig.send(Side::client, rig.client.syn(sim::kSyn));
    ++asked[host_asked()];
    rig.wait(1'000'000);
  }
  CHECK(asked == std::map<std::uint8_t, int>{{2, 2}, {3, 2}, {4, 2}});
  // Now the last one refuses. The others have not.
  const std::uint8_t refuses = host_asked();
  rig.send(Side::server, answer_to(rig, rig.to_server.back(), sim::kRst | sim::kAck));
  REQUIRE(rig.to_client.empty());
  CHECK(host_asked() != refuses);
  rig.send(Side::server, answer_to(rig, rig.to_server.back(), sim::kSyn | sim::kAck));
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].has(sim::kSyn));
}

TEST_CASE("A8: a SYN that no server answers goes to another when the client repeats it; when all refuse, the client hears it") {
  Tallies tallies;
  PathRig rig(rig_plan({.hosts = {3, 4}}, &tallies));
  aim_at_vip(rig);
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  rig.wait(1'000'000);
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  REQUIRE(rig.to_server.size() == 2);
  CHECK(rig.to_server[0].segment.target != rig.to_server[1].segment.target);
  for (std::size_t i = 1; i < rig.to_server.size() && rig.to_client.empty(); ++i) {
    rig.send(Side::server, answer_to(rig, rig.to_server[i], sim::kRst | sim::kAck));
    REQUIRE(i < 10);  // it gives up some time
  }
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].has(sim::kRst));
  CHECK(rig.count(Reset::server_refused) == 1);
  CHECK(rig.flow().state == splice::FlowState::free);
  for (std::size_t i = 0; i < 2; ++i) CHECK(tallies[i].sessions() == 0);
}

TEST_CASE("A8: with every server down the client gets RST; with every server full silence, and a place as soon as one is free") {
  Tallies tallies;
  PathRig rig(rig_plan({.hosts = {2, 3}, .max_sessions = 1}, &tallies));
  aim_at_vip(rig);
  for (std::uint16_t port = 1000; port < 1003; ++port) rig.send(Side::client, syn_from_port(rig, port));
  CHECK(rig.to_server.size() == 2);
  CHECK(rig.to_client.empty());
  CHECK(rig.count(Drop::servers_full) == 1);
  rig.send(Side::server, answer_to(rig, rig.to_server[0], sim::kRst | sim::kAck));  // and the other is full
  CHECK(rig.to_client.size() == 1);
  rig.send(Side::client, syn_from_port(rig, 1002));
  CHECK(rig.to_server.size() == 3);
  for (std::size_t i = 0; i < 2; ++i) tallies[i].set(balance::Health::down, rig.now());
  rig.send(Side::client, syn_from_port(rig, 1003));
  CHECK(rig.count(Drop::no_server) == 1);
  CHECK(rig.to_client.back().has(sim::kRst));
  CHECK(rig.to_client.back().segment.target_port == 1003);
}

TEST_CASE("A8, A17: two services that share a server and get one client port: the second is known to the server by another port, and both live") {
  RigPlan plan;
  plan.adjust = [](path::Services& services) {
    services.list.push_back(balanced(services.list[0], {.hosts = {2}}));  // the first stays direct, to the same server
  };
  PathRig rig(plan);
  rig.establish();
  ScriptedEnd direct_client = rig.client;
  aim_at_vip(rig);
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  REQUIRE(rig.to_server.size() == 1);
  const sim::Segment syn = rig.to_server[0].segment;
  CHECK(syn.target == server_address(2));
  CHECK(syn.source == rig.client.host.address);
  CHECK(syn.source_port != rig.client.port);
  CHECK(rig.count(Count::ports_translated) == 1);
  rig.send(Side::server, answer_to(rig, rig.to_server[0], sim::kSyn | sim::kAck));
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.target_port == rig.client.port);
  CHECK(rig.to_client[0].segment.source == kVip);
  // The first flow is untouched: its server's next bytes reach it.
  rig.clear();
  rig.server_sends(rig.server_writes("still here"), 10);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.source == direct_client.peer);
}

TEST_CASE("A8: from a pool, servers see its addresses under ports of their own, and no two flows the same") {
  const std::uint8_t one[4] = {10, 2, 0, 200}, other[4] = {10, 2, 0, 201};
  const std::vector<IpAddress> pool{IpAddress::from_v4(one), IpAddress::from_v4(other)};
  RigPlan plan = rig_plan({.hosts = {2}, .pool = pool});
  plan.max_flows = 256;
  PathRig rig(plan);
  aim_at_vip(rig);
  std::set<std::pair<std::uint8_t, std::uint16_t>> sources;
  for (std::uint16_t port = 1000; port < 1200; ++port) rig.send(Side::client, syn_from_port(rig, port));
  REQUIRE(rig.to_server.size() == 200);
  std::map<std::uint8_t, int> by_address;
  for (const SentPacket& syn : rig.to_server) {
    CHECK((syn.segment.source == pool[0] || syn.segment.source == pool[1]));
    CHECK(syn.segment.source_port >= 1024);
    ++by_address[syn.segment.source.bytes[15]];
    sources.emplace(syn.segment.source.bytes[15], syn.segment.source_port);
  }
  CHECK(sources.size() == 200);
  CHECK(by_address.size() == 2);
  rig.send(Side::server, answer_to(rig, rig.to_server[7], sim::kSyn | sim::kAck));
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.target == rig.client.host.address);
  CHECK(rig.to_client[0].segment.target_port == 1007);
}

TEST_CASE("A8: a new configuration moves no flow: those of a server that is gone go on, new ones go elsewhere") {
  Tallies tallies;
  PathRig rig(rig_plan({.hosts = {2}}, &tallies));
  aim_at_vip(rig);
  rig.establish();
  auto services = std::make_shared<path::Services>();
  services->client = {.mac = {2, 0, 0, 0, 0, 2}, .mtu = 1500, .vlan = 0};
  services->server = {.mac = {2, 0, 0, 0, 0, 3}, .mtu = 1500, .vlan = 0};
  path::Service plain;
  plain.name = "rig";
  services->list.push_back(balanced(plain, {.hosts = {3}}));
  for (int i = 0; i < 100; ++i) rig.path().configure(services);
  const std::size_t at = rig.client_writes("old");
  rig.client_sends(at, rig.client.out.size() - at);
  CHECK(rig.server_got() == "old");
  CHECK(tallies[0].sessions() == 1);
  rig.clear();
  rig.send(Side::client, syn_from_port(rig, 2000));
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].segment.target == server_address(3));
}

TEST_CASE("A8: a PROXY header comes first, once, whatever is lost, and then the client's bytes; then the direction is cut-through again") {
  for (const bool is_lost : {false, true}) {
    RigPlan plan;
    plan.adjust = [](path::Services& services) {
      services.list[0] = balanced(services.list[0], {.hosts = {2}});
      services.list[0].introduction = splice::Introduction::proxy_v2;
    };
    PathRig rig(plan);
    aim_at_vip(rig);
    rig.connect();
    rig.clear();
    if (is_lost) {
      for (int round = 0; round < 4; ++round) {  // to the keys, without the acknowledgements that would reveal the loss
        rig.tls().step();
        const std::size_t at = rig.take_client_tls();
        rig.lose(Side::server, 8);
        if (at != rig.client.out.size()) rig.client_sends(at, rig.client.out.size() - at);
      }
      rig.lose(Side::server, 0);
      REQUIRE(rig.server.in.empty());
      rig.wait(3'000'000);
    } else {
      rig.handshake();
    }
    REQUIRE(rig.server.in.size() == 28);
    CHECK(rig.server_got().substr(0, 12) == std::string("\r\n\r\n\0\r\nQUIT\n", 12));
    CHECK(std::memcmp(rig.server.in.data() + 16, rig.client.host.address.v4(), 4) == 0);
    CHECK(std::memcmp(rig.server.in.data() + 20, kVip.v4(), 4) == 0);
    rig.server_acks();
    CHECK(rig.flow().up == path::FlowView::Way::cut_through);
    const std::size_t at = rig.client_writes("GET /");
    rig.client_sends(at, rig.client.out.size() - at);
    CHECK(rig.server_got().substr(28) == "GET /");
    rig.server_acks();
    rig.server_sends(rig.server_writes("hello"), 5);
    CHECK(rig.client_reads() == "hello");
    CHECK(rig.client.acked == rig.client.out.size());
    CHECK_FALSE(rig.server.is_contradicted);
    CHECK(rig.flow().up_bytes == 5);
  }
}
