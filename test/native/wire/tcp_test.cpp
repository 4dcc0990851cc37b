// Headers: both bounds of every length, and what emit() writes read again by parse() and by the simulator's own reader.
#include <doctest/doctest.h>

#include <vector>

#include "sim/frame.hpp"
#include "sim/random.hpp"
#include "wire/checksum.hpp"
#include "wire/tcp.hpp"

using namespace cutwater;
using wire::ParseError;

namespace {

struct Sample {
  IpAddress source, destination;
  wire::Header header;
  std::vector<std::uint8_t> payload;

  explicit Sample(bool is_v6, std::uint16_t vlan = 0, std::size_t payload_bytes = 37) : payload(payload_bytes, 0x5a) {
    const std::uint8_t a[16] = {0xfd, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, b[16] = {10, 0, 0, 9};
    source = is_v6 ? IpAddress::from_v6(a) : IpAddress::from_v4(a);
    destination = is_v6 ? IpAddress::from_v6(b) : IpAddress::from_v4(b);
    header.source_mac = {2, 0, 0, 0, 0, 1};
    header.destination_mac = {2, 0, 0, 0, 0, 2};
    header.vlan = vlan;
    header.source = &source;
    header.destination = &destination;
    header.source_port = 443, header.destination_port = 50'000;
    header.seq = SeqNum{0xffff'fff0}, header.ack = SeqNum{17};
    header.window = 4096;
    header.flags = wire::kAck | wire::kPsh;
    header.ttl = 61, header.traffic_class = 0x2d;
  }
  [[nodiscard]] std::vector<std::uint8_t> packet() const {
    std::vector<std::uint8_t> room(wire::kMaxHeaderBytes + payload.size());
    std::copy(payload.begin(), payload.end(), room.begin() + wire::kMaxHeaderBytes);
    std::uint8_t* begin = wire::emit(header, room.data() + wire::kMaxHeaderBytes, static_cast<std::uint32_t>(payload.size()));
    return {begin, room.data() + room.size()};
  }
};

ParseError parse(std::vector<std::uint8_t> packet) {
  wire::Segment out;
  return wire::parse(packet, out);
}

void mend_ipv4(std::vector<std::uint8_t>& p) {
  const std::size_t bytes = static_cast<std::size_t>(p[14] & 15) * 4;
  p[24] = p[25] = 0;
  const std::uint16_t checksum = wire::fold(wire::sum_slow({p.data() + 14, bytes}));
  std::memcpy(p.data() + 24, &checksum, 2);
}

}  // namespace

TEST_CASE("A7: what emit writes parse reads back, over IPv4, IPv6 and VLAN, with every set of options") {
  for (const bool is_v6 : {false, true}) {
    for (const std::uint16_t vlan : {std::uint16_t{0}, std::uint16_t{77}}) {
      for (unsigned set = 0; set < 32; ++set) {
        Sample sample(is_v6, vlan, set * 3);
        wire::TcpOptions& o = sample.header.options;
        if ((set & 1) != 0) o.mss = 1431;
        if ((set & 2) != 0) o.window_scale = 9;
        if ((set & 4) != 0) o.has_sack_permitted = true;
        if ((set & 8) != 0) o.has_timestamps = true, o.ts_value = 0xdead'beef, o.ts_echo = 5;
        if ((set & 16) != 0 && (set & 7) == 0) {
          o.sack_count = 3;
          o.sack[0] = {SeqNum{1}, SeqNum{9}};
          o.sack[1] = {SeqNum{20}, SeqNum{30}};
          o.sack[2] = {SeqNum{0xffff'fff0}, SeqNum{3}};
        }
        auto packet = sample.packet();
        wire::Segment s;
        REQUIRE(wire::parse(packet, s) == ParseError::none);
        CHECK(s.source == sample.source);
        CHECK(s.destination == sample.destination);
        CHECK(s.source_port == 443);
        CHECK(s.destination_port == 50'000);
        CHECK(s.seq == SeqNum{0xffff'fff0});
        CHECK(s.ack == SeqNum{17});
        CHECK(s.window == 4096);
        CHECK(s.flags == sample.header.flags);
        CHECK(s.ttl == 61);
        CHECK(s.traffic_class == 0x2d);
        CHECK(s.source_mac == sample.header.source_mac);
        CHECK(s.payload_bytes == sample.payload.size());
        CHECK(std::equal(sample.payload.begin(), sample.payload.end(), s.payload));
        CHECK(s.options.mss == o.mss);
        CHECK(s.options.window_scale == o.window_scale);
        CHECK(s.options.has_sack_permitted == o.has_sack_permitted);
        CHECK(s.options.has_timestamps == o.has_timestamps);
        CHECK(s.options.ts_value == o.ts_value);
        REQUIRE(s.options.sack_count == o.sack_count);
        for (std::size_t i = 0; i < o.sack_count; ++i) CHECK((s.options.sack[i].begin == o.sack[i].begin && s.options.sack[i].end == o.sack[i].end));
        if (vlan == 0) {
          const sim::Decoded decoded = sim::decode(packet);
          CHECK(decoded.kind == sim::Decoding::tcp);
          CHECK(decoded.segment.payload.size() == sample.payload.size());
        }
      }
    }
  }
}

TEST_CASE("every cut of a packet is refused, and nothing is read behind its end") {
  for (const bool is_v6 : {false, true}) {
    for (const std::uint16_t vlan : {std::uint16_t{0}, std::uint16_t{77}}) {
      const auto whole = Sample(is_v6, vlan).packet();
      for (std::size_t n = 0; n < whole.size(); ++n) {
        std::vector<std::uint8_t> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n));
        part.shrink_to_fit();
        CAPTURE(n);
        CHECK(parse(part) != ParseError::none);
      }
    }
  }
}

TEST_CASE("padding behind the IP length is not payload") {
  auto packet = Sample(false, 0, 1).packet();
  packet.resize(packet.size() + 20, 0xee);
  wire::Segment s;
  REQUIRE(wire::parse(packet, s) == ParseError::none);
  CHECK(s.payload_bytes == 1);
}

TEST_CASE("IPv4 and TCP header lengths are held to both bounds") {
  const auto good = Sample(false).packet();
  for (std::uint8_t words = 0; words < 16; ++words) {
    auto p = good;
    p[14] = static_cast<std::uint8_t>(0x40 | words);
    if (words >= 5 && 14U + words * 4U <= p.size()) mend_ipv4(p);
    CHECK((parse(p) == ParseError::none) == (words == 5));
    auto t = good;
    t[14 + 20 + 12] = static_cast<std::uint8_t>(words << 4);
    if (words < 5) CHECK(parse(t) == ParseError::bad_length);
  }
  auto small = good;
  store_be16(small.data() + 16, 19);
  mend_ipv4(small);
  CHECK(parse(small) == ParseError::bad_length);
  auto large = good;
  store_be16(large.data() + 16, static_cast<std::uint16_t>(good.size() - 14 + 1));
  mend_ipv4(large);
  CHECK(parse(large) == ParseError::bad_length);
}

TEST_CASE("fragments, other protocols and other ether types are told apart") {
  const auto good = Sample(false).packet();
  for (const std::uint16_t bits : {std::uint16_t{0x2000}, std::uint16_t{0x0001}, std::uint16_t{0x1fff}}) {
    auto p = good;
    store_be16(p.data() + 20, bits);
    mend_ipv4(p);
    CHECK(parse(p) == ParseError::fragment);
  }
  auto udp = good;
  udp[23] = 17;
  mend_ipv4(udp);
  CHECK(parse(udp) == ParseError::not_tcp);
  auto arp = good;
  store_be16(arp.data() + 12, 0x0806);
  CHECK(parse(arp) == ParseError::not_tcp);
  auto hop_by_hop = Sample(true).packet();
  hop_by_hop[14 + 6] = 0;
  CHECK(parse(hop_by_hop) == ParseError::not_tcp);
}

TEST_CASE("nobody speaks for an IPv4 host over IPv6") {
  for (const std::size_t at : {std::size_t{14 + 8}, std::size_t{14 + 24}}) {
    auto p = Sample(true).packet();
    REQUIRE(parse(p) == ParseError::none);
    const std::uint8_t mapped[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 0, 2};
    std::copy(mapped, mapped + 16, p.begin() + static_cast<std::ptrdiff_t>(at));
    sim::mend_checksums(p);
    CHECK(parse(p) == ParseError::not_tcp);
  }
}

TEST_CASE("a flipped bit anywhere behind the Ethernet header is noticed") {
  for (const bool is_v6 : {false, true}) {
    const auto good = Sample(is_v6).packet();
    for (std::size_t i = 14; i < good.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        auto p = good;
        p[i] = static_cast<std::uint8_t>(p[i] ^ (1 << bit));
        wire::Segment s;
        const bool is_class_or_hops = is_v6 && (i < 18 || i == 21);  // IPv6 has no checksum over class, flow label and hop limit
        if (!is_class_or_hops) CHECK(wire::parse(p, s) != ParseError::none);
      }
    }
  }
}

TEST_CASE("malformed options end the list; what came before them stands") {
  const auto parsed = [](std::vector<std::uint8_t> bytes) {
    wire::TcpOptions out;
    wire::parse_options(bytes, out);
    return out;
  };
  CHECK(parsed({2, 4, 5, 0xb4}).mss == 1460);
  CHECK(parsed({1, 1, 2, 4, 5, 0xb4}).mss == 1460);
  CHECK(parsed({0, 2, 4, 5, 0xb4}).mss == 0);
  CHECK(parsed({2, 4, 5}).mss == 0);
  CHECK(parsed({2}).mss == 0);
  CHECK(parsed({2, 0, 2, 4, 5, 0xb4}).mss == 0);
  CHECK(parsed({2, 1, 2, 4, 5, 0xb4}).mss == 0);
  CHECK(parsed({2, 3, 5, 2, 4, 5, 0xb4}).mss == 1460);  // a wrong length, but sound: skipped
  CHECK(parsed({2, 4, 5, 0xb4, 8, 255}).mss == 1460);
  CHECK(parsed({3, 3, 200}).window_scale == 14);
  CHECK(parsed({8, 10, 0, 0, 0, 1, 0, 0, 0, 2}).ts_echo == 2);
  CHECK_FALSE(parsed({8, 9, 0, 0, 0, 1, 0, 0, 0}).has_timestamps);
  CHECK(parsed({5, 10, 0, 0, 0, 1, 0, 0, 0, 2}).sack_count == 1);
  CHECK(parsed({5, 11, 0, 0, 0, 1, 0, 0, 0, 2, 0}).sack_count <= 1);
  CHECK(parsed({19, 18}).has_signature == false);
  std::vector<std::uint8_t> five{5, 42};
  five.resize(42, 1);
  CHECK(parsed(five).sack_count <= 4);
  std::vector<std::uint8_t> md5{19, 18};
  md5.resize(18, 0);
  CHECK(parsed(md5).has_signature);
}
