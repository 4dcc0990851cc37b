// The headers of a TCP segment, read and written: the bodies of parse() and emit(), inlined where every packet passes, so that
// what a header says goes between registers and the packet.
// Thread: any. Used by: tcp.cpp, path/parse.cpp, splice/emit.cpp. Source: RFC 791, RFC 8200, RFC 9293 3.1.
#pragma once

#include <new>

#include "wire/checksum.hpp"
#include "wire/tcp.hpp"

namespace cutwater::wire {

inline constexpr std::uint16_t kEtherIpv4 = 0x0800, kEtherIpv6 = 0x86dd, kEtherVlan = 0x8100, kEtherQinq = 0x88a8;
inline constexpr std::uint8_t kOptEnd = 0, kOptNop = 1, kOptMss = 2, kOptScale = 3, kOptSackPermitted = 4, kOptSack = 5,
                       kOptTimestamps = 8, kOptMd5 = 19, kOptAo = 29;

constexpr std::uint32_t word(std::uint32_t high, std::uint32_t low) noexcept { return high << 16 | low; }
constexpr std::uint32_t word(std::uint32_t a, std::uint32_t b, std::uint32_t low) noexcept { return a << 24 | b << 16 | low; }

/// Writes a header in words of four bytes and adds them up while they are in registers: what was just stored cannot be loaded
/// again without waiting for it (bench/path/path_bench).
class HeaderWriter {
 public:
  explicit HeaderWriter(std::uint8_t* at) noexcept : at_(at) {}
  void put(std::uint32_t value) noexcept { put_as_is(__builtin_bswap32(value)); }
  void put_bytes(const std::uint8_t* four) noexcept {
    std::uint32_t value;
    std::memcpy(&value, four, 4);
    put_as_is(value);
  }
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_; }

 private:
  void put_as_is(std::uint32_t value) noexcept {
    std::memcpy(at_, &value, 4);
    sum_ += value;
    at_ += 4;
  }
  std::uint8_t* at_;
  std::uint64_t sum_ = 0;
};

inline void put_options(const TcpOptions& o, HeaderWriter& to) noexcept {
  constexpr std::uint32_t kTwoNops = word(kOptNop, kOptNop, 0);
  if (o.mss != 0) to.put(word(kOptMss, 4, o.mss));
  if (o.window_scale >= 0) to.put(word(kOptNop, kOptScale, word(0, 3U << 8 | static_cast<std::uint8_t>(o.window_scale))));
  if (o.has_sack_permitted) to.put(kTwoNops | kOptSackPermitted << 8 | 2);
  if (o.has_timestamps) {
    to.put(kTwoNops | kOptTimestamps << 8 | 10);
    to.put(o.ts_value);
    to.put(o.ts_echo);
  }
  if (o.sack_count != 0) {
    to.put(kTwoNops | kOptSack << 8 | (2U + 8U * o.sack_count));
    for (std::size_t i = 0; i < o.sack_count; ++i) {
      to.put(o.sack[i].begin.value);
      to.put(o.sack[i].end.value);
    }
  }
}

inline void put_ipv4(const Header& h, std::uint8_t* p, std::size_t total_bytes) noexcept {
  HeaderWriter to(p);
  to.put(word(0x45, h.traffic_class, static_cast<std::uint16_t>(total_bytes)));
  to.put(0x4000);  // atomic datagram: the identification means nothing (RFC 6864 4.1); do not fragment
  to.put(word(h.ttl, kProtocolTcp, 0));
  to.put_bytes(h.source->v4());
  to.put_bytes(h.destination->v4());
  const std::uint16_t checksum = fold(to.sum());
  std::memcpy(p + 10, &checksum, 2);
}

inline void put_ipv6(const Header& h, std::uint8_t* p, std::size_t payload_bytes) noexcept {
  store_be32(p, 0x6000'0000U | (static_cast<std::uint32_t>(h.traffic_class) << 20));
  store_be16(p + 4, static_cast<std::uint16_t>(payload_bytes));
  p[6] = kProtocolTcp, p[7] = h.ttl;
  std::memcpy(p + 8, h.source->bytes.data(), 16);
  std::memcpy(p + 24, h.destination->bytes.data(), 16);
}

/// `addresses`: their sum, the network layer's share of the checksum.
[[gnu::always_inline]] inline ParseError parse_tcp(std::uint8_t* p, std::size_t bytes, std::uint64_t addresses, Segment& out) noexcept {
  if (bytes < kTcpBytes) return ParseError::short_header;
  const std::size_t header_bytes = static_cast<std::size_t>(p[12] >> 4) * 4;
  if (header_bytes < kTcpBytes || header_bytes > bytes) return ParseError::bad_length;
  const std::uint64_t pseudo = addresses + pseudo_tail_sum(kProtocolTcp, static_cast<std::uint32_t>(bytes));
  if (fold(pseudo + sum({p, bytes})) != 0) return ParseError::bad_checksum;
  out.source_port = load_be16(p);
  out.destination_port = load_be16(p + 2);
  out.seq = SeqNum{load_be32(p + 4)};
  out.ack = SeqNum{load_be32(p + 8)};
  out.flags = p[13];
  out.window = load_be16(p + 14);
  ::new (&out.options) TcpOptions{};  // in place: assigned, it would take the unwritten SACK blocks along
  if (header_bytes != kTcpBytes) parse_options({p + kTcpBytes, header_bytes - kTcpBytes}, out.options);
  out.payload = p + header_bytes;
  out.payload_bytes = static_cast<std::uint32_t>(bytes - header_bytes);
  return ParseError::none;
}

[[gnu::always_inline]] inline ParseError parse_ipv4(std::uint8_t* p, std::size_t bytes, Segment& out) noexcept {
  if (bytes < kIpv4Bytes) return ParseError::short_header;
  const std::size_t header_bytes = static_cast<std::size_t>(p[0] & 0x0f) * 4;
  const std::size_t total_bytes = load_be16(p + 2);
  if ((p[0] >> 4) != 4 || header_bytes < kIpv4Bytes || total_bytes < header_bytes || total_bytes > bytes) {
    return ParseError::bad_length;
  }
  if (p[9] != kProtocolTcp) return ParseError::not_tcp;
  if ((load_be16(p + 6) & 0x3fff) != 0) return ParseError::fragment;  // more fragments, or an offset
  const std::uint64_t addresses = sum_words(p + 12, 8);
  if (fold(sum_words(p, 12) + addresses + sum_words(p + kIpv4Bytes, header_bytes - kIpv4Bytes)) != 0) return ParseError::bad_checksum;
  out.traffic_class = p[1];
  out.ttl = p[8];
  out.source = IpAddress::from_v4(p + 12);
  out.destination = IpAddress::from_v4(p + 16);
  return parse_tcp(p + header_bytes, total_bytes - header_bytes, addresses, out);
}

/// Extension headers before TCP are not steered here by the XDP program; a packet that has one is not ours. Nor is one with an IPv4
/// address in IPv6's clothes: inside they stand for IPv4, and nobody may speak for an IPv4 host over IPv6 (RFC 4942 2.2).
inline ParseError parse_ipv6(std::uint8_t* p, std::size_t bytes, Segment& out) noexcept {
  if (bytes < kIpv6Bytes) return ParseError::short_header;
  const std::size_t payload_bytes = load_be16(p + 4);
  if ((p[0] >> 4) != 6 || kIpv6Bytes + payload_bytes > bytes) return ParseError::bad_length;
  if (p[6] != kProtocolTcp) return ParseError::not_tcp;
  out.traffic_class = static_cast<std::uint8_t>((p[0] << 4) | (p[1] >> 4));
  out.ttl = p[7];
  out.source = IpAddress::from_v6(p + 8);
  out.destination = IpAddress::from_v6(p + 24);
  if (out.source.is_v4() || out.destination.is_v4()) return ParseError::not_tcp;
  return parse_tcp(p + kIpv6Bytes, payload_bytes, sum_words(p + 8, 32), out);
}

/// As parse().
[[gnu::always_inline]] inline ParseError read_headers(MutableBytes packet, Segment& out) noexcept {
  if (packet.size() < kEthernetBytes) return ParseError::short_header;
  std::memcpy(out.source_mac.data(), packet.data() + 6, 6);
  std::uint16_t type = load_be16(packet.data() + 12);
  std::size_t at = kEthernetBytes;
  if (type == kEtherVlan || type == kEtherQinq) {
    if (packet.size() < at + kVlanBytes) return ParseError::short_header;
    type = load_be16(packet.data() + at + 2);
    at += kVlanBytes;
  }
  if (type == kEtherIpv4) return parse_ipv4(packet.data() + at, packet.size() - at, out);
  if (type == kEtherIpv6) return parse_ipv6(packet.data() + at, packet.size() - at, out);
  return ParseError::not_tcp;
}

/// As emit().
[[gnu::always_inline]] inline std::uint8_t* write_headers(const Header& h, std::uint8_t* payload, std::uint32_t payload_bytes) noexcept {
  const std::size_t tcp_bytes = kTcpBytes + option_bytes(h.options);
  const std::size_t segment_bytes = tcp_bytes + payload_bytes;
  const bool is_v4 = h.source->is_v4();
  const std::uint64_t pseudo = pseudo_header_sum(*h.source, *h.destination, kProtocolTcp, static_cast<std::uint32_t>(segment_bytes));
  std::uint8_t* tcp = payload - tcp_bytes;
  HeaderWriter to(tcp);
  to.put(word(h.source_port, h.destination_port));
  to.put(h.seq.value);
  to.put(h.ack.value);
  to.put(word(static_cast<std::uint32_t>(tcp_bytes / 4) << 4, h.flags, h.window));
  to.put(0);  // checksum, urgent pointer
  if (tcp_bytes != kTcpBytes) put_options(h.options, to);

  const std::uint16_t checksum = fold(pseudo + to.sum() + sum({payload, payload_bytes}));
  std::memcpy(tcp + 16, &checksum, 2);

  std::uint8_t* ip = tcp;
  if (is_v4) {
    ip -= kIpv4Bytes;
    put_ipv4(h, ip, kIpv4Bytes + segment_bytes);
    store_be16(ip - 2, kEtherIpv4);
  } else {
    ip -= kIpv6Bytes;
    put_ipv6(h, ip, segment_bytes);
    store_be16(ip - 2, kEtherIpv6);
  }

  std::uint8_t* ethernet = ip - kEthernetBytes - (h.vlan != 0 ? kVlanBytes : 0);
  std::memcpy(ethernet, h.destination_mac.data(), 6);
  std::memcpy(ethernet + 6, h.source_mac.data(), 6);
  if (h.vlan != 0) {
    store_be16(ethernet + 12, kEtherVlan);
    store_be16(ethernet + 14, h.vlan);
  }
  return ethernet;
}

}  // namespace cutwater::wire
