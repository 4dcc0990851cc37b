// SYN cookies: what they carry comes back, and nobody else's comes in.
#include "path/syn_cookie.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace cutwater;
using namespace cutwater::path;
using Kind = CookieVerdict::Kind;

namespace {

constexpr SipKey kKey{1, 2}, kOtherKey{1, 3};
constexpr Tick kNow{1'000'000'000'000};

wire::Segment syn_of(std::uint16_t port) {
  wire::Segment syn;
  const std::uint8_t client[] = {192, 0, 2, 1}, service[] = {198, 51, 100, 1};
  syn.source = IpAddress::from_v4(client);
  syn.destination = IpAddress::from_v4(service);
  syn.source_port = port;
  syn.destination_port = 443;
  syn.seq = SeqNum{0xffff'fffe};
  syn.flags = wire::kSyn;
  syn.options.window_scale = 7;
  syn.options.has_sack_permitted = true;
  return syn;
}

wire::Segment first_of(wire::Segment syn, SeqNum cookie) {
  syn.seq += 1;
  syn.ack = cookie + 1U;
  syn.flags = wire::kAck;
  return syn;
}

}  // namespace

TEST_CASE("A9: a cookie brings back MSS, window scale and SACK; the MSS rounded down, never up") {
  for (const int scale : {-1, 0, 1, 7, 14}) {
    for (const bool has_sack : {false, true}) {
      for (std::uint32_t mss = 88; mss <= 9000; mss += 13) {
        wire::Segment syn = syn_of(5000);
        syn.options.window_scale = static_cast<std::int8_t>(scale);
        syn.options.has_sack_permitted = has_sack;
        const SeqNum cookie = make_cookie(kKey, syn, static_cast<std::uint16_t>(mss), kNow);
        const CookieVerdict v = judge_cookie(kKey, first_of(syn, cookie), kNow);
        REQUIRE(v.kind == Kind::first);
        CHECK(v.memory.window_scale == scale);
        CHECK(v.memory.has_sack == has_sack);
        REQUIRE(v.memory.mss <= mss);
      }
    }
  }
  for (const std::uint16_t usual : std::initializer_list<std::uint16_t>{536, 1220, 1360, 1440, 1452, 1460, 8940, 8960}) {
    const SeqNum cookie = make_cookie(kKey, syn_of(1), usual, kNow);
    CHECK(judge_cookie(kKey, first_of(syn_of(1), cookie), kNow).memory.mss == usual);
  }
}

TEST_CASE("A9: a cookie is good for one to two periods of 64 seconds, and not for ever") {
  const SeqNum cookie = make_cookie(kKey, syn_of(1), 1460, kNow);
  const wire::Segment first = first_of(syn_of(1), cookie);
  CHECK(judge_cookie(kKey, first, kNow + kCookiePeriodUs).kind == Kind::first);
  for (std::uint64_t later = 2; later < 12; ++later) CHECK(judge_cookie(kKey, first, kNow + later * kCookiePeriodUs).kind != Kind::first);
}

TEST_CASE("A9: a later segment of the same connection is told from its first one, and from a foreign one, as far as the window reaches") {
  for (std::uint32_t i = 0; i < 20; ++i) {
    wire::Segment syn = syn_of(static_cast<std::uint16_t>(i));
    syn.seq = SeqNum{i * 2'654'435'761U};
    const SeqNum cookie = make_cookie(kKey, syn, 1460, kNow);
    wire::Segment later = first_of(syn, cookie);
    later.seq = later.seq - 1U;
    REQUIRE(judge_cookie(kKey, later, kNow).kind == Kind::not_first);  // a keep-alive
    later.seq += 1;
    REQUIRE(judge_cookie(kKey, later, kNow).kind == Kind::first);
    for (std::uint32_t ahead = 1; ahead <= kCookieWindow; ++ahead) {  // a hello that is dribbled: the 2,040th byte was once taken for the first
      later.seq += 1;
      REQUIRE(judge_cookie(kKey, later, kNow).kind == Kind::not_first);
    }
  }
}

TEST_CASE("A9: what lies beyond the window is seldom taken for the first segment, by its upper half") {
  int confused = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    wire::Segment syn = syn_of(static_cast<std::uint16_t>(i));
    wire::Segment later = first_of(syn, make_cookie(kKey, syn, 1460, kNow));
    later.seq += (1 + i % 7) << 16;
    if (judge_cookie(kKey, later, kNow).kind == Kind::first) ++confused;
    later.seq += 1448;
    REQUIRE(judge_cookie(kKey, later, kNow).kind != Kind::first);
  }
  CHECK(confused < 400);  // expected: 312, one in 64
}

TEST_CASE("A9: the numbers of connections between the same two ports are far apart (RFC 6528)") {
  int near = 0;
  wire::Segment syn = syn_of(7);
  SeqNum before = make_cookie(kKey, syn, 1460, kNow);
  for (std::uint32_t i = 1; i <= 1'000; ++i) {
    syn.seq += 300'000U;
    const SeqNum cookie = make_cookie(kKey, syn, 1460, kNow);
    if (std::abs(cookie - before) < 65'536) ++near;
    before = cookie;
  }
  CHECK(near < 20);  // expected: 2, of 2^26 numbers to be near
}

TEST_CASE("A9: another address, port, number or key is foreign; a forger hits once in millions") {
  int taken = 0, known = 0;
  for (std::uint32_t i = 0; i < 200'000; ++i) {
    wire::Segment guess = first_of(syn_of(static_cast<std::uint16_t>(i)), SeqNum{i * 2'654'435'761U});
    const Kind kind = judge_cookie(kKey, guess, kNow).kind;
    taken += kind == Kind::first ? 1 : 0;
    known += kind == Kind::not_first ? 1 : 0;
  }
  CHECK(taken <= 2);   // expected: 200,000 / 2^22
  CHECK(known < 10'000);  // expected: 9,230; three in 64, which are not answered
  const SeqNum cookie = make_cookie(kKey, syn_of(1), 1460, kNow);
  CHECK(judge_cookie(kOtherKey, first_of(syn_of(1), cookie), kNow).kind == Kind::foreign);
  wire::Segment moved = first_of(syn_of(1), cookie);
  moved.source.bytes[15] ^= 1;
  CHECK(judge_cookie(kKey, moved, kNow).kind == Kind::foreign);
}
