// Bytes that pass untouched: what changes on a segment, what custody still answers for, and how such flows end.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

// Balance: the client's own SYN goes on; its numbers are the server's.
RigPlan balanced(bool has_timestamps = false) {
  RigPlan plan;
  plan.has_timestamps = has_timestamps;
  plan.adjust = [](path::Services& services) {
    services.list[0].handling = splice::Handling::pass;
    services.list[0].overhead_bytes = 0;
  };
  return plan;
}

RigPlan proxied(splice::Handling handling = splice::Handling::pass, bool has_timestamps = false) {
  RigPlan plan = balanced(has_timestamps);
  plan.mode = path::Mode::proxy;
  plan.adjust = [handling](path::Services& services) {
    services.list[0].handling = handling;
    services.list[0].overhead_bytes = 0;
  };
  return plan;
}

std::size_t says(ScriptedEnd& end, std::string_view text) {
  const std::size_t at = end.out.size();
  end.out.insert(end.out.end(), text.begin(), text.end());
  return at;
}
std::size_t says(ScriptedEnd& end, std::size_t bytes) { return says(end, PathRig::pattern(bytes, end.out.size())); }
std::string heard(const ScriptedEnd& end) { return {end.in.begin(), end.in.end()}; }

void client_says(PathRig& rig, std::string_view text, std::uint8_t flags = sim::kAck | sim::kPsh) { rig.client_sends(says(rig.client, text), text.size(), flags); }
void server_says(PathRig& rig, std::string_view text, std::uint8_t flags = sim::kAck | sim::kPsh) { rig.server_sends(says(rig.server, text), text.size(), flags); }

void check_gone(PathRig& rig) {
  rig.wait(15'000'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
  CHECK(rig.path().next_deadline() == kNever);
}

// Both ends are joined, nothing said.
void join(PathRig& rig, const RigPlan& plan) {
  rig.connect();
  if (plan.mode == path::Mode::proxy) rig.server_answers();
  rig.client_acks();
  rig.clear();
}

}  // namespace

TEST_CASE("A8, A9: bytes pass both ways as they are, each packet one packet, and no acknowledgement is ours") {
  for (const bool has_timestamps : {false, true}) {
    for (const RigPlan& plan : {balanced(has_timestamps), proxied(splice::Handling::pass, has_timestamps)}) {
      PathRig rig(plan);
      join(rig, plan);
      for (int i = 0; i < 20; ++i) {
        rig.clear();
        client_says(rig, "GET /");
        CHECK(rig.to_server.size() == 1);
        CHECK(rig.to_client.empty());
        rig.server_acks();
        CHECK(rig.to_client.size() == 1);
        rig.clear();
        server_says(rig, "answer");
        CHECK(rig.to_client.size() == 1);
        CHECK(rig.to_server.empty());
        rig.client_acks();
        CHECK(rig.to_server.size() == 1);
      }
      CHECK(heard(rig.server).size() == 100);
      CHECK(heard(rig.client).size() == 120);
      CHECK(rig.client.acked == 100);
      CHECK(rig.server.acked == 120);
      CHECK(rig.flow().state == splice::FlowState::passing);
      CHECK(rig.flow().up_bytes == 100);
      CHECK(rig.flow().down_bytes == 120);
      CHECK(rig.count(Count::flows_passed) == 1);
      CHECK(rig.count(Count::flows_established) == 0);
      CHECK(rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("A9: a connection that has ended is not opened again by what its client sends once more; the client hears that it is gone") {
  PathRig rig(proxied());
  rig.connect();
  rig.server_answers();
  const sim::Segment first = rig.client.segment(0, 0, sim::kAck);
  rig.send(Side::client, first);
  rig.send(Side::server, rig.server.segment(0, 0, sim::kRst | sim::kAck));
  REQUIRE(rig.path().live_flows() == 0);
  rig.clear();
  rig.send(Side::client, first);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.to_server.empty());
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].has(sim::kRst));
}

TEST_CASE("I1: nor is it told by SACK that its client has it") {
  for (const RigPlan& plan : {balanced(), proxied()}) {
    PathRig rig(plan);
    join(rig, plan);
    server_says(rig, "answer");
    rig.clear();
    sim::Segment ack = rig.client.segment(0, 0, sim::kAck);
    const std::uint32_t begin = ack.ack - 6;
    ack.ack = begin;
    ack.options.sack_count = 2;
    ack.options.sacks[0] = {begin + 7, begin + 20};  // of a connection before this one
    ack.options.sacks[1] = {begin + 3, begin + 6};
    rig.send(Side::client, ack);
    REQUIRE(rig.to_server.size() == 1);
    const sim::TcpOptions& told = rig.to_server[0].segment.options;
    REQUIRE(told.sack_count == 1);
    CHECK(told.sacks[0].begin == rig.to_server[0].segment.ack + 3);
  }
}

TEST_CASE("I1: what no server of this connection has sent is not acknowledged to it") {
  for (const RigPlan& plan : {balanced(), proxied()}) {
    PathRig rig(plan);
    join(rig, plan);
    server_says(rig, "answer");
    rig.clear();
    sim::Segment beyond = rig.client.segment(0, 0, sim::kAck);
    beyond.ack += 1;
    rig.send(Side::client, beyond);
    CHECK(rig.to_server.empty());
    CHECK(rig.count(Drop::bad_ack) == 1);
    rig.client_acks();
    CHECK(rig.to_server.size() == 1);
    CHECK(rig.server.acked == 6);
  }
}

TEST_CASE("A9: what a client says before its server has answered is kept, acknowledged, delivered and resent") {
  PathRig rig(proxied());
  rig.connect();
  REQUIRE(rig.to_server.size() == 1);  // our SYN: the client need not speak first
  CHECK(rig.to_server[0].segment.flags == sim::kSyn);
  CHECK(rig.to_server[0].segment.seq == rig.client.isn);
  CHECK(rig.to_server[0].segment.options.mss == 1460);
  client_says(rig, "early ");
  client_says(rig, "bird");
  CHECK(rig.client.acked == 10);
  rig.lose(Side::server, 1);  // what was kept, with our ACK
  rig.server_answers();
  client_says(rig, ", later");  // passes at once; the client answers for it
  CHECK(rig.client.acked == 10);
  rig.wait(3'000'000);
  CHECK(heard(rig.server) == "early bird, later");
  CHECK(rig.count(Count::custody_resent) >= 1);
  rig.server_acks();
  CHECK(rig.client.acked == 17);
  CHECK(rig.held_chunks() == 0);
  CHECK(rig.count(Count::custody_entered) == rig.count(Count::custody_left));
}

TEST_CASE("A9: a FIN behind the first bytes is kept with them; the other way stays open") {
  PathRig rig(proxied());
  rig.connect();
  client_says(rig, "all I say", sim::kAck | sim::kFin);
  CHECK(rig.client.acked == 10);
  rig.server_answers();
  CHECK(heard(rig.server) == "all I say");
  CHECK(rig.server.has_fin);
  rig.server_acks();
  server_says(rig, "and the answer", sim::kAck | sim::kFin);
  CHECK(heard(rig.client) == "and the answer");
  CHECK(rig.client.has_fin);
  sim::Segment last = rig.client.segment(rig.client.out.size(), 0);
  last.seq += 1;
  rig.send(Side::client, last);
  CHECK(rig.server.acked == 15);
  CHECK(rig.count(Count::flows_closed) == 1);
  check_gone(rig);
}

TEST_CASE("A16: FINs pass, and the flow is gone soon after both were acknowledged; late copies are still answered by the ends") {
  for (const RigPlan& plan : {balanced(), proxied()}) {
    PathRig rig(plan);
    join(rig, plan);
    server_says(rig, "bye", sim::kAck | sim::kFin);
    CHECK(rig.client.has_fin);
    rig.client_acks();
    CHECK(rig.count(Count::flows_closed) == 0);
    client_says(rig, "bye", sim::kAck | sim::kFin);
    sim::Segment last = rig.server.segment(rig.server.out.size(), 0);
    last.seq += 1;
    rig.send(Side::server, last);
    CHECK(rig.client.acked == 4);
    CHECK(rig.count(Count::flows_closed) == 1);
    rig.clear();
    rig.client_sends(0, 3, sim::kAck | sim::kFin);
    CHECK(rig.to_server.size() == 1);
    check_gone(rig);
  }
}

TEST_CASE("A16: a RST passes in either direction and ends the flow only where it stands exactly") {
  for (const Side side : {Side::client, Side::server}) {
    for (const RigPlan& plan : {balanced(), proxied()}) {
      PathRig rig(plan);
      join(rig, plan);
      CHECK(rig.path().live_flows() == 1);
      ScriptedEnd& end = side == Side::client ? rig.client : rig.server;
      sim::Segment blind = end.segment(0, 0, sim::kRst);
      blind.seq += 1000;
      rig.send(side, blind);
      CHECK(rig.path().live_flows() == 1);
      rig.send(side, end.segment(0, 0, sim::kRst | sim::kAck));
      CHECK((side == Side::client ? rig.server : rig.client).has_rst);
      CHECK(rig.path().live_flows() == 0);
      CHECK(rig.count(side == Side::client ? Reset::by_client : Reset::by_server) == 1);
      check_gone(rig);
    }
  }
}

TEST_CASE("A7: blocks and clocks of either side reach the other in its own numbering") {
  RigPlan plan = proxied(splice::Handling::pass, true);
  PathRig rig(plan);
  rig.server.clock_ms = 5'000'000;
  join(rig, plan);
  client_says(rig, "hello");
  CHECK(rig.to_server.back().segment.options.timestamps.has_value());
  const std::size_t at = says(rig.server, 3000);
  rig.server.clock_ms += 10;
  rig.clear();
  rig.server_sends(at + 1000, 1000);  // the first is lost before us
  REQUIRE(rig.to_client.size() == 1);
  const auto seen = rig.to_client[0].segment.options.timestamps;
  REQUIRE(seen.has_value());
  CHECK(seen->value != rig.server.clock_ms);  // ours goes on
  sim::Segment ack = rig.client.segment(rig.client.out.size(), 0);
  ack.options.sack_count = 1;
  ack.options.sacks[0] = {rig.to_client[0].segment.seq, rig.to_client[0].segment.seq + 1000};
  rig.clear();
  rig.send(Side::client, ack);
  REQUIRE(rig.to_server.size() == 1);
  const sim::Segment& told = rig.to_server[0].segment;
  REQUIRE(told.options.sack_count == 1);
  CHECK(told.options.sacks[0].begin == rig.server.seq_at(1000));
  CHECK(told.options.sacks[0].end == rig.server.seq_at(2000));
  CHECK(told.ack == rig.server.seq_at(0));
  REQUIRE(told.options.timestamps.has_value());
  CHECK(told.options.timestamps->echo == rig.server.clock_ms);
}

TEST_CASE("A9: a segment that is too long for the server's side goes on as two, its FIN on the second") {
  RigPlan plan = proxied();
  plan.server_mss = 1000;
  PathRig rig(plan);
  join(rig, plan);
  const std::size_t at = says(rig.client, 1460);
  rig.client_sends(at, 1460, sim::kAck | sim::kPsh | sim::kFin);
  REQUIRE(rig.to_server.size() == 2);
  CHECK(rig.to_server[0].payload_bytes() == 1000);
  CHECK(rig.to_server[0].segment.flags == sim::kAck);
  CHECK(rig.to_server[1].payload_bytes() == 460);
  CHECK(rig.to_server[1].segment.flags == (sim::kAck | sim::kPsh | sim::kFin));
  CHECK(heard(rig.server) == PathRig::pattern(1460));
  CHECK(rig.server.has_fin);
}

TEST_CASE("A8: options that their sender had packed tighter than we do make no packet longer than the link") {
  const RigPlan plan = balanced(true);
  PathRig rig(plan);
  join(rig, plan);
  rig.client_sends(says(rig.client, 2000), 0);
  rig.client_sends(1000, 1000);  // a gap: the server has something to report
  const std::size_t at = says(rig.server, 1440);
  sim::Segment s = rig.server.segment(at, 1440);  // 20 bytes of options, with nothing between them
  s.options.sack_count = 1;
  s.options.sacks[0] = {rig.client.seq_at(1000), rig.client.seq_at(2000)};
  rig.clear();
  rig.send(Side::server, s);
  REQUIRE_FALSE(rig.to_client.empty());
  for (const SentPacket& packet : rig.to_client) CHECK(sim::decode(packet.frame).ip_bytes <= 1500);
  CHECK(heard(rig.client) == PathRig::pattern(1440));
}

TEST_CASE("A9: a server's four SACK blocks become three beside the timestamps that only its client has") {
  const RigPlan plan = proxied(splice::Handling::pass, true);
  PathRig rig(plan);
  rig.server.has_timestamps = false;
  join(rig, plan);
  says(rig.client, 2000);
  for (std::size_t at = 200; at < 1800; at += 400) rig.client_sends(at, 200);
  sim::Segment s = rig.server.segment(0, 0);
  s.options.sack_count = 4;
  for (std::uint32_t i = 0; i < 4; ++i) s.options.sacks[i] = {rig.client.seq_at(200 + i * 400), rig.client.seq_at(400 + i * 400)};
  rig.clear();
  rig.send(Side::server, s);
  REQUIRE(rig.to_client.size() == 1);
  const sim::Segment& told = rig.to_client[0].segment;
  REQUIRE(told.options.sack_count == 3);
  CHECK(told.options.sacks[2].begin == rig.client.seq_at(1000));
  CHECK(told.options.timestamps.has_value());
}

TEST_CASE("A8: the byte that a client's keep-alive makes up never stands for one of a PROXY header that was lost") {
  RigPlan plan = balanced();
  plan.adjust = [adjust = plan.adjust](path::Services& services) {
    adjust(services);
    services.list[0].introduction = splice::Introduction::proxy_v2;
  };
  PathRig rig(plan);
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  rig.server_answers();
  rig.lose(Side::server, 1);  // the header
  rig.client_acks();
  says(rig.client, "x");
  sim::Segment probe = rig.client.segment(0, 1);
  probe.seq -= 1;
  rig.send(Side::client, probe);
  rig.client.out.clear();
  client_says(rig, "words");
  rig.wait(3'000'000);
  REQUIRE(heard(rig.server).size() == 28 + 5);
  CHECK(heard(rig.server).substr(28) == "words");
  CHECK(rig.server.in[27] == 443 % 256);  // of the header: the service's port
  CHECK_FALSE(rig.server.is_contradicted);
}

TEST_CASE("A9: what a client sends again before its server has it, its FIN too, goes nowhere but where it belongs") {
  PathRig rig(proxied());
  rig.connect();
  client_says(rig, "last words", sim::kAck | sim::kPsh | sim::kFin);
  rig.lose(Side::server, 1);  // what was kept
  rig.server_answers();
  rig.clear();
  rig.client_sends(0, 10, sim::kAck | sim::kPsh | sim::kFin);
  for (const SentPacket& packet : rig.to_server) {
    CHECK(packet.payload_bytes() == 0);
    CHECK_FALSE(packet.has(sim::kFin));
  }
  rig.wait(3'000'000);
  CHECK(heard(rig.server) == "last words");
  CHECK(rig.server.has_fin);
  CHECK_FALSE(rig.server.is_contradicted);
  CHECK(rig.client.acked == 10 + 1);
}

TEST_CASE("A9: a client that uses the window it was shown is believed, though its server has less: nothing of custody's is left behind") {
  RigPlan plan = proxied();
  plan.window_scale = 0;
  plan.server_window_bytes = 2000;
  PathRig rig(plan);
  rig.connect();
  client_says(rig, "early");
  rig.server_answers();
  for (int i = 0; i < 3; ++i) {
    const std::size_t at = says(rig.client, 1400);
    rig.client_sends(at, 1400);
  }
  REQUIRE(heard(rig.server).size() == 5 + 3 * 1400);  // this server took more than it had promised
  rig.server_acks();
  CHECK(rig.client.acked == 5 + 3 * 1400);
  CHECK(rig.flow().up == path::FlowView::Way::cut_through);
  rig.wait(200'000'000);
  CHECK(rig.path().live_flows() == 1);
  CHECK(rig.count(Reset::retries_exhausted) == 0);
}

TEST_CASE("A8: a PROXY header comes first, is ours to deliver, and shifts what follows by its length") {
  for (const bool is_proxy : {false, true}) {
    RigPlan plan = is_proxy ? proxied() : balanced();
    plan.adjust = [adjust = plan.adjust](path::Services& services) {
      adjust(services);
      services.list[0].introduction = splice::Introduction::proxy_v2;
    };
    PathRig rig(plan);
    rig.lose(Side::server, 0);
    join(rig, plan);
    client_says(rig, "first words");
    rig.wait(2'000'000);
    const std::string got = heard(rig.server);
    REQUIRE(got.size() == 28 + 11);
    CHECK(got.substr(0, 12) == std::string("\r\n\r\n\0\r\nQUIT\n", 12));
    CHECK(got.substr(28) == "first words");
    rig.server_acks();
    CHECK(rig.client.acked == 11);
    CHECK(rig.held_chunks() == 0);
    server_says(rig, "done");
    CHECK(heard(rig.client) == "done");
  }
}

TEST_CASE("A8, A16: a FIN that passes while the header in front of it is lost stays where the client put it") {
  RigPlan plan = balanced();
  plan.adjust = [adjust = plan.adjust](path::Services& services) {
    adjust(services);
    services.list[0].introduction = splice::Introduction::proxy_v2;
  };
  PathRig rig(plan);
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  rig.server_answers();
  rig.lose(Side::server, 1);  // the header
  rig.client_sends(0, 0);
  client_says(rig, "first ");
  client_says(rig, "and last", sim::kAck | sim::kFin);
  CHECK(heard(rig.server).empty());
  CHECK(!rig.server.has_fin);
  rig.wait(3'000'000);
  CHECK(heard(rig.server).substr(28) == "first and last");
  rig.client_sends(6, 8, sim::kAck | sim::kFin);  // again: the scripted server keeps no FIN behind a gap
  CHECK(rig.server.has_fin);
  rig.server_acks();
  CHECK(rig.client.acked == 15);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A9: TLS that is not ours: the hello reaches the server as it was, and all behind it") {
  PathRig rig(proxied(splice::Handling::pass_tls));
  rig.connect();
  CHECK(rig.to_server.empty());  // nobody is called before a hello is whole
  rig.tls().step();
  const std::size_t at = rig.take_client_tls();
  const std::size_t bytes = rig.client.out.size() - at;
  rig.client_sends(at, bytes / 2);
  CHECK(rig.to_server.empty());
  rig.client_sends(at + bytes / 2, bytes - bytes / 2);
  REQUIRE(rig.to_server.size() == 1);
  rig.server_answers();
  CHECK(rig.server.in == rig.client.out);
  rig.server_acks();
  client_says(rig, "not looked at any more");
  CHECK(rig.server.in == rig.client.out);
  CHECK(rig.count(Count::flows_passed) == 1);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A9: TLS that is not ours and no server: the client gets an alert in a record; plain TCP gets RST") {
  for (const splice::Handling handling : {splice::Handling::pass_tls, splice::Handling::pass}) {
    PathRig rig(proxied(handling));
    rig.connect();
    rig.tls().step();
    const std::size_t at = rig.take_client_tls();
    rig.client_sends(at, rig.client.out.size() - at);
    sim::Segment refusal = rig.server.syn(sim::kRst | sim::kAck);
    rig.send(Side::server, refusal);
    CHECK(rig.count(Reset::server_refused) == 1);
    if (handling == splice::Handling::pass) CHECK(rig.client.has_rst);
    else CHECK(rig.client.in.size() == 7);
    check_gone(rig);
  }
}

TEST_CASE("I5: a passing flow on which nothing moves ends by its idle timeout, with RST both ways") {
  for (RigPlan plan : {balanced(), proxied()}) {
    plan.idle_timeout_ms = 1000;
    PathRig rig(plan);
    join(rig, plan);
    client_says(rig, "x");
    rig.server_acks();
    rig.wait(1'500'000);
    CHECK(rig.client.has_rst);
    CHECK(rig.server.has_rst);
    CHECK(rig.count(Reset::idle_timeout) == 1);
    check_gone(rig);
  }
}
