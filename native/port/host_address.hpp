// Addresses of this host: those it has, and virtual ones that it shall answer for while this process runs. The kernel answers ARP,
// neighbour solicitations, ping, and connections to ports that are no service's; packets of services never reach it.
// An address held here has a lifetime that renew() extends: when the process dies, however it dies, the kernel forgets it.
// Thread: control thread. Used by: engine. Implements: A8.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

struct mnl_socket;

namespace cutwater::port {

struct HostAddress {
  IpAddress address;
  std::uint32_t ifindex = 0;
  bool operator==(const HostAddress&) const = default;
};

class HostAddresses {
 public:
  /// Errors: netlink is not to be had.
  static Result<std::unique_ptr<HostAddresses>, std::string> open();
  ~HostAddresses();  // gives all held ones back
  HostAddresses(const HostAddresses&) = delete;
  HostAddresses& operator=(const HostAddresses&) = delete;

  /// Replaces the set of held addresses. One that the operator has given the host for good is left to the operator. A new one is asked
  /// for on its network first, and announced once it is held. Errors: another station has it; the kernel refuses it.
  /// Leaves: on an error, what was held before and those new ones that were free.
  Result<bool, std::string> hold(const std::vector<HostAddress>& wanted);
  /// Every few seconds: extends the lifetimes. Returns: addresses that another station answers for, too (IPv6 duplicate detection).
  std::vector<IpAddress> renew();
  /// All addresses of the host that it did not get here: what is sent to these is the kernel's.
  std::vector<IpAddress> own();

 private:
  HostAddresses() = default;
  struct Known {
    HostAddress at;
    bool is_permanent = false, is_duplicate = false;
  };
  std::vector<Known> read();
  std::vector<HostAddress> missing(const std::vector<HostAddress>& wanted, std::vector<HostAddress>& foreign);
  int change(const HostAddress& address, std::uint16_t type, std::uint16_t flags);
  [[nodiscard]] bool is_held(const IpAddress& address) const noexcept;

  mnl_socket* socket_ = nullptr;
  std::uint32_t sequence_ = 0;
  std::vector<HostAddress> held_;
};

}  // namespace cutwater::port
