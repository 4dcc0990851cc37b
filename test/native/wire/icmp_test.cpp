// "Packet too big" on the wire: what is written is read back, and nothing else is read as one.
#include "wire/icmp.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "wire/checksum.hpp"

namespace {

using namespace cutwater;

wire::TooBig sample(bool is_v4) {
  const std::uint8_t a[16] = {198, 51, 100, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const std::uint8_t b[16] = {203, 0, 113, 10, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3};
  const std::uint8_t c[16] = {192, 0, 2, 7, 4, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 6};
  const auto address = [&](const std::uint8_t* p) { return is_v4 ? IpAddress::from_v4(p) : IpAddress::from_v6(p); };
  return {.router = address(a), .source = address(b), .destination = address(c), .source_port = 80, .destination_port = 40000,
          .seq = SeqNum{0xfffffff0}, .mtu = 1400, .ttl = 61};
}

std::vector<std::uint8_t> packet_of(const wire::TooBig& told, std::uint16_t vlan) {
  std::vector<std::uint8_t> packet(wire::kTooBigBytes);
  packet.resize(wire::emit_too_big(told, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, vlan, packet.data()));
  return packet;
}

}  // namespace

TEST_CASE("A7: packet too big is read as it was written, IPv4 and IPv6, with a VLAN tag and without") {
  for (const bool is_v4 : {true, false}) {
    for (const std::uint16_t vlan : {std::uint16_t{0}, std::uint16_t{42}}) {
      CAPTURE(is_v4);
      CAPTURE(vlan);
      const wire::TooBig told = sample(is_v4);
      wire::TooBig read;
      REQUIRE(wire::parse_too_big(packet_of(told, vlan), read));
      CHECK(read.router == told.router);
      CHECK(read.source == told.source);
      CHECK(read.destination == told.destination);
      CHECK(read.source_port == told.source_port);
      CHECK(read.destination_port == told.destination_port);
      CHECK(read.seq == told.seq);
      CHECK(read.mtu == told.mtu);
    }
  }
}

TEST_CASE("A7: one bit wrong anywhere behind the link header, or one byte missing, and it is not believed") {
  for (const bool is_v4 : {true, false}) {
    CAPTURE(is_v4);
    const std::vector<std::uint8_t> good = packet_of(sample(is_v4), 0);
    wire::TooBig read;
    for (std::size_t n = 0; n < good.size(); ++n) {
      CAPTURE(n);
      CHECK_FALSE(wire::parse_too_big({good.data(), n}, read));
    }
    // IPv6 has no header checksum: traffic class, flow label and hop limit may be anything.
    const std::size_t first = wire::kEthernetBytes + (is_v4 ? 0 : wire::kIpv6Bytes);
    for (std::size_t bit = first * 8; bit < good.size() * 8; ++bit) {
      std::vector<std::uint8_t> bad = good;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      CAPTURE(bit);
      CHECK_FALSE(wire::parse_too_big(bad, read));
    }
  }
}

TEST_CASE("A7: a router of IPv6 does not speak of IPv4 hosts") {
  const std::uint8_t address[4] = {10, 1, 0, 2};
  const IpAddress mapped = IpAddress::from_v4(address);
  constexpr std::size_t kIcmp = wire::kEthernetBytes + wire::kIpv6Bytes, kQuoted = kIcmp + 8;
  for (const std::size_t at : {wire::kEthernetBytes + std::size_t{8}, kQuoted + 8, kQuoted + 24}) {  // router, quoted source, destination
    CAPTURE(at);
    std::vector<std::uint8_t> packet = packet_of(sample(false), 0);
    std::copy(mapped.bytes.begin(), mapped.bytes.end(), packet.begin() + static_cast<std::ptrdiff_t>(at));
    store_be16(packet.data() + kIcmp + 2, 0);
    const Bytes icmp = Bytes(packet).subspan(kIcmp);
    const IpAddress from = IpAddress::from_v6(packet.data() + wire::kEthernetBytes + 8), to = IpAddress::from_v6(packet.data() + wire::kEthernetBytes + 24);
    const std::uint16_t checksum = wire::fold(wire::pseudo_header_sum(from, to, wire::kProtocolIcmpV6, static_cast<std::uint32_t>(icmp.size())) + wire::sum_slow(icmp));
    std::memcpy(packet.data() + kIcmp + 2, &checksum, 2);
    wire::TooBig read;
    CHECK_FALSE(wire::parse_too_big(packet, read));
  }
}
