// TCP over IPv4 or IPv6 over Ethernet, as the path needs it: parsed once into host order, emitted whole.
// Every length is checked here, on both bounds, and nowhere else (RFC 9293 3.1, RFC 791 3.1, RFC 8200 3, RFC 2675 refused).
// Not here: who the packet belongs to. Thread: any.
#pragma once

#include <array>

#include "base/ip_address.hpp"
#include "base/seq_num.hpp"

namespace cutwater::wire {

inline constexpr std::uint8_t kFin = 0x01, kSyn = 0x02, kRst = 0x04, kPsh = 0x08, kAck = 0x10, kUrg = 0x20, kEce = 0x40,
                              kCwr = 0x80;
inline constexpr std::uint8_t kProtocolTcp = 6, kProtocolIcmp = 1, kProtocolIcmpV6 = 58;
inline constexpr std::size_t kEthernetBytes = 14, kVlanBytes = 4, kIpv4Bytes = 20, kIpv6Bytes = 40, kTcpBytes = 20,
                             kMaxTcpOptionBytes = 40;
inline constexpr std::size_t kMaxHeaderBytes = kEthernetBytes + kVlanBytes + kIpv6Bytes + kTcpBytes + kMaxTcpOptionBytes;

struct SackBlock {
  SeqNum begin, end;  // [begin, end)
};

/// Room for the blocks of one SACK option. Not written before it is used: few packets have one, and all would pay for the zeros.
class SackBlocks {
 public:
  static constexpr std::size_t kMost = 4;
  SackBlocks() noexcept {}  // NOLINT(modernize-use-equals-default): leaves the blocks as they are
  SackBlock& operator[](std::size_t i) noexcept { return blocks_[i]; }
  const SackBlock& operator[](std::size_t i) const noexcept { return blocks_[i]; }
  [[nodiscard]] const SackBlock* data() const noexcept { return blocks_; }

 private:
  union {
    SackBlock blocks_[kMost];
  };
};

/// The options we let pass; all others end here (Fast Open, MPTCP, unknown). Source: RFC 9293 3.2, RFC 7323, RFC 2018.
struct TcpOptions {
  std::uint16_t mss = 0;          // 0: absent
  std::int8_t window_scale = -1;  // -1: absent; at most 14
  bool has_sack_permitted = false;
  bool has_timestamps = false;
  bool has_signature = false;     // TCP MD5 or AO: the segment cannot be changed by anyone
  std::uint8_t sack_count = 0;
  std::uint32_t ts_value = 0, ts_echo = 0;
  SackBlocks sack;  // the first sack_count of them
};

/// A received segment: numbers in host order, payload by place. 44 bytes of addresses stay in the packet's own order.
struct Segment {
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  SeqNum seq, ack;
  std::uint16_t window = 0;
  std::uint8_t flags = 0;
  std::uint8_t ttl = 64, traffic_class = 0;  // hop limit; DSCP and ECN
  MacAddress source_mac{};
  TcpOptions options;
  std::uint8_t* payload = nullptr;
  std::uint32_t payload_bytes = 0;

  [[nodiscard]] bool has(std::uint8_t flag) const noexcept { return (flags & flag) != 0; }
  /// Sequence numbers the segment occupies, SYN and FIN counted.
  [[nodiscard]] std::uint32_t length() const noexcept {
    return payload_bytes + (has(kSyn) ? 1U : 0U) + (has(kFin) ? 1U : 0U);
  }
  /// What is left of it without the first bytes of its payload. Requires: it has as many, and no SYN.
  [[nodiscard]] Segment behind(std::uint32_t bytes) const noexcept {
    Segment rest = *this;
    rest.seq += bytes;
    rest.payload += bytes;
    rest.payload_bytes -= bytes;
    return rest;
  }
};

enum class ParseError : std::uint8_t { none, not_tcp, short_header, bad_length, fragment, bad_checksum };

/// Parses an Ethernet packet (one VLAN tag at most) into `out`. Padding behind the IP length is left out.
/// Returns: none, or why not; `out` is then unspecified.
ParseError parse(MutableBytes packet, Segment& out) noexcept;

/// Parses TCP options. Malformed ones end the list, as stacks do. Exported for its fuzz target.
void parse_options(Bytes bytes, TcpOptions& out) noexcept;

/// What to put in front of a payload. Numbers in host order.
struct Header {
  MacAddress source_mac{}, destination_mac{};
  std::uint16_t vlan = 0;
  const IpAddress* source = nullptr;
  const IpAddress* destination = nullptr;
  std::uint16_t source_port = 0, destination_port = 0;
  SeqNum seq, ack;
  std::uint16_t window = 0;
  std::uint8_t flags = 0, ttl = 64, traffic_class = 0;
  TcpOptions options;
};

/// Writes all headers in front of the payload and the checksums into them.
///
///   before  [ headroom >= kMaxHeaderBytes ][ payload n ]
///   after   [ … ][ Ethernet, IP, TCP      ][ payload n ]
///
/// Returns: the new begin of the packet; it ends where the payload ends.
std::uint8_t* emit(const Header& header, std::uint8_t* payload, std::uint32_t payload_bytes) noexcept;

/// Bytes the options will take, padded to four.
inline std::size_t option_bytes(const TcpOptions& o) noexcept {
  return (o.mss != 0 ? 4U : 0U) + (o.window_scale >= 0 ? 4U : 0U) + (o.has_sack_permitted ? 4U : 0U) +
         (o.has_timestamps ? 12U : 0U) + (o.sack_count != 0 ? 4U + 8U * o.sack_count : 0U);
}

}  // namespace cutwater::wire
