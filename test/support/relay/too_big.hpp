// What a router says to a packet that does not fit: "fragmentation needed" (RFC 792, RFC 1191 4) or "packet too big"
// (RFC 4443 3.2). Written without the dataplane's own code, which is what it tests.
// Used by: main.cpp.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

namespace relay {

constexpr std::size_t kEthernetBytes = 14;

/// The addresses with which the relay speaks.
struct RouterAddress {
  std::array<std::uint8_t, 4> v4{};
  std::array<std::uint8_t, 16> v6{};
};

/// IPv4 or IPv6 with a whole header in an untagged Ethernet packet, neighbour discovery and other multicast not counted.
bool is_ip(std::span<const std::uint8_t> packet);

/// The answer to `packet`, to be sent back to where it came from. Empty when none is due: an IPv4 packet that may be fragmented.
/// Requires: is_ip().
std::vector<std::uint8_t> too_big_answer(std::span<const std::uint8_t> packet, std::uint32_t mtu_bytes, const RouterAddress& from);

}  // namespace relay
