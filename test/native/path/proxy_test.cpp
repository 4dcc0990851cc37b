// Proxy mode through the path: the client first, the server last, and then the same splice.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

RigPlan proxy(std::uint8_t servers = 1) {
  RigPlan plan;
  plan.mode = path::Mode::proxy;
  plan.servers = servers;
  return plan;
}

// Client and server are joined, with nothing said yet.
void join(PathRig& rig) {
  rig.connect();
  rig.handshake();
  rig.server_answers();
  rig.client_acks();
  rig.clear();
}

std::vector<const SentPacket*> syns_of(const PathRig& rig) {
  std::vector<const SentPacket*> out;
  for (const SentPacket& p : rig.to_server) {
    if (p.has(sim::kSyn)) out.push_back(&p);
  }
  return out;
}

}  // namespace

TEST_CASE("A9: the device answers a SYN itself and keeps nothing: no flow, no chunk, no timer, nothing to the server") {
  for (const bool has_timestamps : {false, true}) {
    RigPlan plan = proxy();
    plan.has_timestamps = has_timestamps;
    PathRig rig(plan);
    rig.send(Side::client, rig.client.syn(sim::kSyn));
    REQUIRE(rig.to_client.size() == 1);
    const sim::Segment& answer = rig.to_client[0].segment;
    CHECK(answer.flags == (sim::kSyn | sim::kAck));
    CHECK(answer.ack == rig.client.isn + 1U);
    CHECK(answer.source_port == 443);
    CHECK(answer.options.mss == 1460);
    CHECK(answer.options.sack_permitted);
    CHECK(answer.options.window_scale.has_value());
    CHECK(answer.options.timestamps.has_value() == has_timestamps);
    rig.client_sends(0, 0);  // its ACK alone proves that it hears us, and asks for nothing yet
    CHECK(rig.path().live_flows() == 0);
    CHECK(rig.held_chunks() == 0);
    CHECK(rig.path().next_deadline() == kNever);
    CHECK(rig.to_server.empty());
    CHECK(rig.to_client.size() == 1);
    CHECK(rig.count(Count::syns_answered) == 1);
  }
}

TEST_CASE("A9, H8: a hundred thousand SYNs and connections that say nothing leave no trace") {
  PathRig rig(proxy());
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    sim::Segment syn = rig.client.syn(sim::kSyn);
    syn.source_port = static_cast<std::uint16_t>(i);
    rig.send(Side::client, syn);
    rig.clear();
  }
  CHECK(rig.count(Count::syns_answered) == 100'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A9: the server hears of a client only when TLS is up; its SYN has the client's address, port and number") {
  for (const std::uint16_t suite : std::initializer_list<std::uint16_t>{0x1301, 0xc02b}) {
    RigPlan plan = proxy();
    plan.suite = suite;
    PathRig rig(plan);
    rig.connect();
    rig.tls().step();
    const std::size_t at = rig.take_client_tls();
    rig.client_sends(at, rig.client.out.size() - at);
    CHECK(rig.to_server.empty());
    rig.handshake();
    REQUIRE(rig.to_server.size() == 1);
    const sim::Segment& syn = rig.to_server[0].segment;
    CHECK(syn.flags == sim::kSyn);
    CHECK(syn.source == rig.client.host.address);
    CHECK(syn.source_port == rig.client.port);
    CHECK(syn.target_port == 80);
    CHECK(syn.seq == rig.client.isn);
    CHECK(syn.options.mss == 1460 - (suite == 0x1301 ? 22 : 29));
    rig.server_answers();
    REQUIRE(rig.to_server.size() == 2);
    CHECK(rig.to_server[1].segment.flags == sim::kAck);
    CHECK(rig.to_server[1].segment.ack == rig.server.isn + 1U);
    CHECK(rig.server.window_end > 100'000);
    CHECK(rig.flow().link == splice::ServerLink::up);
  }
}

TEST_CASE("A9, A11: once joined it is the same splice: requests are opened in place, answers sealed in place") {
  for (const bool is_v6 : {false, true}) {
    for (const bool has_timestamps : {false, true}) {
      RigPlan plan = proxy();
      plan.is_v6 = is_v6;
      plan.has_timestamps = has_timestamps;
      PathRig rig(plan);
      join(rig);
      for (int i = 0; i < 5; ++i) {
        const std::size_t asked = rig.client_writes("GET / HTTP/1.1\r\n\r\n");
        rig.client_sends(asked, rig.client.out.size() - asked);
        const std::size_t answered = rig.server_writes(1000);
        rig.server_sends(answered, 1000);
        rig.client_acks();
      }
      CHECK(rig.client_reads().size() == 5000);
      CHECK(rig.server_got().size() == 5 * 18);
      CHECK(rig.server.acked == 5000);
      CHECK(rig.count(Count::cut_through_up_packets) == 5);
      CHECK(rig.count(Count::custody_entered) == 0);
      CHECK(rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("A9: what the client says before there is a server waits in custody, and the direction is cut-through afterwards") {
  PathRig rig(proxy());
  rig.connect();
  rig.handshake();
  const std::size_t first = rig.client_writes("POST / HTTP/1.1\r\n\r\n");
  rig.client_sends(first, rig.client.out.size() - first);
  const std::size_t second = rig.client_writes(5000);
  for (std::size_t at = second; at < rig.client.out.size(); at += 1400) {
    rig.client_sends(at, std::min<std::size_t>(1400, rig.client.out.size() - at));
  }
  CHECK(rig.client.acked == rig.client.out.size());  // custody: acknowledged by us
  CHECK(rig.server_got().empty());
  CHECK(rig.flow().up == path::FlowView::Way::custody);
  rig.server_answers();
  rig.server_acks();
  CHECK(rig.server_got() == "POST / HTTP/1.1\r\n\r\n" + PathRig::pattern(5000));
  CHECK(rig.flow().up == path::FlowView::Way::cut_through);
  const std::size_t third = rig.client_writes("and more");
  rig.client_sends(third, rig.client.out.size() - third);
  CHECK(rig.count(Count::cut_through_up_packets) == 1);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A9: a server that does not answer is asked twice, then another; the third gets everything") {
  PathRig rig(proxy(3));
  rig.connect();
  rig.handshake();
  const std::size_t at = rig.client_writes("hello");
  rig.client_sends(at, rig.client.out.size() - at);
  rig.wait(7'000'000);
  const auto syns = syns_of(rig);
  REQUIRE(syns.size() == 5);
  CHECK(syns[0]->segment.target == syns[1]->segment.target);
  CHECK(syns[2]->segment.target != syns[1]->segment.target);
  CHECK(syns[4]->segment.target != syns[3]->segment.target);
  CHECK(syns[4]->segment.target != syns[0]->segment.target);
  CHECK(rig.count(Count::flows_moved) == 2);
  rig.server.host.address = syns[4]->segment.target;
  rig.server_answers();
  CHECK(rig.server_got() == "hello");
  CHECK_FALSE(rig.client.has_fin);
}

TEST_CASE("A9: a server that refuses is left for another at once; when all refuse the client gets an alert, never a clean end") {
  PathRig rig(proxy(2));
  rig.connect();
  rig.handshake();
  for (std::uint8_t i = 0; i < 2; ++i) {
    rig.be_server(i);
    sim::Segment refusal = rig.server.syn(sim::kRst | sim::kAck);
    refusal.ack = rig.client.isn + 1U;
    refusal.seq = 0;
    rig.send(Side::server, refusal);
  }
  CHECK(syns_of(rig).size() == 2);
  CHECK(rig.count(Reset::server_refused) == 1);
  CHECK(rig.client.has_fin);
  rig.tls().read();
  CHECK(rig.tls().alert_received() == 80);
  rig.client_sends(rig.client.out.size(), 0, sim::kAck | sim::kFin);
  rig.wait(20'000'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A9: when no server answers at all the flow ends with an alert and is counted") {
  PathRig rig(proxy());
  rig.connect();
  rig.handshake();
  rig.wait(4'000'000);
  CHECK(rig.count(Reset::server_unreachable) == 1);
  CHECK(rig.client.has_fin);
  CHECK(rig.server.has_rst);
}

TEST_CASE("A9: a server that remembers another connection is told that it is over, and asked again") {
  PathRig rig(proxy());
  rig.connect();
  rig.handshake();
  sim::Segment challenge = rig.server.syn(sim::kAck);
  challenge.ack = rig.client.isn - 777U;
  rig.send(Side::server, challenge);
  CHECK(rig.server.has_rst);
  rig.wait(1'100'000);
  CHECK(syns_of(rig).size() == 2);
  rig.server_answers();
  CHECK(rig.flow().link == splice::ServerLink::up);
}

TEST_CASE("A9: the client sees one clock: ours, then the server's from there on; what it echoes reaches the server in the server's own") {
  RigPlan plan = proxy();
  plan.has_timestamps = true;
  PathRig rig(plan);
  rig.server.clock_ms = 0x7fff'0000;
  rig.connect();
  rig.handshake();
  const std::uint32_t before = rig.client.echo;
  rig.server_answers();
  rig.client_acks();
  const std::size_t at = rig.server_writes(100);
  rig.server.clock_ms += 5;
  rig.server_sends(at, 100);
  CHECK(static_cast<std::int32_t>(rig.client.echo - before) >= 5);
  CHECK(static_cast<std::int32_t>(rig.client.echo - before) < 1000);
  rig.clear();
  rig.client_acks();
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].segment.options.timestamps->echo == rig.server.clock_ms);
}

TEST_CASE("A9: a client with timestamps and SACK before a server without either") {
  RigPlan plan = proxy();
  plan.has_timestamps = true;
  PathRig rig(plan);
  rig.server.has_timestamps = rig.server.has_sack = false;
  join(rig);
  const std::size_t asked = rig.client_writes("hello");
  rig.client_sends(asked, rig.client.out.size() - asked);
  CHECK(rig.server_got() == "hello");
  CHECK_FALSE(rig.to_server.back().segment.options.timestamps.has_value());
  const std::size_t at = rig.server_writes(1438);
  rig.server_sends(at, 1438);  // more than a record for this client: cut in two
  rig.client_acks();
  CHECK(rig.client_reads().size() == 1438);
  CHECK(rig.to_client.back().segment.options.timestamps.has_value());
  CHECK(rig.server.acked == 1438);
}

TEST_CASE("A9: a client without window scaling before a server with it, and the other way round") {
  for (const bool is_client_plain : {true, false}) {
    PathRig rig(proxy());
    ScriptedEnd& plain = is_client_plain ? rig.client : rig.server;
    plain.window_scale = 0;
    plain.window_bytes = 60'000;
    rig.connect();
    rig.handshake();
    rig.server_answers();
    rig.client_acks();
    rig.server_acks();
    const std::size_t window = rig.server.window_end;
    CHECK(window <= (is_client_plain ? 60'000U : 1U << 20));
    CHECK(window > 30'000);
  }
}

TEST_CASE("A9: the client's first bytes are lost: what comes behind them is not refused, and waits to come again") {
  PathRig rig(proxy());
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  rig.tls().step();
  rig.take_client_tls();
  rig.clear();
  rig.client_sends(100, rig.client.out.size() - 100);
  CHECK(rig.to_client.empty());
  CHECK(rig.count(Drop::not_first) == 1);
  rig.client_sends(0, rig.client.out.size());
  rig.handshake();
  CHECK(rig.flow().state == splice::FlowState::established);
}

TEST_CASE("A9, A16: a client that asks, says close_notify and closes before there is a server gets its answer") {
  PathRig rig(proxy());
  rig.connect();
  rig.handshake();
  const std::size_t at = rig.client_writes("the only question");
  SSL_shutdown(rig.tls().ssl());
  rig.take_client_tls();
  rig.client_sends(at, rig.client.out.size() - at, sim::kAck | sim::kFin);
  rig.server_answers();
  rig.server_acks();
  CHECK(rig.server_got() == "the only question");
  CHECK(rig.server.has_fin);
  const std::size_t answer = rig.server_writes("the answer");
  rig.server_sends(answer, 10);
  CHECK(rig.client_reads() == "the answer");
}

TEST_CASE("A9: a hello that comes again when its connection has been reset opens no other: the client hears that it is gone") {
  PathRig rig(proxy());
  join(rig);
  const sim::Segment hello = rig.client.segment(0, 200, sim::kAck | sim::kPsh);
  const sim::Segment bare = rig.client.segment(0, 0, sim::kAck);
  rig.path().reset_flows(~0U, Reset::shutdown, rig.now());
  rig.wait(1);
  for (const sim::Segment& late : {bare, hello}) {
    rig.clear();
    rig.send(Side::client, late);
    CHECK(rig.path().live_flows() == 0);
    REQUIRE(rig.to_client.size() == 1);
    CHECK(rig.to_client[0].segment.flags == sim::kRst);
    CHECK(rig.to_client[0].segment.seq == late.ack);
  }
  CHECK(rig.count(Count::cookies_taken) == 1);
}

TEST_CASE("A9: two services before one server: a client's port that is in use towards it is another one there") {
  RigPlan plan = proxy();
  plan.second_port = 8443;
  PathRig rig(plan);
  join(rig);
  rig.connect_to_second();
  REQUIRE(syns_of(rig).size() == 1);
  CHECK(syns_of(rig)[0]->segment.source == rig.client.host.address);
  CHECK(syns_of(rig)[0]->segment.source_port != rig.client.port);
  CHECK(rig.count(Count::ports_translated) == 1);
  rig.server.peer_isn = rig.client.isn;  // the first connection's again
  const std::size_t at = rig.client_writes("still here");
  rig.client_sends(at, rig.client.out.size() - at);
  CHECK(rig.server_got() == "still here");
}

TEST_CASE("A10: a connection goes to the servers of the first route that fits its name; none fits: unrecognized_name, and no server hears of it") {
  const std::pair<const char*, int> cases[] = {{"api.example", 1}, {"www.shop.example", 2}, {"a.www.shop.example", -1}, {"other.example", -1}};
  for (const auto& [name, expected] : cases) {
    RigPlan plan = proxy(3);
    plan.adjust = [](path::Services& services) {
      services.list[0].routes = {{.request = {.path = "/"}, .servers = {0}},  // looks at requests: nobody reads them here
                                 {.sni = "api.example", .servers = {1}},
                                 {.sni = "*.shop.example", .alpn = "", .servers = {2}},
                                 {.alpn = "h2", .servers = {0}}};
    };
    PathRig rig(plan);
    rig.tls().name(name);
    rig.connect();
    if (expected < 0) {
      CHECK_THROWS(rig.handshake());  // it ends at once
      CHECK(syns_of(rig).empty());
      CHECK(rig.count(Reset::no_route) == 1);
      rig.tls().read();
      CHECK(rig.tls().alert_received() == 112);
      continue;
    }
    rig.handshake();
    const auto syns = syns_of(rig);
    REQUIRE(syns.size() == 1);
    rig.be_server(static_cast<std::uint8_t>(expected));
    CHECK(syns[0]->segment.target == rig.server.host.address);
  }
}

TEST_CASE("A10: of a route's servers one that refuses is left for the next of the same route, never for one of another") {
  RigPlan plan = proxy(3);
  plan.adjust = [](path::Services& services) {
    services.list[0].routes = {{.sni = "api.example", .servers = {1, 2}}, {.servers = {0}}};
  };
  PathRig rig(plan);
  rig.tls().name("api.example");
  rig.connect();
  rig.handshake();
  for (int i = 0; i < 2; ++i) {
    const auto syns = syns_of(rig);
    REQUIRE(syns.size() == static_cast<std::size_t>(i) + 1);
    sim::Segment refusal = rig.server.syn(sim::kRst | sim::kAck);
    refusal.source = syns.back()->segment.target;
    refusal.ack = rig.client.isn + 1U;
    refusal.seq = 0;
    rig.send(Side::server, refusal);
  }
  CHECK(syns_of(rig).size() == 2);
  CHECK(syns_of(rig)[0]->segment.target != syns_of(rig)[1]->segment.target);
  CHECK(rig.count(Reset::server_refused) == 1);
}

TEST_CASE("A9, I5: ends that vanish when the server has answered and nothing was said are forgotten when they were idle for long enough") {
  for (const std::uint16_t suite : std::initializer_list<std::uint16_t>{0x1301, 0xc02b}) {
    RigPlan plan = proxy();
    plan.suite = suite;
    plan.idle_timeout_ms = 20'000;
    PathRig rig(plan);
    join(rig);
    CHECK(rig.path().live_flows() == 1);
    rig.wait(19'000'000);
    CHECK(rig.path().live_flows() == 1);
    rig.wait(10'000'000);
    CHECK(rig.path().live_flows() == 0);
    CHECK(rig.count(Reset::idle_timeout) == 1);
    CHECK(rig.path().next_deadline() == kNever);
    CHECK(rig.held_chunks() == 0);
  }
}
