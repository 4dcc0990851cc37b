// Explicit congestion notification across the splice (RFC 3168): marks and echoes reach the end they are meant for, and where
// custody is the client's receiver, it echoes marks itself.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;

namespace {

constexpr std::uint8_t kMarked = 3, kCapable = 2;

sim::Segment marked(sim::Segment s) {
  s.ecn = kMarked;
  return s;
}

}  // namespace

TEST_CASE("RFC 3168: the mark on a server's segment goes out with its record; the client's echo reaches the server on pure acknowledgements") {
  PathRig rig;
  rig.establish();
  rig.send(Side::server, marked(rig.server.segment(rig.server_writes(500), 500)));
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.ecn == kMarked);
  rig.clear();
  rig.client_sends(rig.client.out.size(), 0, sim::kAck | sim::kEce);
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].has(sim::kEce));
  rig.clear();
  rig.server_sends(rig.server_writes(500), 500, sim::kAck | sim::kCwr);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].has(sim::kCwr));
  rig.client_acks();
  CHECK_FALSE(rig.to_server.back().has(sim::kEce));
}

TEST_CASE("RFC 3168: the mark on a client's segment goes on with its plaintext; the server's echo comes back on pure acknowledgements") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(500);
  rig.send(Side::client, marked(rig.client.segment(at, rig.client.out.size() - at)));
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].segment.ecn == kMarked);
  rig.clear();
  rig.server_sends(rig.server.out.size(), 0, sim::kAck | sim::kEce);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].has(sim::kEce));
  const std::size_t next = rig.client_writes(500);
  rig.clear();
  rig.client_sends(next, rig.client.out.size() - next, sim::kAck | sim::kCwr);
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].has(sim::kCwr));
  rig.server_acks();
  CHECK_FALSE(rig.to_client.back().has(sim::kEce));
}

TEST_CASE("RFC 3168: custody echoes the client's marks until its CWR, and passes that CWR on once") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(8'000);
  rig.send(Side::client, marked(rig.client.segment(at, 1'400)));
  REQUIRE(!rig.to_client.empty());
  CHECK(rig.to_client.back().has(sim::kEce));
  rig.client_sends(at + 1'400, 1'400);
  CHECK(rig.to_client.back().has(sim::kEce));
  rig.client_sends(at + 2'800, 1'400, sim::kAck | sim::kCwr);
  CHECK_FALSE(rig.to_client.back().has(sim::kEce));
  rig.clear();
  rig.client_sends(at + 4'200, 1'400), rig.client_sends(at + 5'600, 1'400);
  rig.client_sends(at + 7'000, rig.client.out.size() - at - 7'000);
  std::size_t reductions = 0;
  for (const SentPacket& packet : rig.to_server) reductions += packet.has(sim::kCwr) ? 1 : 0;
  CHECK(reductions == 1);
  CHECK(rig.server_got().size() == 8'000);
}

TEST_CASE("RFC 3168: of segments that were held and share a record, one mark marks it") {
  PathRig rig({.client_window_bytes = 400, .window_scale = 0});
  rig.establish();
  const std::size_t at = rig.server_writes(360);
  for (std::size_t i = 0; i < 6; ++i) {  // four go out, the last two wait for the window and become one record
    sim::Segment s = rig.server.segment(at + i * 60, 60);
    s.ecn = i == 4 ? kMarked : kCapable;
    rig.send(Side::server, s);
  }
  for (const SentPacket& packet : rig.to_client) CHECK(packet.segment.ecn != kMarked);
  rig.client.window_bytes = 40'000;
  rig.client_acks();
  REQUIRE(!rig.to_client.empty());
  CHECK(rig.to_client.back().payload_bytes() == 120 + 22);
  CHECK(rig.to_client.back().segment.ecn == kMarked);
}
