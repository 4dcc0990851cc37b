// What the kernel knows of one network device, and the offloads that must not meet a packet port.
// Not here: routes and neighbours (next_hop). Thread: control thread. Used by: the ports when they open, `doctor`
// through the add-on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

namespace cutwater::port {

enum class OffloadState : std::uint8_t { off, on, unknown };  // unknown: the driver does not say

/// Offloads that make "packets" which never were on a wire: longer than the MTU, or with half a checksum.
struct Offloads {
  OffloadState tso = OffloadState::unknown;  // cuts long TCP "packets" on the way out
  OffloadState gso = OffloadState::unknown;  // the same in software
  OffloadState gro = OffloadState::unknown;  // joins packets on the way in
  OffloadState lro = OffloadState::unknown;  // the same in hardware
  OffloadState tx_checksum =
      OffloadState::unknown;  // leaves checksums to the device: on veth nobody ever fills them in
  OffloadState rx_checksum = OffloadState::unknown;
  OffloadState rx_vlan = OffloadState::unknown;  // takes the tag off before XDP can see it
  OffloadState tx_vlan = OffloadState::unknown;  // leaves the tag to the device: on veth it is never put on
};

struct LinkInfo {
  std::string name;
  std::uint32_t ifindex = 0;
  std::uint32_t mtu = 0;
  MacAddress mac{};
  bool is_up = false;
  std::string driver;  // "veth", "ice", … "" when the driver does not say
  std::uint32_t rx_queues = 1;
  Offloads offloads;
};

/// Errors: no such device, not an Ethernet device.
Result<LinkInfo, std::string> read_link(std::string_view device);

/// Names of those that are on and harm a port here, as ethtool calls them: "tx", "gso", … An empty list is what a port
/// wants. On veth the other end counts just as much, and only its own namespace can see it.
std::vector<std::string> harmful_offloads(const LinkInfo& link);

/// Turns tso, gso, gro, lro, tx and rx checksums off, and both VLAN offloads.
/// Returns: what the device still has on afterwards (some drivers fix a feature). Errors: no such device, no
/// permission.
Result<Offloads, std::string> set_offloads_off(std::string_view device);

}  // namespace cutwater::port
