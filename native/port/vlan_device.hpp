// The kernel's own device for a VLAN (lan.20 on lan). Packets of a VLAN pass us with their tag on, on the device below; but the
// addresses, routes and neighbours of that network belong to the VLAN's device. Thread: control thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace cutwater::port {

/// Returns: the index of the VLAN device with this tag on this device, in our network namespace; 0 when there is none.
std::uint32_t vlan_device(std::string_view device, std::uint16_t vlan);

}  // namespace cutwater::port
