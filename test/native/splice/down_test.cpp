// Server to client through the whole path: one record in one packet, windows that leave room for the overhead, and the hold queue.
#include <doctest/doctest.h>

#include <set>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

constexpr std::uint16_t kSuites[] = {0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9};

std::size_t overhead_of(std::uint16_t suite) { return suite < 0x1400 ? 22 : suite == 0xcca9 ? 21 : 29; }

// Each packet to the client is one record, whole (A2).
void check_framed(const PathRig& rig) {
  for (const SentPacket& packet : rig.to_client) {
    const Bytes bytes = packet.segment.payload;
    if (bytes.size() <= 1) continue;  // a byte that comes again asks for an acknowledgement
    REQUIRE(bytes.size() >= 5);
    CHECK(bytes[0] == 23);
    CHECK(bytes.size() == 5U + load_be16(bytes.data() + 3));
  }
}

}  // namespace

TEST_CASE("A2: a segment of the server becomes one record in one packet at once, in every suite, over IPv4 and IPv6") {
  for (const std::uint16_t suite : kSuites) {
    for (const bool is_v6 : {false, true}) {
      CAPTURE(suite);
      CAPTURE(is_v6);
      PathRig rig({.suite = suite, .is_v6 = is_v6});
      rig.establish();
      std::string expected;
      for (const std::size_t n : {1U, 15U, 16U, 17U, 500U, 1400U}) {
        const std::size_t at = rig.server_writes(n);
        expected += PathRig::pattern(n);
        rig.clear();
        rig.server_sends(at, n, sim::kAck | sim::kPsh);
        REQUIRE(rig.to_client.size() == 1);
        CHECK(rig.to_server.empty());
        CHECK(rig.to_client[0].payload_bytes() == n + overhead_of(suite));
        CHECK(rig.to_client[0].has(sim::kPsh));
        check_framed(rig);
      }
      CHECK(rig.client_reads() == expected);
      CHECK(rig.count(Count::records_sealed) == 6);
      CHECK(rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("A4: a full segment under the MSS shown to the server fits the client's MSS as a record, with and without timestamps") {
  for (const bool has_timestamps : {false, true}) {
    for (const std::uint16_t client_mss : {std::uint16_t{1460}, std::uint16_t{536}}) {
      PathRig rig({.has_timestamps = has_timestamps, .client_mss = client_mss});
      rig.connect();
      const std::uint16_t shown = rig.to_server[0].segment.options.mss.value_or(0);
      rig.handshake();
      rig.clear();
      const std::size_t full = shown - (has_timestamps ? 12U : 0U);
      rig.server_sends(rig.server_writes(full), full);
      REQUIRE(rig.to_client.size() == 1);
      CHECK(rig.to_client[0].payload_bytes() <= client_mss - (has_timestamps ? 12U : 0U));
      CHECK(rig.client_reads() == PathRig::pattern(full));
    }
  }
}

TEST_CASE("A2: a server that ignores the MSS is cut into records that fit, in order") {
  PathRig rig({.client_mss = 536});
  rig.establish();
  const std::size_t at = rig.server_writes(1400);
  rig.server_sends(at, 1400);
  CHECK(rig.client_reads() == PathRig::pattern(1400));
  check_framed(rig);
  for (const SentPacket& packet : rig.to_client) CHECK(packet.payload_bytes() <= 536);
}

TEST_CASE("I1: the server hears of a record when the client has acknowledged all of it, its tag included") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.server_writes(100);
  rig.server_sends(at, 100);
  const std::size_t record_begin = rig.client.in.size() - 122;
  for (std::size_t got = 1; got <= 122; ++got) {
    sim::Segment ack = rig.client.segment(rig.client.out.size(), 0);
    ack.ack = rig.client.peer_isn + 1U + static_cast<std::uint32_t>(record_begin + got);
    rig.send(Side::client, ack);
    CAPTURE(got);
    CHECK(rig.server.acked == (got < 122 ? at : at + 100));
  }
}

TEST_CASE("A14: a window of 3,000 bytes admits fifteen packets of 200 bytes; the sixteenth is held until the client's ACK") {
  PathRig rig({.window_scale = 0});
  rig.establish();
  rig.client.window_bytes = 3000;
  rig.client_acks();
  rig.clear();
  constexpr std::size_t kPlain = 178;  // a record of 200 bytes
  const std::size_t at = rig.server_writes(16 * kPlain);
  REQUIRE(at + 16 * kPlain <= rig.server.window_end);  // many small packets: more than the client's window has room for
  for (std::size_t i = 0; i < 16; ++i) rig.server_sends(at + i * kPlain, kPlain);
  std::size_t records = 0;
  for (const SentPacket& packet : rig.to_client) records += packet.payload_bytes() == 200 ? 1U : 0U;
  CHECK(records == 15);
  CHECK(rig.count(Count::held_down_packets) == 1);
  CHECK(rig.client_reads().size() == 15 * kPlain);
  rig.clear();
  rig.client_acks();
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].payload_bytes() == 200);
  CHECK(rig.client_reads() == PathRig::pattern(16 * kPlain).substr(15 * kPlain));
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A14: the window shown to the server, filled with full segments, never exceeds the client's") {
  for (const std::uint32_t window : {22U, 23U, 100U, 1459U, 1460U, 1461U, 1482U, 1483U, 3000U, 20'000U, 65'535U}) {
    PathRig rig({.window_scale = 0});
    rig.establish();
    const std::size_t before = rig.server.window_end;
    rig.client.window_bytes = window;
    rig.client_acks();
    const std::size_t cipher_at = rig.client.in.size();
    CAPTURE(window);
    const std::size_t edge = rig.server.window_end;
    if (edge < before) continue;  // never moves back; checked below with the first window
    const std::size_t at = rig.server_writes(edge);
    for (std::size_t p = at; p < edge; p += 1438) rig.server_sends(p, std::min<std::size_t>(1438, edge - p));
    CHECK(rig.client.in.size() - cipher_at <= window);
  }
}

TEST_CASE("A14: from a window that opens byte by byte everything arrives, and no byte is ever sent beyond it") {
  PathRig rig({.window_scale = 0});
  rig.establish();
  const std::size_t base = rig.client.in.size();
  const std::string words = PathRig::pattern(4000);
  rig.server_writes(words);
  rig.client.window_bytes = 100;
  rig.client_acks();
  std::string got;
  for (std::size_t p = 0; p < words.size(); p += 500) rig.server_sends(p, 500);
  for (int i = 0; i < 200 && got.size() < words.size(); ++i) {
    rig.client.window_bytes = 100 + static_cast<std::uint32_t>(i) * 3;
    const std::size_t edge = rig.client.in.size() + rig.client.window_bytes;
    rig.client_acks();
    CHECK(rig.client.in.size() <= edge);
    got += rig.client_reads();
    rig.server_acks();
    for (std::size_t p = rig.server.acked; p < words.size(); p += 500) rig.server_sends(p, std::min<std::size_t>(500, words.size() - p));
  }
  CHECK(got == words);
  CHECK(rig.client.in.size() > base);
  CHECK_FALSE(rig.client.is_contradicted);
}

TEST_CASE("I6: server segments out of order are sealed in order, with a duplicate ACK and SACK for each that is ahead") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.server_writes(5000);
  for (const std::size_t i : {4U, 2U, 3U, 1U}) {
    rig.clear();
    rig.server_sends(at + i * 1000, 1000);
    REQUIRE(rig.to_server.size() == 1);
    CHECK(rig.to_server[0].segment.ack == rig.server.seq_at(at));
    CHECK(rig.to_server[0].segment.options.sack_count >= 1);
    CHECK(rig.to_client.empty());
  }
  CHECK(rig.to_server[0].segment.options.sacks[0].begin == rig.server.seq_at(at + 1000));
  CHECK(rig.to_server[0].segment.options.sacks[0].end == rig.server.seq_at(at + 5000));
  rig.server_sends(at, 1000);
  CHECK(rig.client_reads() == PathRig::pattern(5000));
  check_framed(rig);
  rig.client_acks();
  CHECK(rig.server.acked == 5000);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A7: what came behind a gap is told when the client has answered what came before it, and it is asked to at once") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.server_writes(6000);
  rig.server_sends(at, 1000);
  const std::uint8_t newest = rig.client.in.back();
  const std::uint32_t end = rig.client.peer_isn + 1U + static_cast<std::uint32_t>(rig.client.in.size());
  rig.clear();
  for (const std::size_t i : {2U, 4U}) rig.server_sends(at + i * 1000, 1000);
  CHECK(rig.to_server.empty());  // a SACK now would make what is on its way to the client look lost
  REQUIRE(rig.to_client.size() == 2);
  for (const SentPacket& packet : rig.to_client) {
    REQUIRE(packet.payload_bytes() == 1);
    CHECK(packet.segment.payload[0] == newest);
    CHECK(packet.segment.seq == end - 1U);
  }
  rig.server_sends(at + 5000, 1000);
  CHECK(rig.to_client.size() == 2);  // asked at the first, second, fourth, eighth …
  rig.client_acks();
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].segment.ack == rig.server.seq_at(at + 1000));
  const sim::TcpOptions& told = rig.to_server[0].segment.options;
  REQUIRE(told.sack_count == 2);
  CHECK(told.sacks[0].begin == rig.server.seq_at(at + 4000));
  CHECK(told.sacks[0].end == rig.server.seq_at(at + 6000));
  CHECK(told.sacks[1].begin == rig.server.seq_at(at + 2000));
  CHECK(told.sacks[1].end == rig.server.seq_at(at + 3000));
  for (const std::size_t i : {3U, 1U}) rig.server_sends(at + i * 1000, 1000);
  CHECK(rig.client_reads() == PathRig::pattern(6000));
  CHECK_FALSE(rig.client.is_contradicted);
}

TEST_CASE("A7: no acknowledgement ends where something was promised by SACK, unless the client lacks some of it or the server resends") {
  constexpr std::size_t kFull = 1438, kRecord = kFull + 22;
  enum class Meanwhile { nothing, client_lacks, server_resends };
  for (const Meanwhile meanwhile : {Meanwhile::nothing, Meanwhile::client_lacks, Meanwhile::server_resends}) {
    CAPTURE(static_cast<int>(meanwhile));
    PathRig rig;
    rig.establish();
    const std::size_t at = rig.server_writes(5 * kFull);
    rig.server_sends(at, kFull);
    rig.client_acks();
    for (const std::size_t i : {2U, 3U}) rig.server_sends(at + i * kFull, kFull);
    REQUIRE(rig.to_server.back().segment.options.sack_count == 1);
    rig.server_sends(at + kFull, kFull);
    rig.server_sends(at + 4 * kFull, kFull);
    rig.clear();
    // The client has what filled the gap, and then the first of the two that were promised.
    const auto acks_but = [&](std::size_t records, std::size_t sacked = 0) {
      sim::Segment ack = rig.client.segment(rig.client.out.size(), 0);
      const std::uint32_t end = ack.ack;
      ack.ack -= static_cast<std::uint32_t>(records * kRecord);
      if (sacked != 0) {
        ack.options.sack_count = 1;
        ack.options.sacks[0] = {end - static_cast<std::uint32_t>(sacked * kRecord), end};
      }
      rig.send(Side::client, ack);
    };
    acks_but(3);
    REQUIRE(rig.to_server.size() == 1);
    CHECK(rig.to_server.back().segment.ack == rig.server.seq_at(at + 2 * kFull) - 1U);
    acks_but(2);
    CHECK(rig.to_server.back().segment.ack == rig.server.seq_at(at + 2 * kFull) - 1U);
    if (meanwhile == Meanwhile::client_lacks) acks_but(2, 1);
    if (meanwhile == Meanwhile::server_resends) rig.server_sends(at + 2 * kFull - 1, 1);
    if (meanwhile != Meanwhile::nothing) CHECK(rig.to_server.back().segment.ack == rig.server.seq_at(at + 3 * kFull));
    acks_but(1);
    CHECK(rig.to_server.back().segment.ack == rig.server.seq_at(at + 4 * kFull));
    acks_but(0);
    CHECK(rig.to_server.back().segment.ack == rig.server.seq_at(at + 5 * kFull));
    CHECK(rig.client_reads() == PathRig::pattern(5 * kFull));
  }
}

TEST_CASE("A7: each run behind a gap is told of, with as many acknowledgements as that takes") {
  PathRig rig({.has_timestamps = true});
  rig.establish();
  const std::size_t at = rig.server_writes(20'000);
  rig.server_sends(at, 1000);
  for (std::size_t i = 2; i < 20; i += 2) rig.server_sends(at + i * 1000, 1000);
  rig.clear();
  rig.client_acks();
  std::set<std::uint32_t> told;
  for (const SentPacket& packet : rig.to_server) {
    for (std::size_t i = 0; i < packet.segment.options.sack_count; ++i) told.insert(packet.segment.options.sacks[i].begin);
  }
  CHECK(rig.to_server.size() == 3);
  CHECK(told.size() == 9);
}

TEST_CASE("A7: a client that lacks the newest record, or a server that has waited, ends the wait of what came behind a gap") {
  for (const Side answering : {Side::client, Side::server}) {
    PathRig rig;
    rig.establish();
    const std::size_t at = rig.server_writes(3000);
    rig.lose(Side::client, 1);
    rig.server_sends(at, 1000);
    rig.server_sends(at + 2000, 1000);
    REQUIRE(rig.to_client.back().payload_bytes() == 1);
    const std::uint32_t asked = rig.to_client.back().segment.seq;
    rig.clear();
    if (answering == Side::client) {
      sim::Segment ack = rig.client.segment(rig.client.out.size(), 0);
      ack.options.sack_count = 1;
      ack.options.sacks[0] = {asked, asked + 1U};  // no whole record
      rig.send(Side::client, ack);
    } else {
      rig.server_sends(at, 1000);
    }
    REQUIRE(rig.to_server.size() >= 1);
    const sim::TcpOptions& told = rig.to_server[0].segment.options;
    CHECK(rig.to_server[0].segment.ack == rig.server.seq_at(at));
    REQUIRE(told.sack_count == 1);
    CHECK(told.sacks[0].begin == rig.server.seq_at(at + 2000));
    CHECK(told.sacks[0].end == rig.server.seq_at(at + 3000));
  }
}

TEST_CASE("A14: the server's window goes on by what is kept behind a gap, to a limit, and not where it counts repeated acknowledgements") {
  constexpr std::size_t kFull = 1438, kWindow = 20;
  for (const bool has_sack : {true, false}) {
    PathRig rig({.has_sack = has_sack, .client_window_bytes = kWindow * 1460});
    rig.establish();
    const std::size_t at = rig.server_writes(1200 * kFull);
    const std::size_t edge = rig.server.window_end;
    std::size_t sent = at + kFull;
    while (sent + kFull <= rig.server.window_end && sent < at + 1100 * kFull) {
      rig.server_sends(sent, kFull);
      sent += kFull;
    }
    CAPTURE(has_sack);
    CHECK((rig.server.window_end > edge) == has_sack);
    CHECK(sent <= at + 513 * kFull);
    rig.clear();
    const std::size_t before = rig.client.in.size();
    rig.server_sends(at, kFull);
    CHECK(rig.client.in.size() - before <= kWindow * 1460);  // what the client grants bounds what it gets
    for (std::size_t i = 0; i < 600 && rig.held_chunks() != 0; ++i) rig.client_acks();
    CHECK(rig.client_reads() == PathRig::pattern(sent - at));
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("A7: what was kept behind a gap echoes what its own segment did, so that the client's round trip is that to the server") {
  PathRig rig({.has_timestamps = true});
  rig.establish();
  const std::size_t at = rig.server_writes(2000);
  rig.client.clock_ms = 1000;
  rig.client_acks();
  rig.server_sends(at + 1000, 1000);
  rig.client.clock_ms = 1020;
  rig.client_acks();
  sim::Segment filling = rig.server.segment(at, 1000);
  rig.clear();
  rig.send(Side::server, filling);
  REQUIRE(rig.to_client.size() >= 2);
  CHECK(rig.to_client[0].segment.options.timestamps->echo == filling.options.timestamps->echo);
  CHECK(rig.to_client[1].segment.options.timestamps->echo == 1000);
}

TEST_CASE("A7: the client's SACK becomes plaintext ranges of whole records") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.server_writes(400);
  const std::size_t base = rig.client.in.size();
  for (std::size_t i = 0; i < 4; ++i) {
    if (i == 0) rig.lose(Side::client, 1);
    rig.server_sends(at + i * 100, 100);
  }
  const auto cipher = [&](std::size_t offset) { return rig.client.peer_isn + 1U + static_cast<std::uint32_t>(base + offset); };
  sim::Segment ack = rig.client.segment(rig.client.out.size(), 0);
  ack.options.sack_count = 1;
  ack.options.sacks[0] = {cipher(130), cipher(122 * 3 + 50)};  // cuts the second record and the fourth
  rig.clear();
  rig.send(Side::client, ack);
  REQUIRE(rig.to_server.size() == 1);
  const sim::TcpOptions& told = rig.to_server[0].segment.options;
  REQUIRE(told.sack_count == 1);
  CHECK(told.sacks[0].begin == rig.server.seq_at(at + 200));
  CHECK(told.sacks[0].end == rig.server.seq_at(at + 300));
  ack.options.sacks[0] = {cipher(1), cipher(121)};  // no whole record
  rig.clear();
  rig.send(Side::client, ack);
  for (const SentPacket& packet : rig.to_server) CHECK(packet.segment.options.sack_count == 0);
}

TEST_CASE("A7: timestamps are those of the other end, and echo what it sent") {
  PathRig rig({.has_timestamps = true});
  rig.establish();
  rig.client.clock_ms = 777;
  const std::size_t up = rig.client_writes(50);
  rig.client_sends(up, rig.client.out.size() - up);
  REQUIRE(rig.to_server.size() == 1);
  REQUIRE(rig.to_server[0].segment.options.timestamps.has_value());
  CHECK(rig.to_server[0].segment.options.timestamps->value == 777);
  rig.server.clock_ms = 888;
  rig.server_sends(rig.server_writes(50), 50);
  REQUIRE(rig.to_client.size() >= 1);
  CHECK(rig.to_client.back().segment.options.timestamps->value == 888);
  CHECK(rig.to_client.back().segment.options.timestamps->echo == 777);
}

TEST_CASE("I6, A14: one segment closes all the gaps between what was kept, whatever its client's window") {
  for (const bool has_sack : {true, false}) {
    for (const bool is_held_back : {false, true}) {
      CAPTURE(has_sack);
      CAPTURE(is_held_back);
      PathRig rig({.has_sack = has_sack, .client_window_bytes = 60'000, .window_scale = 0});
      rig.establish();
      const std::size_t at = rig.server_writes(100);
      for (std::size_t i = 10; i < 100; i += 10) rig.server_sends(at + i, 1);
      if (is_held_back) {
        rig.client.window_bytes = 5;
        rig.client_acks();
      }
      rig.server_sends(at, 100);
      rig.client.window_bytes = 60'000;
      for (int round = 0; round < 3; ++round) rig.client_acks();
      CHECK(rig.client_reads() == PathRig::pattern(100));
      CHECK(rig.server.acked == at + 100);
      CHECK(rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("I5: one segment closes 32 gaps behind its first bytes and no more; the next goes on from there") {
  PathRig rig({.has_sack = false});
  rig.establish();
  const std::size_t at = rig.server_writes(1000);
  for (std::size_t i = 10; i < 1000; i += 10) rig.server_sends(at + i, 1);
  std::size_t has = 0;
  while (has < 1000) {
    rig.server_sends(at + has, 1000 - has);
    rig.client_acks();
    has = std::min<std::size_t>(has + (has == 0 ? 331 : 330), 1000);
    REQUIRE(rig.server.acked == at + has);
  }
  CHECK(rig.client_reads() == PathRig::pattern(1000));
  CHECK(rig.held_chunks() == 0);
}
