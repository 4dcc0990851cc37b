// "Packet too big" of both families: ICMP type 3 code 4 (RFC 1191) and ICMPv6 type 2 (RFC 8201), read and written.
// Not here: whether to believe one. Thread: any.
#pragma once

#include "wire/tcp.hpp"

namespace cutwater::wire {

/// A router's word that a packet of ours did not fit, and which packet.
struct TooBig {
  IpAddress router;                  // who says so
  IpAddress source, destination;     // of the packet it quotes
  std::uint16_t source_port = 0, destination_port = 0;
  SeqNum seq;
  std::uint32_t mtu = 0;             // of the next hop, headers included
  std::uint8_t ttl = 64;
};

/// Returns: false when the packet is anything else, is cut short, fragmented, or its checksum is wrong.
bool parse_too_big(Bytes packet, TooBig& out) noexcept;

inline constexpr std::size_t kTooBigBytes = kEthernetBytes + kVlanBytes + kIpv6Bytes + 8 + kIpv6Bytes + 8;  // the longest
/// Writes a whole Ethernet packet at `out`, addressed from `too_big.router` to its quoted source.
/// Requires: room for kTooBigBytes. Returns: its length.
std::size_t emit_too_big(const TooBig& too_big, const MacAddress& source, const MacAddress& destination, std::uint16_t vlan,
                         std::uint8_t* out) noexcept;

}  // namespace cutwater::wire
