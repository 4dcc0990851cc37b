// A sender that knows the four addresses and ports and guesses the rest: nothing it says moves anything (RFC 5961, RFC 7323 5.3).
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;

namespace {

constexpr std::uint32_t kOffsets[] = {0x1000'0000U, 0x4000'0000U, 0xc000'0000U};

/// Both directions still work, with the clocks of the real ends.
void check_alive(PathRig& rig) {
  rig.clear();
  const std::size_t up = rig.client_writes("alive");
  rig.client_sends(up, rig.client.out.size() - up);
  CHECK(rig.server_got().ends_with("alive"));
  REQUIRE(!rig.to_server.empty());
  CHECK(rig.to_server.back().segment.options.timestamps->value == rig.client.clock_ms);
  CHECK(rig.to_server.back().segment.options.timestamps->echo == rig.server.clock_ms);
  rig.server_acks();
  rig.server_sends(rig.server_writes("as well"), 7);
  CHECK(rig.client_reads() == "as well");
  CHECK(rig.to_client.back().segment.options.timestamps->value == rig.server.clock_ms);
  CHECK(rig.to_client.back().segment.options.timestamps->echo == rig.client.clock_ms);
}

}  // namespace

TEST_CASE("RFC 7323 5.3: a timestamp outside of the window is not taken over, and so cannot make the real ones look old") {
  for (const Side side : {Side::client, Side::server}) {
    PathRig rig({.has_timestamps = true});
    rig.establish();
    ScriptedEnd& end = side == Side::client ? rig.client : rig.server;
    for (const std::uint32_t off : kOffsets) {
      sim::Segment forged = end.segment(end.out.size(), 0);
      forged.seq += off;
      forged.options.timestamps->value += 0x3000'0000U;
      rig.send(side, forged);
    }
    CHECK(rig.count(Drop::bad_sequence) == 3);
    check_alive(rig);
  }
}

TEST_CASE("RFC 9293 3.10.7.4: an acknowledgement under a wrong sequence number acknowledges nothing, opens no window, and is answered") {
  PathRig rig({.has_timestamps = true});
  rig.establish();
  rig.lose(Side::client, 1);
  rig.server_sends(rig.server_writes(1'000), 1'000);
  const std::size_t told = rig.server.acked;
  for (const std::uint32_t off : kOffsets) {
    rig.clear();
    sim::Segment forged = rig.client.segment(rig.client.out.size(), 0);
    forged.seq += off;
    forged.ack += 1'022;  // the record that was lost
    rig.send(Side::client, forged);
    CHECK(rig.to_server.empty());
    REQUIRE(rig.to_client.size() == 1);
    CHECK(rig.to_client[0].segment.flags == sim::kAck);
    rig.wait(300'000);
  }
  CHECK(rig.server.acked == told);
}

TEST_CASE("RFC 5961 7: of empty segments outside of the window one is answered in a while, so that no two ends answer each other for ever") {
  for (const Side side : {Side::client, Side::server}) {
    PathRig rig({.has_timestamps = true});
    rig.establish();
    const ScriptedEnd& end = side == Side::client ? rig.client : rig.server;
    const auto& answers = side == Side::client ? rig.to_client : rig.to_server;
    sim::Segment behind = end.segment(end.out.size(), 0);
    behind.seq -= 500;
    for (int i = 0; i < 1'000; ++i) rig.send(side, behind);  // a tenth of a second
    CHECK(answers.size() <= 2);
    CHECK(!answers.empty());
    rig.wait(300'000);
    rig.clear();
    rig.send(side, behind);
    CHECK(answers.size() == 1);
    check_alive(rig);
  }
}

TEST_CASE("RFC 5961 5.2: data with an acknowledgement older than any window is not taken, however right its own number is") {
  for (const Side side : {Side::client, Side::server}) {
    PathRig rig({.has_timestamps = true});
    rig.establish();
    ScriptedEnd& end = side == Side::client ? rig.client : rig.server;
    const ByteVector junk(100, 0x17);
    sim::Segment forged = end.segment(end.out.size(), 0);
    forged.payload = junk;
    forged.ack -= 0x5000'0000U;
    rig.send(side, forged);
    CHECK(rig.count(Drop::bad_ack) == 1);
    CHECK(rig.path().live_flows() == 1);
    check_alive(rig);
  }
}

TEST_CASE("RFC 9293 3.10.7: a SYN with ACK is not the beginning of anything, and ends nothing") {
  PathRig rig({.has_timestamps = true});
  sim::Segment answer = rig.client.syn(sim::kSyn | sim::kAck);
  rig.send(Side::client, answer);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].has(sim::kRst));
  CHECK(rig.to_server.empty());
  CHECK(rig.path().live_flows() == 0);
  rig.client.has_rst = false;
  rig.establish();
  answer.seq += 100'000;
  rig.send(Side::client, answer);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.flags == sim::kAck);
  CHECK(rig.to_server.empty());
  check_alive(rig);
}

TEST_CASE("RFC 7323 5: a SYN-ACK that comes again makes its newer clock ours, or the client would drop all that we send") {
  PathRig rig({.has_timestamps = true});
  rig.send(Side::client, rig.client.syn(sim::kSyn));
  rig.lose(Side::client, 1);
  rig.send(Side::server, rig.server.syn(sim::kSyn | sim::kAck));
  rig.server.clock_ms += 1'000;
  rig.send(Side::server, rig.server.syn(sim::kSyn | sim::kAck));
  rig.client_sends(0, 0);
  rig.clear();
  rig.handshake();
  for (const SentPacket& packet : rig.to_client) CHECK(packet.segment.options.timestamps->value == rig.server.clock_ms);
}

TEST_CASE("RFC 7323 5.3: what stands in the window and has an older clock is an old duplicate; it is dropped, counted and answered (A7)") {
  for (const Side side : {Side::client, Side::server}) {
    PathRig rig({.has_timestamps = true});
    rig.establish();
    ScriptedEnd& end = side == Side::client ? rig.client : rig.server;
    auto& answers = side == Side::client ? rig.to_client : rig.to_server;
    auto& beyond = side == Side::client ? rig.to_server : rig.to_client;
    end.clock_ms += 1'000;
    if (side == Side::client) {
      const std::size_t up = rig.client_writes("later");
      rig.client_sends(up, rig.client.out.size() - up);
      rig.server_acks();
    } else {
      rig.server_sends(rig.server_writes("later"), 5);
      CHECK(rig.client_reads() == "later");
      rig.client_acks();
    }
    rig.clear();
    sim::Segment old = end.segment(end.out.size(), 0);
    const std::string text = PathRig::pattern(100);
    old.payload = {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    old.options.timestamps->value -= 500;
    rig.send(side, old);
    CHECK(rig.count(Drop::paws) == 1);
    CHECK(beyond.empty());
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].payload_bytes() == 0);
    check_alive(rig);
  }
}

TEST_CASE("RFC 7323 4.3: a segment that was overtaken by one with a newer clock is no old duplicate (A7)") {
  PathRig rig({.has_timestamps = true});
  rig.establish();
  const std::size_t first = rig.server_writes(500), second = rig.server_writes(500);
  const sim::Segment early = rig.server.segment(first, 500);
  rig.server.clock_ms += 700;
  rig.server_sends(second, 500);
  rig.send(Side::server, early);
  CHECK(rig.count(Drop::paws) == 0);
  CHECK(rig.client_reads().size() == 1'000);
}
