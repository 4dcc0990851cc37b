// Client to server through the whole path: what is opened in place, what goes into custody, and that nothing leaves before
// its tag was right.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;

namespace {

constexpr std::uint16_t kSuites[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9};

}  // namespace

TEST_CASE("A1: a whole record in a segment is opened in place and goes on at once, in every suite, over IPv4 and IPv6") {
  for (const std::uint16_t suite : kSuites) {
    for (const bool is_v6 : {false, true}) {
      CAPTURE(suite);
      CAPTURE(is_v6);
      PathRig rig({.suite = suite, .is_v6 = is_v6});
      rig.establish();
      const std::size_t at = rig.client_writes("GET / HTTP/1.1\r\n\r\n");
      rig.client_sends(at, rig.client.out.size() - at, sim::kAck | sim::kPsh);
      REQUIRE(rig.to_server.size() == 1);
      CHECK(rig.to_client.empty());
      CHECK(rig.server_got() == "GET / HTTP/1.1\r\n\r\n");
      CHECK(rig.to_server[0].has(sim::kPsh));
      CHECK(rig.count(Count::cut_through_up_packets) == 1);
      CHECK(rig.count(Count::custody_entered) == 0);
      CHECK(rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("I1, I2: out of custody the client is told of what the server has acknowledged, and of whole records only") {
  PathRig rig;
  rig.establish();
  const std::size_t first = rig.client_writes(100), second = rig.client_writes(100);
  const std::size_t end = rig.client.out.size();
  rig.client_sends(first, end - first);
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.client.acked == first);
  for (std::size_t got = 1; got <= 200; ++got) {  // the server acknowledges byte by byte
    sim::Segment ack = rig.server.segment(0, 0);
    ack.ack = rig.server.peer_isn + 1U + static_cast<std::uint32_t>(got);
    rig.send(path::Side::server, ack);
    CAPTURE(got);
    CHECK(rig.client.acked == (got < 100 ? first : got < 200 ? second : end));
  }
}

TEST_CASE("A1: several records in a segment become one segment of their plaintext, closed up") {
  PathRig rig;
  rig.establish();
  std::string words;
  const std::size_t at = rig.client.out.size();
  for (std::size_t n = 1; n < 14; ++n) {
    words += PathRig::pattern(n * 7);
    rig.client_writes(n * 7);
  }
  REQUIRE(rig.client.out.size() - at <= 1460);
  rig.client_sends(at, rig.client.out.size() - at);
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].payload_bytes() == words.size());
  CHECK(rig.server_got() == words);
  CHECK(rig.count(Count::records_opened) == 13);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A11, A12, I4: a record cut at any offset goes into custody, comes out byte exact, and nothing of it before its tag") {
  for (const std::uint16_t suite : kSuites) {
    const std::string words = PathRig::pattern(60);
    PathRig rig({.suite = suite});
    rig.establish();
    std::string expected;
    std::size_t entered = 0;
    std::size_t record_bytes = 0;
    for (std::size_t cut = 1; record_bytes == 0 || cut < record_bytes; ++cut) {
      CAPTURE(suite);
      CAPTURE(cut);
      const std::size_t at = rig.client_writes(words);
      record_bytes = rig.client.out.size() - at;
      rig.client_sends(at, cut);
      REQUIRE(rig.server_got() == expected);
      CHECK(rig.client.acked == at + cut);  // held by us, so acknowledged: a small congestion window must not stand still
      rig.client_sends(at + cut, record_bytes - cut);
      expected += words;
      REQUIRE(rig.server_got() == expected);
      rig.server_acks();
      REQUIRE(rig.count(Count::custody_entered) == ++entered);
      REQUIRE(rig.count(Count::custody_left) == entered);  // and the direction is cut-through again
      CHECK(rig.held_chunks() == 0);
      rig.clear();
    }
  }
}

TEST_CASE("A12: records of every size class and every segmentation come out byte exact") {
  for (const std::size_t segment : {1U, 7U, 100U, 536U, 1447U, 1460U}) {
    PathRig rig;
    rig.establish();
    std::string expected;
    const std::size_t at = rig.client.out.size();
    for (const std::size_t n : {1U, 5U, 16U, 1000U, 1438U, 3000U, 16384U, 2U, 16384U}) {
      if (segment < 100 && n > 3000) continue;
      expected += PathRig::pattern(n, n);
      rig.client_writes(PathRig::pattern(n, n));
    }
    CAPTURE(segment);
    for (std::size_t p = at; p < rig.client.out.size(); p += segment) {
      rig.client_sends(p, std::min(segment, rig.client.out.size() - p));
      rig.server_acks();
    }
    CHECK(rig.server_got() == expected);
    CHECK(rig.client.acked == rig.client.out.size());
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("A12, I4: a record with a wrong tag in custody never reaches the server, which gets a reset; the client gets bad_record_mac") {
  for (const std::size_t hurt : {5U, 300U, 1900U, 2021U}) {  // in the body, and in the tag
    PathRig rig;
    rig.establish();
    const std::size_t at = rig.client_writes(2000);
    rig.client.out[at + hurt] ^= 1;
    rig.client_sends(at, 1000);
    rig.client_sends(at + 1000, rig.client.out.size() - at - 1000);
    CAPTURE(hurt);
    CHECK(rig.server.in.empty());
    CHECK(rig.server.has_rst);
    CHECK(rig.client_reads().empty());
    CHECK(rig.tls().alert_received() == SSL_AD_BAD_RECORD_MAC);
    CHECK(rig.count(Reset::bad_tag) == 1);
    CHECK(rig.client.has_fin);
    rig.client_acks();
    rig.client_sends(rig.client.out.size(), 0, sim::kAck | sim::kFin);
    rig.wait(20'000'000);
    CHECK(rig.path().live_flows() == 0);
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("I4: a forged record in a segment ends the flow, and records before it in that segment do not leak half a segment's order") {
  PathRig rig;
  rig.establish();
  const std::size_t first = rig.client_writes(100), second = rig.client_writes(100);
  rig.client.out[second + 30] ^= 0x80;
  rig.client_sends(first, rig.client.out.size() - first);
  CHECK(rig.server.has_rst);
  CHECK(rig.server.in.size() <= 100);
  CHECK(rig.tls().read().empty());
  CHECK(rig.tls().alert_received() == SSL_AD_BAD_RECORD_MAC);
  CHECK(rig.count(Reset::bad_tag) == 1);
}

TEST_CASE("I6: segments out of order are kept, acknowledged by SACK, and delivered once and in order") {
  PathRig rig;
  rig.establish();
  std::vector<std::size_t> at;
  std::string expected;
  for (int i = 0; i < 5; ++i) {
    at.push_back(rig.client_writes(200));
    expected += PathRig::pattern(200);
  }
  at.push_back(rig.client.out.size());
  for (const std::size_t i : {4U, 2U, 3U, 1U}) {
    rig.clear();
    rig.client_sends(at[i], at[i + 1] - at[i]);
    REQUIRE(rig.to_client.size() == 1);
    const sim::Segment& answer = rig.to_client[0].segment;
    CHECK(answer.ack == rig.client.seq_at(at[0]));
    REQUIRE(answer.options.sack_count >= 1);
    CHECK(rig.to_server.empty());
  }
  const sim::TcpOptions& sack = rig.to_client[0].segment.options;
  CHECK(sack.sacks[0].begin == rig.client.seq_at(at[1]));
  CHECK(sack.sacks[0].end == rig.client.seq_at(at[5]));
  rig.client_sends(at[0], at[1] - at[0]);
  CHECK(rig.server_got() == expected);
  rig.server_acks();
  CHECK(rig.client.acked == rig.client.out.size());
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("I6: of bytes that come twice ahead of a gap the first copy stands") {
  PathRig rig;
  rig.establish();
  const std::size_t first = rig.client_writes(100), second = rig.client_writes(100);
  const std::size_t bytes = rig.client.out.size() - second;
  rig.client_sends(second, bytes);
  const ByteVector good(rig.client.out.begin() + static_cast<std::ptrdiff_t>(second), rig.client.out.end());
  for (std::size_t i = second; i < rig.client.out.size(); ++i) rig.client.out[i] ^= 0x55;
  rig.client_sends(second, bytes);  // an attacker's
  rig.client_sends(second - 10, bytes + 10);
  std::copy(good.begin(), good.end(), rig.client.out.begin() + static_cast<std::ptrdiff_t>(second));
  rig.client_sends(first, second - first);
  CHECK(rig.server_got() == PathRig::pattern(100) + PathRig::pattern(100));
  CHECK_FALSE(rig.server.has_rst);
}

TEST_CASE("I5: what lies outside the window that was shown is dropped and answered") {
  PathRig rig({.server_window_bytes = 8192, .window_scale = 0});
  rig.establish();
  const std::size_t edge = rig.client.window_end;
  const std::size_t at = rig.client.out.size();
  for (int i = 0; i < 5; ++i) rig.client_writes(16384);  // the handshake's own window was 64 KiB
  REQUIRE(edge + 100 < rig.client.out.size());
  rig.client_sends(edge, 100);
  CHECK(rig.count(Drop::window_exceeded) == 1);
  CHECK(rig.to_client.size() == 1);
  CHECK(rig.held_chunks() == 0);
  CHECK(rig.client.acked == at);
}

TEST_CASE("A11: custody survives a server that stands still: zero window, probes, then everything") {
  PathRig rig({.server_window_bytes = 2000, .window_scale = 0});
  rig.establish();
  const std::string words = PathRig::pattern(16384);
  const std::size_t at = rig.client_writes(words);
  rig.server.window_bytes = 0;
  rig.server_acks();
  for (std::size_t p = at; p < rig.client.out.size(); p += 1460) {
    if (p + 1460 > rig.client.window_end) rig.wait(1000);
    rig.client_sends(p, std::min<std::size_t>(1460, rig.client.out.size() - p));
  }
  const std::size_t before_probe = rig.server.in.size();
  rig.clear();
  rig.wait(2'000'000);
  CHECK(rig.to_server.size() >= 1);  // probes
  CHECK(rig.to_server.size() <= 8);
  for (const SentPacket& probe : rig.to_server) CHECK(probe.payload_bytes() <= 1);
  CHECK(rig.server.in.size() <= before_probe + 1);
  for (int i = 0; i < 60 && rig.server.in.size() < words.size(); ++i) {
    rig.server.window_bytes = 2000;
    rig.server_acks();
    rig.wait(1'000);
  }
  CHECK(rig.server_got() == words);
  rig.server_acks();
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A11: what the server lost of custody is sent again by us: fast retransmit by SACK, and by the timer") {
  for (const bool is_by_timer : {false, true}) {
    PathRig rig;
    rig.establish();
    const std::string words = PathRig::pattern(16384);
    const std::size_t at = rig.client_writes(words);
    for (std::size_t p = at; p < rig.client.out.size() - 1460; p += 1460) rig.client_sends(p, 1460);
    rig.lose(path::Side::server, is_by_timer ? 100 : 2);
    const std::size_t rest = (rig.client.out.size() - at) / 1460 * 1460;
    rig.client_sends(at + rest, rig.client.out.size() - at - rest);
    CAPTURE(is_by_timer);
    REQUIRE(rig.server.in.empty());
    REQUIRE(rig.client.acked == rig.client.out.size());
    rig.lose(path::Side::server, 0);
    if (is_by_timer) {
      rig.wait(1'500'000);
    } else {
      sim::Segment ack = rig.server.segment(0, 0);
      ack.options.sack_count = 1;
      ack.options.sacks[0] = {rig.client.isn + 1 + 2 * 1460, rig.client.isn + 1 + 9 * 1460};
      for (int i = 0; i < 3; ++i) rig.send(path::Side::server, ack);
    }
    for (int i = 0; i < 20; ++i) rig.server_acks();
    CAPTURE(rig.server.in.size());
    CHECK(rig.server_got() == words);
    CHECK(rig.count(Count::custody_resent) >= 2);
    CHECK_FALSE(rig.server.is_contradicted);
    CHECK(rig.held_chunks() == 0);
  }
}
