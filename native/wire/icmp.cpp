#include "wire/icmp.hpp"

#include <algorithm>

#include "wire/checksum.hpp"

namespace cutwater::wire {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800, kEtherIpv6 = 0x86dd, kEtherVlan = 0x8100;
constexpr std::uint8_t kUnreachable = 3, kFragmentationNeeded = 4, kPacketTooBigV6 = 2;
constexpr std::size_t kIcmpBytes = 8, kQuotedTcpBytes = 8;  // ports and sequence number: what RFC 792 guarantees

bool parse_v4(Bytes ip, TooBig& out) noexcept {
  if (ip.size() < kIpv4Bytes) return false;
  const std::size_t header_bytes = static_cast<std::size_t>(ip[0] & 0x0f) * 4;
  const std::size_t total_bytes = load_be16(ip.data() + 2);
  if (header_bytes < kIpv4Bytes || total_bytes > ip.size() || total_bytes < header_bytes + kIcmpBytes + kIpv4Bytes + kQuotedTcpBytes) return false;
  if (ip[9] != kProtocolIcmp || (load_be16(ip.data() + 6) & 0x3fff) != 0) return false;
  if (fold(sum(ip.first(header_bytes))) != 0) return false;
  const Bytes icmp = ip.subspan(header_bytes, total_bytes - header_bytes);
  if (icmp[0] != kUnreachable || icmp[1] != kFragmentationNeeded || fold(sum(icmp)) != 0) return false;
  const Bytes quoted = icmp.subspan(kIcmpBytes);
  const std::size_t quoted_header = static_cast<std::size_t>(quoted[0] & 0x0f) * 4;
  if ((quoted[0] >> 4) != 4 || quoted_header < kIpv4Bytes || quoted.size() < quoted_header + kQuotedTcpBytes) return false;
  if (quoted[9] != kProtocolTcp || (load_be16(quoted.data() + 6) & 0x1fff) != 0) return false;
  const std::uint8_t* tcp = quoted.data() + quoted_header;
  out = {.router = IpAddress::from_v4(ip.data() + 12),
         .source = IpAddress::from_v4(quoted.data() + 12),
         .destination = IpAddress::from_v4(quoted.data() + 16),
         .source_port = load_be16(tcp),
         .destination_port = load_be16(tcp + 2),
         .seq = SeqNum{load_be32(tcp + 4)},
         .mtu = load_be16(icmp.data() + 6),
         .ttl = ip[8]};
  return true;
}

bool parse_v6(Bytes ip, TooBig& out) noexcept {
  if (ip.size() < kIpv6Bytes) return false;
  const std::size_t payload_bytes = load_be16(ip.data() + 4);
  if (kIpv6Bytes + payload_bytes > ip.size() || payload_bytes < kIcmpBytes + kIpv6Bytes + kQuotedTcpBytes) return false;
  if (ip[6] != kProtocolIcmpV6) return false;
  const Bytes icmp = ip.subspan(kIpv6Bytes, payload_bytes);
  const IpAddress from = IpAddress::from_v6(ip.data() + 8), to = IpAddress::from_v6(ip.data() + 24);
  if (icmp[0] != kPacketTooBigV6 || icmp[1] != 0) return false;
  if (fold(pseudo_header_sum(from, to, kProtocolIcmpV6, static_cast<std::uint32_t>(icmp.size())) + sum(icmp)) != 0) return false;
  const Bytes quoted = icmp.subspan(kIcmpBytes);
  if ((quoted[0] >> 4) != 6 || quoted[6] != kProtocolTcp) return false;
  const std::uint8_t* tcp = quoted.data() + kIpv6Bytes;
  out = {.router = from,
         .source = IpAddress::from_v6(quoted.data() + 8),
         .destination = IpAddress::from_v6(quoted.data() + 24),
         .source_port = load_be16(tcp),
         .destination_port = load_be16(tcp + 2),
         .seq = SeqNum{load_be32(tcp + 4)},
         .mtu = load_be32(icmp.data() + 4),
         .ttl = ip[7]};
  return !out.router.is_v4() && !out.source.is_v4() && !out.destination.is_v4();  // IPv4 in disguise: as in tcp.cpp
}

void put_ipv4(std::uint8_t* p, const IpAddress& from, const IpAddress& to, std::uint8_t protocol, std::uint8_t ttl,
              std::size_t total_bytes) noexcept {
  std::memset(p, 0, kIpv4Bytes);
  p[0] = 0x45;
  store_be16(p + 2, static_cast<std::uint16_t>(total_bytes));
  store_be16(p + 6, 0x4000);
  p[8] = ttl, p[9] = protocol;
  std::memcpy(p + 12, from.v4(), 4);
  std::memcpy(p + 16, to.v4(), 4);
  const std::uint16_t checksum = fold(sum_slow({p, kIpv4Bytes}));
  std::memcpy(p + 10, &checksum, 2);
}

void put_ipv6(std::uint8_t* p, const IpAddress& from, const IpAddress& to, std::uint8_t protocol, std::uint8_t ttl,
              std::size_t payload_bytes) noexcept {
  store_be32(p, 0x6000'0000U);
  store_be16(p + 4, static_cast<std::uint16_t>(payload_bytes));
  p[6] = protocol, p[7] = ttl;
  std::memcpy(p + 8, from.bytes.data(), 16);
  std::memcpy(p + 24, to.bytes.data(), 16);
}

}  // namespace

bool parse_too_big(Bytes packet, TooBig& out) noexcept {
  if (packet.size() < kEthernetBytes + kVlanBytes) return false;
  std::size_t at = kEthernetBytes;
  std::uint16_t type = load_be16(packet.data() + 12);
  if (type == kEtherVlan) {
    type = load_be16(packet.data() + 16);
    at += kVlanBytes;
  }
  if (type == kEtherIpv4) return parse_v4(packet.subspan(at), out);
  return type == kEtherIpv6 && parse_v6(packet.subspan(at), out);
}

std::size_t emit_too_big(const TooBig& t, const MacAddress& source, const MacAddress& destination, std::uint16_t vlan,
                         std::uint8_t* out) noexcept {
  const bool is_v4 = t.source.is_v4();
  const std::size_t ip_bytes = is_v4 ? kIpv4Bytes : kIpv6Bytes;
  std::memcpy(out, destination.data(), 6);
  std::memcpy(out + 6, source.data(), 6);
  std::uint8_t* p = out + 12;
  if (vlan != 0) {
    store_be16(p, kEtherVlan);
    store_be16(p + 2, vlan);
    p += kVlanBytes;
  }
  store_be16(p, is_v4 ? kEtherIpv4 : kEtherIpv6);
  std::uint8_t* ip = p + 2;
  std::uint8_t* icmp = ip + ip_bytes;
  std::uint8_t* quoted = icmp + kIcmpBytes;
  std::uint8_t* tcp = quoted + ip_bytes;
  const std::size_t icmp_bytes = kIcmpBytes + ip_bytes + kQuotedTcpBytes;
  std::memset(icmp, 0, kIcmpBytes);
  store_be16(tcp, t.source_port);
  store_be16(tcp + 2, t.destination_port);
  store_be32(tcp + 4, t.seq.value);
  const std::size_t quoted_total = std::max<std::size_t>(t.mtu + 1, ip_bytes + kTcpBytes);  // it was longer than what fits
  std::uint16_t checksum;
  if (is_v4) {
    put_ipv4(ip, t.router, t.source, kProtocolIcmp, t.ttl, kIpv4Bytes + icmp_bytes);
    put_ipv4(quoted, t.source, t.destination, kProtocolTcp, t.ttl, std::min<std::size_t>(quoted_total, 0xffff));
    icmp[0] = kUnreachable, icmp[1] = kFragmentationNeeded;
    store_be16(icmp + 6, static_cast<std::uint16_t>(std::min<std::uint32_t>(t.mtu, 0xffff)));
    checksum = fold(sum({icmp, icmp_bytes}));
  } else {
    put_ipv6(ip, t.router, t.source, kProtocolIcmpV6, t.ttl, icmp_bytes);
    put_ipv6(quoted, t.source, t.destination, kProtocolTcp, t.ttl, std::min<std::size_t>(quoted_total - ip_bytes, 0xffff));
    icmp[0] = kPacketTooBigV6;
    store_be32(icmp + 4, t.mtu);
    checksum = fold(pseudo_header_sum(t.router, t.source, kProtocolIcmpV6, static_cast<std::uint32_t>(icmp_bytes)) + sum({icmp, icmp_bytes}));
  }
  std::memcpy(icmp + 2, &checksum, 2);
  return static_cast<std::size_t>(tcp + kQuotedTcpBytes - out);
}

}  // namespace cutwater::wire
