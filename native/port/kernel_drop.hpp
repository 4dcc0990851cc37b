// Keeps the kernel's own stack away from steered packets that a packet port only listens to: without it, the stack
// would answer them with RST or forward them a second time. An nftables table at the device's ingress, behind the tap,
// owned by this process: the kernel removes it when the process ends, however it ends, and lets nobody else change it.
// Used by: packet_port.cpp. Thread: control thread.
// Implements: H12.
#pragma once

#include <memory>
#include <string>

#include "port/link.hpp"
#include "port/port.hpp"

struct nft_ctx;

namespace cutwater::port {

class KernelDrop {
 public:
  /// Makes the table, empty. Errors: no permission, no nftables in this kernel, another process has the device.
  static Result<std::unique_ptr<KernelDrop>, std::string> open(const LinkInfo& link, std::uint16_t vlan);
  ~KernelDrop();
  KernelDrop(const KernelDrop&) = delete;
  KernelDrop& operator=(const KernelDrop&) = delete;

  /// Replaces the set of endpoints, in one transaction.
  Result<bool, std::string> replace(std::span<const Steer> endpoints);

 private:
  explicit KernelDrop(const LinkInfo& link);
  Result<bool, std::string> run(const std::string& commands);

  std::string device_;
  std::string table_;
  nft_ctx* context_ = nullptr;  // its netlink socket is the owner of the table
};

}  // namespace cutwater::port
