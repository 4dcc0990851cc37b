// How flows end, seen from both ends: cleanly, by truncation, by RST, by an alert, by time.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

constexpr std::uint16_t kBothVersions[] = {0x1301, 0xc02b};

// The client's close_notify as bytes of its stream. Returns: where it begins.
std::size_t client_says_goodbye(PathRig& rig) {
  SSL_shutdown(rig.tls().ssl());
  return rig.take_client_tls();
}
bool client_heard_goodbye(PathRig& rig) {
  rig.client_reads();
  return (SSL_get_shutdown(rig.tls().ssl()) & SSL_RECEIVED_SHUTDOWN) != 0;
}
void client_sends_rest(PathRig& rig, std::size_t from, std::uint8_t flags) {
  rig.client_sends(from, rig.client.out.size() - from, flags);
}
sim::Segment after_fin(const ScriptedEnd& end) {
  sim::Segment s = end.segment(end.out.size(), 0);
  s.seq += 1;
  return s;
}
void check_gone(PathRig& rig) {
  rig.wait(15'000'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
  CHECK(rig.path().next_deadline() == kNever);
}

}  // namespace

TEST_CASE("A16: the client's close_notify and FIN become the server's FIN, the server's FIN becomes close_notify and FIN") {
  for (const std::uint16_t suite : kBothVersions) {
    for (const bool is_one_segment : {false, true}) {
      PathRig rig({.suite = suite});
      rig.establish();
      const std::size_t at = rig.client_writes("last words");
      const std::size_t bye = client_says_goodbye(rig);
      if (!is_one_segment) {
        rig.client_sends(at, bye - at);
        rig.client_sends(bye, rig.client.out.size() - bye);
        client_sends_rest(rig, rig.client.out.size(), sim::kAck | sim::kFin);
      } else {
        client_sends_rest(rig, at, sim::kAck | sim::kFin);
      }
      CHECK(rig.server_got() == "last words");
      CHECK(rig.server.has_fin);
      rig.server_acks();
      CHECK(rig.client.acked == rig.client.out.size() + 1);
      rig.server_sends(rig.server_writes("yours"), 5, sim::kAck | sim::kFin);
      CHECK(rig.client_reads() == "yours");
      CHECK(client_heard_goodbye(rig));
      CHECK(rig.client.has_fin);
      rig.send(Side::client, after_fin(rig.client));
      rig.server_acks();
      CHECK(rig.server.acked == rig.server.out.size() + 1);
      CHECK(rig.count(Count::flows_closed) == 1);
      CHECK_FALSE(rig.server.has_rst);
      CHECK_FALSE(rig.client.has_rst);
      check_gone(rig);
    }
  }
}

TEST_CASE("A16: the server may close first; the client then still sends, and closes in its turn") {
  PathRig rig;
  rig.establish();
  rig.server_sends(0, 0, sim::kAck | sim::kFin);
  CHECK(client_heard_goodbye(rig));
  CHECK(rig.client.has_fin);
  rig.client_acks();
  CHECK(rig.server.acked == 1);
  const std::size_t at = rig.client_writes("one more");
  client_sends_rest(rig, at, sim::kAck);
  CHECK(rig.server_got() == "one more");
  rig.send(Side::server, after_fin(rig.server));
  const std::size_t bye = client_says_goodbye(rig);
  client_sends_rest(rig, bye, sim::kAck | sim::kFin);
  CHECK(rig.server.has_fin);
  rig.send(Side::server, after_fin(rig.server));
  CHECK(rig.count(Count::flows_closed) == 1);
  check_gone(rig);
}

TEST_CASE("A16: our close_notify and our FIN are sent again until they are acknowledged") {
  PathRig rig;
  rig.establish();
  rig.lose(Side::client, 2);
  rig.server_sends(0, 0, sim::kAck | sim::kFin);
  CHECK_FALSE(rig.client.has_fin);
  CHECK(rig.server.acked == 0);  // I1
  rig.wait(3'000'000);
  rig.wait(5'000'000);
  CHECK(client_heard_goodbye(rig));
  CHECK(rig.client.has_fin);
  rig.client_acks();
  CHECK(rig.server.acked == 1);
  rig.lose(Side::server, 2);
  client_sends_rest(rig, client_says_goodbye(rig), sim::kAck | sim::kFin);
  CHECK_FALSE(rig.server.has_fin);
  rig.wait(1'500'000);
  rig.wait(5'000'000);
  CHECK(rig.server.has_fin);
  rig.send(Side::server, after_fin(rig.server));
  CHECK(rig.count(Count::flows_closed) == 1);
  check_gone(rig);
}

TEST_CASE("A16: a FIN without close_notify is a truncation: RST to both, or the FIN goes on where the service says so") {
  for (const bool is_forward : {false, true}) {
    PathRig rig({.truncation_forward = is_forward});
    rig.establish();
    const std::size_t at = rig.client_writes("half a sent");
    client_sends_rest(rig, at, sim::kAck | sim::kFin);
    CHECK(rig.server_got() == "half a sent");
    CHECK(rig.server.has_rst == !is_forward);
    CHECK(rig.server.has_fin == is_forward);
    CHECK(rig.client.has_rst == !is_forward);
    CHECK(rig.count(Reset::truncated) == (is_forward ? 0 : 1));
    if (!is_forward) check_gone(rig);
  }
}

TEST_CASE("A16: a FIN inside a record is a reset, whatever the service says") {
  for (const bool is_forward : {false, true}) {
    PathRig rig({.truncation_forward = is_forward});
    rig.establish();
    const std::size_t at = rig.client_writes("half a sentence");
    rig.client_sends(at, 10, sim::kAck | sim::kFin);
    CHECK(rig.server.in.empty());
    CHECK(rig.server.has_rst);
    CHECK_FALSE(rig.server.has_fin);
    CHECK(rig.count(Reset::truncated_in_record) == 1);
    check_gone(rig);
  }
}

TEST_CASE("I6: a RST of the server is a RST to the client, never a clean end") {
  PathRig rig;
  rig.establish();
  rig.server_sends(rig.server_writes("some"), 4);
  rig.server_sends(4, 0, sim::kRst);
  CHECK(rig.client.has_rst);
  CHECK_FALSE(rig.client.has_fin);
  CHECK_FALSE(client_heard_goodbye(rig));
  CHECK(rig.count(Reset::by_server) == 1);
  check_gone(rig);
}

TEST_CASE("I6: a RST of the client is a RST to the server") {
  PathRig rig;
  rig.establish();
  rig.client_sends(rig.client.out.size(), 0, sim::kRst);
  CHECK(rig.server.has_rst);
  CHECK(rig.count(Reset::by_client) == 1);
  check_gone(rig);
}

TEST_CASE("RFC 5961: a RST inside the window but not exact is answered with an ACK; outside of it, with nothing; the flow lives") {
  for (const Side side : {Side::client, Side::server}) {
    PathRig rig;
    rig.establish();
    ScriptedEnd& end = side == Side::client ? rig.client : rig.server;
    const auto& answers = side == Side::client ? rig.to_client : rig.to_server;
    sim::Segment rst = end.segment(end.out.size(), 0, sim::kRst);
    for (const std::uint32_t off : {1U, 1000U}) {
      rig.clear();
      sim::Segment inside = rst;
      inside.seq += off;
      rig.send(side, inside);
      REQUIRE(answers.size() == 1);
      CHECK(answers[0].segment.flags == sim::kAck);
      CHECK(answers[0].segment.ack == end.seq_at(end.out.size()));
    }
    CHECK(rig.count(Count::challenge_acks) == 2);
    for (const std::uint32_t off : {0x4000'0000U, 0xffff'0000U}) {
      rig.clear();
      sim::Segment outside = rst;
      outside.seq += off;
      rig.send(side, outside);
      CHECK(rig.to_client.empty());
      CHECK(rig.to_server.empty());
    }
    CHECK(rig.count(Drop::bad_sequence) == 4);
    CHECK(rig.path().live_flows() == 1);
    CHECK_FALSE(rig.server.has_rst);
    CHECK_FALSE(rig.client.has_rst);
  }
}

TEST_CASE("RFC 5961: a SYN on an established flow is answered with an ACK, and changes nothing") {
  PathRig rig;
  rig.establish();
  sim::Segment syn = rig.client.syn(sim::kSyn);
  syn.seq = rig.client.seq_at(rig.client.out.size()) + 5;
  rig.send(Side::client, syn);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.flags == sim::kAck);
  CHECK(rig.to_server.empty());
  const std::size_t at = rig.client_writes("alive");
  client_sends_rest(rig, at, sim::kAck);
  CHECK(rig.server_got() == "alive");
}

TEST_CASE("A16: a fatal alert of the client ends both sides by RST") {
  PathRig rig;
  rig.establish();
  rig.server_sends(rig.server_writes(100), 100);
  rig.client.in.back() ^= 1;
  rig.tls().give(Bytes(rig.client.in).last(122));  // a second, damaged record: OpenSSL answers with bad_record_mac
  rig.client_reads();
  const std::size_t at = rig.take_client_tls();
  REQUIRE(at < rig.client.out.size());
  client_sends_rest(rig, at, sim::kAck);
  CHECK(rig.server.has_rst);
  CHECK(rig.count(Reset::client_alert) == 1);
  check_gone(rig);
}

TEST_CASE("H8: an idle flow is reset after its time and not before; a byte starts the time anew") {
  PathRig rig({.idle_timeout_ms = 10'000});
  rig.establish();
  rig.wait(9'000'000);
  CHECK(rig.path().live_flows() == 1);
  client_sends_rest(rig, rig.client_writes("x"), sim::kAck);
  rig.server_acks();
  rig.wait(9'500'000);
  CHECK(rig.path().live_flows() == 1);
  rig.wait(600'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.count(Reset::idle_timeout) == 1);
  CHECK(rig.server.has_rst);
  CHECK(rig.client.has_rst);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("H10: reset_flows ends every flow with RST both ways, whatever it holds, and gives everything back") {
  PathRig rig({.window_scale = 0});
  rig.establish();
  const std::size_t up = rig.client_writes(3000);
  rig.client_sends(up, 1000);
  rig.client_sends(up + 1460, 1000);
  rig.client.window_bytes = 200;
  rig.client_acks();
  const std::size_t down = rig.server_writes(3000);
  rig.server_sends(down, 178);
  rig.server_sends(down + 1000, 500);
  CHECK(rig.held_chunks() != 0);
  rig.path().reset_flows(~0U, Reset::shutdown, rig.now());
  rig.wait(1);
  CHECK(rig.server.has_rst);
  CHECK(rig.client.has_rst);
  check_gone(rig);
}

TEST_CASE("A16: a close_notify behind a hole that only the server can fill is not given up before the server gives up") {
  PathRig rig;
  rig.establish();
  rig.lose(Side::client, 1);
  const std::size_t at = rig.server_writes(100);
  rig.server_sends(at, 100);
  rig.server_sends(rig.server.out.size(), 0, sim::kAck | sim::kFin);
  rig.wait(200'000'000);
  CHECK(rig.count(Count::local_resent) >= 6);
  CHECK(rig.count(Reset::retries_exhausted) == 0);
  REQUIRE(rig.path().live_flows() == 1);
  rig.server_sends(at, 100);
  CHECK(rig.client_reads().size() == 100);
  rig.client_acks();
  rig.wait(130'000'000);  // its own timer has backed off as far as it goes
  CHECK(rig.client.has_fin);
}
