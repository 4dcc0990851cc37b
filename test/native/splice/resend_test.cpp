// Retransmission through the path: whatever its sender regrouped, the far end sees the very same bytes again, or nothing.
#include <doctest/doctest.h>

#include "sim/random.hpp"
#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

constexpr std::uint16_t kSuites[] = {0x1301, 0x1303, 0xc02b, 0xcca9};

// A flow whose server has sent `records` records of 100 bytes, all lost on the way to the client.
struct LostDown {
  PathRig rig;
  std::size_t at = 0, base = 0;
  std::vector<ByteVector> first;  // the records as they were first sent

  explicit LostDown(std::uint16_t suite = 0x1301, std::size_t records = 4) : rig({.suite = suite}) {
    rig.establish();
    base = rig.client.in.size();
    at = rig.server_writes(records * 100);
    rig.lose(Side::client, records);
    for (std::size_t i = 0; i < records; ++i) rig.server_sends(at + i * 100, 100);
    for (const SentPacket& packet : rig.to_client) first.emplace_back(packet.segment.payload.begin(), packet.segment.payload.end());
    rig.clear();
  }
  // The records that were sent again: which ones, in order. Each must be one that was sent first, byte for byte.
  std::vector<std::size_t> resent() {
    std::vector<std::size_t> which;
    for (const SentPacket& packet : rig.to_client) {
      if (packet.payload_bytes() == 0) continue;
      const ByteVector bytes(packet.segment.payload.begin(), packet.segment.payload.end());
      const auto found = std::find(first.begin(), first.end(), bytes);
      REQUIRE(found != first.end());
      which.push_back(static_cast<std::size_t>(found - first.begin()));
    }
    rig.clear();
    return which;
  }
};

using Which = std::vector<std::size_t>;

}  // namespace

TEST_CASE("A15, I3: a segment resent as it was is sealed to the same bytes, under the same numbers") {
  for (const std::uint16_t suite : kSuites) {
    LostDown lost(suite);
    for (const std::size_t i : {0U, 3U, 2U, 1U, 0U}) {
      lost.rig.server_sends(lost.at + i * 100, 100);
      CHECK(lost.resent() == Which{i});
    }
    CHECK(lost.rig.client_reads() == PathRig::pattern(400));
    CHECK(lost.rig.count(Count::records_sealed) == 4);
    CHECK(lost.rig.count(Count::records_resealed) == 5);
    CHECK_FALSE(lost.rig.client.is_contradicted);
    CHECK(lost.rig.held_chunks() == 0);
  }
}

TEST_CASE("A15: segments merged into one are cut along the records that were sealed") {
  LostDown lost;
  lost.rig.server_sends(lost.at, 400);
  CHECK(lost.resent() == Which{0, 1, 2, 3});
  CHECK(lost.rig.client_reads() == PathRig::pattern(400));
}

TEST_CASE("A15: a merged segment that goes beyond what was sealed resends the old records and seals the rest as new ones") {
  LostDown lost;
  lost.rig.server_writes(50);
  lost.rig.server.out.resize(lost.at);
  const std::string words = PathRig::pattern(450);
  lost.rig.server.out.insert(lost.rig.server.out.end(), words.begin(), words.end());
  lost.rig.server_sends(lost.at + 200, 250);
  CHECK(lost.rig.count(Count::records_resealed) == 2);
  CHECK(lost.rig.count(Count::records_sealed) == 5);
  lost.rig.server_sends(lost.at, 200);
  CHECK(lost.rig.client_reads() == words);
}

TEST_CASE("A15, I3: parts of a record wait until it is whole, in any cut and order, and then it is the record it was") {
  sim::Random random{42};
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    LostDown lost(kSuites[round % 4]);
    std::vector<std::size_t> cuts{0, 400};
    for (int i = 0; i < 6; ++i) cuts.push_back(random.below(400));
    std::sort(cuts.begin(), cuts.end());
    std::vector<std::size_t> order(cuts.size() - 1);
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.below(i)]);
    for (const std::size_t i : order) {
      if (cuts[i] != cuts[i + 1]) lost.rig.server_sends(lost.at + cuts[i], cuts[i + 1] - cuts[i]);
    }
    lost.resent();
    REQUIRE(lost.rig.client_reads() == PathRig::pattern(400));
    REQUIRE(lost.rig.count(Count::records_sealed) == 4);
    lost.rig.client_acks();
    CHECK(lost.rig.server.acked == 400);
    CHECK(lost.rig.held_chunks() == 0);
  }
}

TEST_CASE("A15, I1: whatever has come of the oldest record is kept, however it overlaps, and is acknowledged but for the last byte") {
  constexpr std::size_t kRecord = 1000;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    sim::Random random{seed};
    PathRig rig({.suite = kSuites[seed % 4]});
    rig.establish();
    const std::size_t at = rig.server_writes(kRecord);
    rig.lose(Side::client, 1);
    rig.server_sends(at, kRecord);
    rig.clear();
    std::array<bool, kRecord> has_come{};
    const auto came = [&] { return static_cast<std::size_t>(std::find(has_come.begin(), has_come.end(), false) - has_come.begin()); };
    while (came() < kRecord) {
      const std::size_t most = random.chance(0.1) ? kRecord - 1 : 20;
      const std::size_t begin = random.below(kRecord), bytes = std::min(kRecord - begin, 1 + random.below(most));
      rig.server_sends(at + begin, bytes);
      std::fill_n(has_come.begin() + static_cast<std::ptrdiff_t>(begin), bytes, true);
      REQUIRE(rig.server.acked == at + std::min(came(), kRecord - 1));
    }
    CHECK(rig.client_reads() == PathRig::pattern(kRecord));
    rig.client_acks();
    CHECK(rig.server.acked == at + kRecord);
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("A15: one segment closes all the gaps between the parts of a record, down and up") {
  LostDown lost;
  for (std::size_t i = 10; i < 100; i += 10) lost.rig.server_sends(lost.at + i, 1);
  lost.rig.server_sends(lost.at, 99);
  CHECK(lost.rig.server.acked == lost.at + 99);
  CHECK(lost.resent().empty());
  lost.rig.server_sends(lost.at + 99, 1);
  CHECK(lost.resent() == Which{0});

  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(100), bytes = rig.client.out.size() - at;
  rig.lose(Side::server, 1);
  rig.client_sends(at, bytes);
  for (std::size_t i = 10; i < bytes; i += 10) rig.client_sends(at + i, 1);
  rig.client_sends(at, bytes - 1);
  CHECK(rig.client.acked == at + bytes - 1);
  rig.client_sends(at + bytes - 1, 1);
  CHECK(rig.server_got() == PathRig::pattern(100));
  rig.server_acks();
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A15, I5: with as many parts as may be kept, the first bytes of the oldest record still find a place") {
  for (const bool is_backward : {false, true}) {
    PathRig rig;
    rig.establish();
    const std::size_t at = rig.server_writes(1000);
    rig.lose(Side::client, 1);
    rig.server_sends(at, 1000);
    for (std::size_t i = 0; i < 200; ++i) rig.server_sends(at + (is_backward ? 901 - 2 * i : 2 + 2 * i), 1);
    CHECK(rig.held_chunks() <= 64);
    for (std::size_t i = 0; i < 1000; ++i) {
      rig.server_sends(at + i, 1);
      REQUIRE(rig.server.acked >= at + std::min<std::size_t>(i + 1, 999));
    }
    CHECK(rig.client_reads() == PathRig::pattern(1000));
    rig.client_acks();
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("A15: a server that resends a record in two halves is told of the first half, never of the last byte (I1)") {
  LostDown lost;
  lost.rig.server_sends(lost.at, 60);
  CHECK(lost.resent().empty());
  CHECK(lost.rig.server.acked <= lost.at + 99);
  lost.rig.server_sends(lost.at + 60, 40);
  CHECK(lost.resent() == Which{0});
}

TEST_CASE("I3: a byte changed in a retransmission resets the flow, and not a byte of the new record leaves") {
  for (const std::uint16_t suite : kSuites) {
    for (const std::size_t changed : {0U, 57U, 99U}) {
      LostDown lost(suite);
      lost.rig.server.out[lost.at + changed] ^= 1;
      lost.rig.server_sends(lost.at, 100);
      CHECK(lost.rig.count(Reset::plaintext_changed) == 1);
      CHECK(lost.resent().empty());
      CHECK(lost.rig.client.in.size() == lost.base);
      CHECK(lost.rig.client.has_rst);
      CHECK(lost.rig.server.has_rst);
      CHECK(lost.rig.path().live_flows() == 0);
      CHECK(lost.rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("I3: a byte changed in one part of a record that comes in parts resets the flow too") {
  for (const bool is_first : {false, true}) {
    LostDown lost;
    lost.rig.server.out[lost.at + (is_first ? 10 : 90)] ^= 1;
    lost.rig.server_sends(lost.at, 50);
    lost.rig.server_sends(lost.at + 50, 50);
    CHECK(lost.rig.count(Reset::plaintext_changed) == 1);
    CHECK(lost.resent().empty());
    CHECK(lost.rig.held_chunks() == 0);
  }
}

TEST_CASE("I3: data below the oldest unacknowledged byte is never sealed again") {
  LostDown lost;
  lost.rig.server_sends(lost.at, 400);
  lost.rig.client_acks();
  lost.rig.clear();
  lost.rig.server.out[lost.at] ^= 1;  // even changed: nobody asks for it any more
  lost.rig.server_sends(lost.at, 200);
  CHECK(lost.resent().empty());
  CHECK(lost.rig.count(Count::records_resealed) == 4);
  CHECK_FALSE(lost.rig.client.has_rst);
}

TEST_CASE("A15, A6: what the client resends, in any cut, is opened again under the old numbers and is the same plaintext") {
  sim::Random random{7};
  for (int round = 0; round < 200; ++round) {
    CAPTURE(round);
    PathRig rig({.suite = kSuites[round % 4]});
    rig.establish();
    std::string words;
    const std::size_t at = rig.client.out.size();
    std::vector<std::size_t> begin;
    rig.lose(Side::server, 4);
    for (int i = 0; i < 4; ++i) {
      begin.push_back(rig.client_writes(100));
      words += PathRig::pattern(100);
      rig.client_sends(begin.back(), rig.client.out.size() - begin.back());
    }
    REQUIRE(rig.server.in.empty());
    const std::size_t total = rig.client.out.size() - at;
    std::vector<std::size_t> cuts{0, total};
    for (int i = 0; i < round % 7; ++i) cuts.push_back(random.below(total));
    std::sort(cuts.begin(), cuts.end());
    const bool is_backward = random.chance(0.5);
    for (std::size_t k = 0; k + 1 < cuts.size(); ++k) {
      const std::size_t i = is_backward ? cuts.size() - 2 - k : k;
      if (cuts[i] != cuts[i + 1]) rig.client_sends(at + cuts[i], cuts[i + 1] - cuts[i]);
    }
    REQUIRE(rig.server_got() == words);
    CHECK_FALSE(rig.server.is_contradicted);
    rig.server_acks();
    CHECK(rig.client.acked == rig.client.out.size());
    CHECK(rig.count(Count::custody_entered) == 0);
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("A15: a resent record that is damaged is dropped and counted; the flow goes on") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(100);
  rig.lose(Side::server, 1);
  rig.client_sends(at, rig.client.out.size() - at);
  rig.client.out[at + 20] ^= 1;
  rig.client_sends(at, rig.client.out.size() - at);
  CHECK(rig.count(Drop::stale_record) == 1);
  CHECK(rig.server.in.empty());
  rig.client.out[at + 20] ^= 1;
  rig.client_sends(at, rig.client.out.size() - at);
  CHECK(rig.server_got() == PathRig::pattern(100));
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A15: in custody a resent segment is not forwarded twice, and is acknowledged") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(3000);
  rig.client_sends(at, 1460);
  rig.clear();
  rig.client_sends(at, 1460);
  CHECK(rig.to_server.empty());
  CHECK(rig.to_client.size() == 1);
  rig.client_sends(at, rig.client.out.size() - at > 1460 ? 1460 : 0);
  rig.client_sends(at + 1000, 1460);  // half old, half new
  rig.client_sends(at + 2460, rig.client.out.size() - at - 2460);
  CHECK(rig.server_got() == PathRig::pattern(3000));
  rig.server_acks();
  CHECK(rig.held_chunks() == 0);
}
