#include "too_big.hpp"

#include <algorithm>

namespace relay {
namespace {

constexpr std::size_t kV4Bytes = 20, kV6Bytes = 40, kIcmpBytes = 8;
constexpr std::size_t kQuotedV4Bytes = 548;   // an answer has at most 576 bytes (RFC 1812 4.3.2.3)
constexpr std::size_t kQuotedV6Bytes = 1'232;  // and at most 1,280 (RFC 4443 2.4 c)
constexpr std::uint8_t kTtl = 64, kIcmp = 1, kIcmpV6 = 58;

std::uint16_t be16(std::span<const std::uint8_t> p, std::size_t at) { return static_cast<std::uint16_t>(p[at] << 8 | p[at + 1]); }

void put16(std::vector<std::uint8_t>& p, std::size_t at, std::size_t value) {
  p[at] = static_cast<std::uint8_t>(value >> 8);
  p[at + 1] = static_cast<std::uint8_t>(value);
}

std::uint32_t sum_of(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) sum += static_cast<std::uint32_t>(bytes[i] << 8 | (i + 1 < bytes.size() ? bytes[i + 1] : 0));
  return sum;
}

std::uint16_t checksum(std::uint32_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void swap_macs(std::span<const std::uint8_t> packet, std::vector<std::uint8_t>& out) {
  std::copy_n(packet.begin() + 6, 6, out.begin());
  std::copy_n(packet.begin(), 6, out.begin() + 6);
  std::copy_n(packet.begin() + 12, 2, out.begin() + 12);
}

//  [ Ethernet 14 ][ IPv4 20 ][ ICMP 8: 3, 4, sum, 0, mtu ][ start of the packet ]
std::vector<std::uint8_t> answer_v4(std::span<const std::uint8_t> packet, std::uint32_t mtu_bytes, const RouterAddress& from) {
  const auto ip = packet.subspan(kEthernetBytes);
  const bool must_not_fragment = (ip[6] & 0x40) != 0;
  if (!must_not_fragment) return {};
  const std::size_t quoted = std::min(ip.size(), kQuotedV4Bytes);
  std::vector<std::uint8_t> out(kEthernetBytes + kV4Bytes + kIcmpBytes + quoted);
  swap_macs(packet, out);
  out[14] = 0x45;
  put16(out, 16, out.size() - kEthernetBytes);
  out[22] = kTtl;
  out[23] = kIcmp;
  std::copy(from.v4.begin(), from.v4.end(), out.begin() + 26);
  std::copy_n(ip.begin() + 12, 4, out.begin() + 30);
  put16(out, 24, checksum(sum_of({out.data() + 14, kV4Bytes})));
  out[34] = 3;
  out[35] = 4;
  put16(out, 40, mtu_bytes);
  std::copy_n(ip.begin(), quoted, out.begin() + 42);
  put16(out, 36, checksum(sum_of({out.data() + 34, kIcmpBytes + quoted})));
  return out;
}

//  [ Ethernet 14 ][ IPv6 40 ][ ICMPv6 8: 2, 0, sum, mtu (32 bits) ][ start of the packet ]
std::vector<std::uint8_t> answer_v6(std::span<const std::uint8_t> packet, std::uint32_t mtu_bytes, const RouterAddress& from) {
  const auto ip = packet.subspan(kEthernetBytes);
  const std::size_t quoted = std::min(ip.size(), kQuotedV6Bytes);
  std::vector<std::uint8_t> out(kEthernetBytes + kV6Bytes + kIcmpBytes + quoted);
  swap_macs(packet, out);
  out[14] = 0x60;
  put16(out, 18, kIcmpBytes + quoted);
  out[20] = kIcmpV6;
  out[21] = kTtl;
  std::copy(from.v6.begin(), from.v6.end(), out.begin() + 22);
  std::copy_n(ip.begin() + 8, 16, out.begin() + 38);
  out[54] = 2;
  put16(out, 60, mtu_bytes);
  std::copy_n(ip.begin(), quoted, out.begin() + 62);
  const std::uint32_t pseudo = sum_of({out.data() + 22, 32}) + kIcmpV6 + static_cast<std::uint32_t>(kIcmpBytes + quoted);
  put16(out, 56, checksum(pseudo + sum_of({out.data() + 54, kIcmpBytes + quoted})));
  return out;
}

}  // namespace

bool is_ip(std::span<const std::uint8_t> packet) {
  if (packet.size() < kEthernetBytes + kV4Bytes || (packet[0] & 1) != 0) return false;
  const std::uint16_t type = be16(packet, 12);
  if (type == 0x0800) return true;
  if (type != 0x86dd || packet.size() < kEthernetBytes + kV6Bytes) return false;
  const bool is_neighbour_discovery = packet[20] == kIcmpV6 && packet[21] == 255;  // RFC 4861 7.1: hop limit 255
  return !is_neighbour_discovery;
}

std::vector<std::uint8_t> too_big_answer(std::span<const std::uint8_t> packet, std::uint32_t mtu_bytes, const RouterAddress& from) {
  return be16(packet, 12) == 0x0800 ? answer_v4(packet, mtu_bytes, from) : answer_v6(packet, mtu_bytes, from);
}

}  // namespace relay
