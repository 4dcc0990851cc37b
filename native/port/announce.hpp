// Whether an IPv4 address is somebody's on a network, and telling a network that an address is ours now, so that its stations do
// not go on sending to whoever had it before. IPv6 asks by itself: the kernel's duplicate detection.
// Source: RFC 826, RFC 5227 2.1.1 and 2.3; RFC 4861 7.2.6. Thread: control thread. Used by: host_address.cpp.
#pragma once

#include <optional>
#include <span>

#include "base/ip_address.hpp"

namespace cutwater::port {

struct Claim {
  IpAddress address;
  MacAddress station{};
};

/// Asks for IPv4 addresses without saying who asks (ARP probes), three times within 0.3 s however many they are.
/// Returns: the first station that answers; nullopt when nobody does, for IPv6, and where raw sockets are not allowed.
std::optional<Claim> who_has(std::span<const IpAddress> addresses, std::uint32_t ifindex);

/// Gratuitous ARP, or an unsolicited neighbour advertisement. Best effort.
void announce(const IpAddress& address, std::uint32_t ifindex);

}  // namespace cutwater::port
