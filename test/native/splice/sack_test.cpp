// D-SACK (RFC 2883): a sender whose bytes came twice hears of it in its own numbering, whoever noticed.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

// Four records of 100 bytes each way; `at` are their places in the stream of the end that sends them.
struct FourDown {
  PathRig rig;
  std::size_t at = 0, base = 0;
  explicit FourDown(const RigPlan& plan = {}) : rig(plan) {
    rig.establish();
    at = rig.server_writes(400);
    base = rig.client.in.size();
    for (std::size_t i = 0; i < 4; ++i) rig.server_sends(at + i * 100, 100);
    rig.clear();
  }
  [[nodiscard]] std::uint32_t cipher(std::size_t offset) const {
    return rig.client.peer_isn + 1U + static_cast<std::uint32_t>(base + offset);
  }
};

const sim::TcpOptions& only_answer(const std::vector<SentPacket>& packets) {
  REQUIRE(packets.size() == 1);
  return packets[0].segment.options;
}
void check_first(const sim::TcpOptions& options, std::uint32_t begin, std::uint32_t end) {
  REQUIRE(options.sack_count >= 1);
  CHECK(options.sacks[0].begin == begin);
  CHECK(options.sacks[0].end == end);
}

}  // namespace

TEST_CASE("A7: a server that sends again what the client has acknowledged is told at once that it came twice") {
  FourDown down;
  PathRig& rig = down.rig;
  rig.client_acks();
  rig.clear();
  rig.server_sends(down.at + 100, 200);
  CHECK(rig.to_client.empty());
  check_first(only_answer(rig.to_server), rig.server.seq_at(down.at + 100), rig.server.seq_at(down.at + 300));
  CHECK(rig.to_server[0].segment.ack == rig.server.seq_at(down.at + 400));
}

TEST_CASE("A7: the client's D-SACK about a record that was sealed twice becomes the server's, though its span is gone") {
  FourDown down;
  PathRig& rig = down.rig;
  rig.server_sends(down.at + 100, 100);  // the acknowledgement was late: needlessly again
  CHECK(rig.count(Count::records_resealed) == 1);
  rig.client_acks();
  rig.clear();
  sim::Segment ack = rig.client.segment(rig.client.out.size(), 0);
  ack.options.sack_count = 1;
  ack.options.sacks[0] = {down.cipher(122), down.cipher(244)};
  rig.send(Side::client, ack);
  check_first(only_answer(rig.to_server), rig.server.seq_at(down.at + 100), rig.server.seq_at(down.at + 200));
  ack.options.sacks[0] = {down.cipher(244), down.cipher(366)};  // never resent: nobody to tell
  rig.clear();
  rig.send(Side::client, ack);
  for (const SentPacket& packet : rig.to_server) CHECK(packet.segment.options.sack_count == 0);
}

TEST_CASE("A7: what comes twice behind a gap is reported, and the run around it is the second block") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.server_writes(500);
  for (const std::size_t i : {1U, 2U, 3U}) rig.server_sends(at + i * 100, 100);
  rig.clear();
  rig.server_sends(at + 100, 200);
  const sim::TcpOptions& told = only_answer(rig.to_server);
  check_first(told, rig.server.seq_at(at + 100), rig.server.seq_at(at + 300));
  REQUIRE(told.sack_count == 2);
  CHECK(told.sacks[1].begin == rig.server.seq_at(at + 100));
  CHECK(told.sacks[1].end == rig.server.seq_at(at + 400));
}

TEST_CASE("A7: a client that sends again what the server has, or what is in custody, is told that it came twice") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(200), end = rig.client.out.size();
  rig.client_sends(at, end - at);
  rig.server_acks();
  rig.clear();
  rig.client_sends(at, end - at);
  CHECK(rig.to_server.empty());
  check_first(only_answer(rig.to_client), rig.client.seq_at(at), rig.client.seq_at(end));
  const std::size_t half = rig.client_writes(1000);
  rig.client_sends(half, 500);
  CHECK(rig.count(Count::custody_entered) == 1);
  rig.clear();
  rig.client_sends(half, 500);
  check_first(only_answer(rig.to_client), rig.client.seq_at(half), rig.client.seq_at(half + 500));
}

TEST_CASE("A7: the server's D-SACK about a record that was opened twice becomes the client's") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(200), end = rig.client.out.size();
  rig.client_sends(at, end - at);
  rig.client_sends(at, end - at);
  CHECK(rig.count(Count::records_reopened) == 1);
  rig.clear();
  sim::Segment ack = rig.server.segment(rig.server.out.size(), 0);
  ack.options.sack_count = 1;
  ack.options.sacks[0] = {rig.server.peer_isn + 1, rig.server.peer_isn + 201};
  rig.send(Side::server, ack);
  check_first(only_answer(rig.to_client), rig.client.seq_at(at), rig.client.seq_at(end));
  CHECK(rig.to_client[0].segment.ack == rig.client.seq_at(end));
}

TEST_CASE("A7, I1: no block promises what the server lacks; without SACK there is none") {
  FourDown without({.has_sack = false});
  without.rig.client_acks();
  without.rig.clear();
  without.rig.server_sends(without.at, 100);
  CHECK(only_answer(without.rig.to_server).sack_count == 0);
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(200), end = rig.client.out.size();
  rig.client_sends(at, end - at);
  rig.lose(Side::server, 1);
  rig.clear();
  rig.client_sends(at, end - at);  // again, and lost again: nothing is below any acknowledgement
  for (const SentPacket& packet : rig.to_client) CHECK(packet.segment.options.sack_count == 0);
}
