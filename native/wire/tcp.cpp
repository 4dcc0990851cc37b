#include "wire/tcp.hpp"

#include <algorithm>
#include <new>

#include "wire/checksum.hpp"

namespace cutwater::wire {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800, kEtherIpv6 = 0x86dd, kEtherVlan = 0x8100, kEtherQinq = 0x88a8;
constexpr std::uint8_t kOptEnd = 0, kOptNop = 1, kOptMss = 2, kOptScale = 3, kOptSackPermitted = 4, kOptSack = 5,
                       kOptTimestamps = 8, kOptMd5 = 19, kOptAo = 29;
constexpr std::uint8_t kMaxWindowScale = 14;  // RFC 7323 2.3

ParseError parse_tcp(MutableBytes segment, Segment& out) noexcept {
  if (segment.size() < kTcpBytes) return ParseError::short_header;
  const std::uint8_t* p = segment.data();
  const std::size_t header_bytes = static_cast<std::size_t>(p[12] >> 4) * 4;
  if (header_bytes < kTcpBytes || header_bytes > segment.size()) return ParseError::bad_length;
  const std::uint64_t pseudo =
      pseudo_header_sum(out.source, out.destination, kProtocolTcp, static_cast<std::uint32_t>(segment.size()));
  if (fold(pseudo + sum(segment)) != 0) return ParseError::bad_checksum;
  out.source_port = load_be16(p);
  out.destination_port = load_be16(p + 2);
  out.seq = SeqNum{load_be32(p + 4)};
  out.ack = SeqNum{load_be32(p + 8)};
  out.flags = p[13];
  out.window = load_be16(p + 14);
  ::new (&out.options) TcpOptions{};  // in place: assigned, it would take the unwritten SACK blocks along
  parse_options({p + kTcpBytes, header_bytes - kTcpBytes}, out.options);
  out.payload = segment.data() + header_bytes;
  out.payload_bytes = static_cast<std::uint32_t>(segment.size() - header_bytes);
  return ParseError::none;
}

ParseError parse_ipv4(MutableBytes ip, Segment& out) noexcept {
  if (ip.size() < kIpv4Bytes) return ParseError::short_header;
  const std::uint8_t* p = ip.data();
  const std::size_t header_bytes = static_cast<std::size_t>(p[0] & 0x0f) * 4;
  const std::size_t total_bytes = load_be16(p + 2);
  if ((p[0] >> 4) != 4 || header_bytes < kIpv4Bytes || total_bytes < header_bytes || total_bytes > ip.size()) {
    return ParseError::bad_length;
  }
  if (p[9] != kProtocolTcp) return ParseError::not_tcp;
  if ((load_be16(p + 6) & 0x3fff) != 0) return ParseError::fragment;  // more fragments, or an offset
  if (fold(sum_words(p, header_bytes)) != 0) return ParseError::bad_checksum;
  out.traffic_class = p[1];
  out.ttl = p[8];
  out.source = IpAddress::from_v4(p + 12);
  out.destination = IpAddress::from_v4(p + 16);
  return parse_tcp(ip.subspan(header_bytes, total_bytes - header_bytes), out);
}

// Extension headers before TCP are not steered here by the XDP program; a packet that has one is not ours. Nor is one with an IPv4
// address in IPv6's clothes: inside they stand for IPv4, and nobody may speak for an IPv4 host over IPv6 (RFC 4942 2.2).
ParseError parse_ipv6(MutableBytes ip, Segment& out) noexcept {
  if (ip.size() < kIpv6Bytes) return ParseError::short_header;
  const std::uint8_t* p = ip.data();
  const std::size_t payload_bytes = load_be16(p + 4);
  if ((p[0] >> 4) != 6 || kIpv6Bytes + payload_bytes > ip.size()) return ParseError::bad_length;
  if (p[6] != kProtocolTcp) return ParseError::not_tcp;
  out.traffic_class = static_cast<std::uint8_t>((p[0] << 4) | (p[1] >> 4));
  out.ttl = p[7];
  out.source = IpAddress::from_v6(p + 8);
  out.destination = IpAddress::from_v6(p + 24);
  if (out.source.is_v4() || out.destination.is_v4()) return ParseError::not_tcp;
  return parse_tcp(ip.subspan(kIpv6Bytes, payload_bytes), out);
}

constexpr std::uint32_t word(std::uint32_t high, std::uint32_t low) noexcept { return high << 16 | low; }
constexpr std::uint32_t word(std::uint32_t a, std::uint32_t b, std::uint32_t low) noexcept { return a << 24 | b << 16 | low; }

// Writes a header in words of four bytes and adds them up while they are in registers: what was just stored cannot be loaded
// again without waiting for it (bench/path/path_bench).
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

void put_options(const TcpOptions& o, HeaderWriter& to) noexcept {
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

void put_ipv4(const Header& h, std::uint8_t* p, std::size_t total_bytes) noexcept {
  HeaderWriter to(p);
  to.put(word(0x45, h.traffic_class, static_cast<std::uint16_t>(total_bytes)));
  to.put(0x4000);  // atomic datagram: the identification means nothing (RFC 6864 4.1); do not fragment
  to.put(word(h.ttl, kProtocolTcp, 0));
  to.put_bytes(h.source->v4());
  to.put_bytes(h.destination->v4());
  const std::uint16_t checksum = fold(to.sum());
  std::memcpy(p + 10, &checksum, 2);
}

void put_ipv6(const Header& h, std::uint8_t* p, std::size_t payload_bytes) noexcept {
  store_be32(p, 0x6000'0000U | (static_cast<std::uint32_t>(h.traffic_class) << 20));
  store_be16(p + 4, static_cast<std::uint16_t>(payload_bytes));
  p[6] = kProtocolTcp, p[7] = h.ttl;
  std::memcpy(p + 8, h.source->bytes.data(), 16);
  std::memcpy(p + 24, h.destination->bytes.data(), 16);
}

}  // namespace

void parse_options(Bytes bytes, TcpOptions& out) noexcept {
  constexpr std::size_t kStampsAlone = 12;  // how RFC 7323 A lays them out, and how every stack sends them on its data
  if (bytes.size() == kStampsAlone && load_be32(bytes.data()) == word(kOptNop, kOptNop, kOptTimestamps << 8 | 10)) {
    out.has_timestamps = true;
    out.ts_value = load_be32(bytes.data() + 4);
    out.ts_echo = load_be32(bytes.data() + 8);
    return;
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::uint8_t kind = bytes[at];
    if (kind == kOptEnd) return;
    if (kind == kOptNop) {
      ++at;
      continue;
    }
    if (at + 2 > bytes.size()) return;
    const std::size_t length = bytes[at + 1];
    if (length < 2 || at + length > bytes.size()) return;
    const std::uint8_t* value = bytes.data() + at + 2;
    if (kind == kOptMss && length == 4) out.mss = load_be16(value);
    if (kind == kOptScale && length == 3) out.window_scale = static_cast<std::int8_t>(std::min(value[0], kMaxWindowScale));
    if (kind == kOptSackPermitted && length == 2) out.has_sack_permitted = true;
    if (kind == kOptTimestamps && length == 10) {
      out.has_timestamps = true;
      out.ts_value = load_be32(value);
      out.ts_echo = load_be32(value + 4);
    }
    if (kind == kOptSack && length >= 10 && (length - 2) % 8 == 0 && length <= 34) {
      out.sack_count = static_cast<std::uint8_t>((length - 2) / 8);
      for (std::size_t i = 0; i < out.sack_count; ++i) {
        out.sack[i] = {SeqNum{load_be32(value + 8 * i)}, SeqNum{load_be32(value + 8 * i + 4)}};
      }
    }
    if (kind == kOptMd5 || kind == kOptAo) out.has_signature = true;
    at += length;
  }
}

ParseError parse(MutableBytes packet, Segment& out) noexcept {
  if (packet.size() < kEthernetBytes) return ParseError::short_header;
  std::memcpy(out.source_mac.data(), packet.data() + 6, 6);
  std::uint16_t type = load_be16(packet.data() + 12);
  std::size_t at = kEthernetBytes;
  if (type == kEtherVlan || type == kEtherQinq) {
    if (packet.size() < at + kVlanBytes) return ParseError::short_header;
    type = load_be16(packet.data() + at + 2);
    at += kVlanBytes;
  }
  if (type == kEtherIpv4) return parse_ipv4(packet.subspan(at), out);
  if (type == kEtherIpv6) return parse_ipv6(packet.subspan(at), out);
  return ParseError::not_tcp;
}

std::size_t option_bytes(const TcpOptions& o) noexcept {
  return (o.mss != 0 ? 4U : 0U) + (o.window_scale >= 0 ? 4U : 0U) + (o.has_sack_permitted ? 4U : 0U) +
         (o.has_timestamps ? 12U : 0U) + (o.sack_count != 0 ? 4U + 8U * o.sack_count : 0U);
}

std::uint8_t* emit(const Header& h, std::uint8_t* payload, std::uint32_t payload_bytes) noexcept {
  const std::size_t tcp_bytes = kTcpBytes + option_bytes(h.options);
  std::uint8_t* tcp = payload - tcp_bytes;
  HeaderWriter to(tcp);
  to.put(word(h.source_port, h.destination_port));
  to.put(h.seq.value);
  to.put(h.ack.value);
  to.put(word(static_cast<std::uint32_t>(tcp_bytes / 4) << 4, h.flags, h.window));
  to.put(0);  // checksum, urgent pointer
  put_options(h.options, to);

  const std::size_t segment_bytes = tcp_bytes + payload_bytes;
  const std::uint64_t pseudo =
      pseudo_header_sum(*h.source, *h.destination, kProtocolTcp, static_cast<std::uint32_t>(segment_bytes));
  const std::uint16_t checksum = fold(pseudo + to.sum() + sum({payload, payload_bytes}));
  std::memcpy(tcp + 16, &checksum, 2);

  const bool is_v4 = h.source->is_v4();
  std::uint8_t* ip = tcp - (is_v4 ? kIpv4Bytes : kIpv6Bytes);
  if (is_v4) {
    put_ipv4(h, ip, kIpv4Bytes + segment_bytes);
  } else {
    put_ipv6(h, ip, segment_bytes);
  }

  std::uint8_t* ethernet = ip - kEthernetBytes - (h.vlan != 0 ? kVlanBytes : 0);
  std::memcpy(ethernet, h.destination_mac.data(), 6);
  std::memcpy(ethernet + 6, h.source_mac.data(), 6);
  if (h.vlan != 0) {
    store_be16(ethernet + 12, kEtherVlan);
    store_be16(ethernet + 14, h.vlan);
  }
  store_be16(ip - 2, is_v4 ? kEtherIpv4 : kEtherIpv6);
  return ethernet;
}

}  // namespace cutwater::wire
