// The socket filter of a packet port: the same choice as the XDP program's (native/xdp/redirect.bpf.c), in classic BPF,
// which the kernel also takes from a user namespace. Pure: endpoints in, instructions out. Used by: packet_port.cpp.
// Thread: any. Implements: H12.
#pragma once

#include <linux/filter.h>

#include <string>
#include <vector>

#include "port/port.hpp"

namespace cutwater::port {

/// Accepts TCP of the endpoints on one VLAN (0: untagged) that is sent to this host's own hardware address, whole
/// packets only, and the ICMP errors about its size. Errors: more endpoints than a classic filter has room for (some
/// 700 IPv4 or 300 IPv6 ones).
Result<std::vector<sock_filter>, std::string> packet_filter(std::span<const Steer> endpoints, std::uint16_t vlan);

}  // namespace cutwater::port
