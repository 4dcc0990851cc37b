// Opens the devices of a configuration for all workers: one chunk pool and its ports for each, and what steers packets to them.
// Thread: control thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/config.hpp"
#include "engine/worker.hpp"
#include "port/port.hpp"

namespace cutwater::engine {

struct OpenPorts {
  std::vector<WorkerParts> workers;          // pool and ports filled in
  std::vector<port::PortReport> reports;     // in the order of EngineConfig::interfaces; those in use
  port::PortReport client_report, server_report;
  std::uint16_t client_vlan = 0, server_vlan = 0;
  std::uint32_t client_ifindex = 0;          // where virtual addresses are held: the device, or its VLAN device; 0: there is none
  std::string client_device_missing;         // then: what to do about it
  std::uint32_t server_ifindex = 0;          // whose routes and neighbours lead to the servers: the device, or its VLAN device
  std::vector<std::string> notes;
  std::vector<std::shared_ptr<port::Steering>> steering;  // client side, server side; one when the device is the same

  /// Replaces what the devices deliver to us.
  Result<bool, std::string> steer(const std::vector<port::Steer>& client_side, const std::vector<port::Steer>& server_side);
};

/// Errors: words for the operator, with the device's name. Leaves: every device as it was.
Result<OpenPorts, std::string> open_ports(const EngineConfig& config);

}  // namespace cutwater::engine
