// AF_PACKET with mapped rings: the port that needs neither a BPF program nor root of the machine, only CAP_NET_RAW and
// CAP_NET_ADMIN in the device's own network namespace (so a user namespace will do). One copy each way. TPACKET_V2, not
// V3: V3 hands packets over in blocks, and a lone packet waits for its block's timer (D-0010). The kernel sees the same
// packets; kernel_drop keeps its stack away from the steered ones. Thread: opened and steered by the control thread,
// else the owning worker's. Implements: H12.
#pragma once

#include <linux/if_packet.h>

#include <memory>
#include <string>

#include "port/kernel_drop.hpp"
#include "port/link.hpp"
#include "port/port.hpp"

namespace cutwater::port {

struct PacketConfig {
  std::string device;
  std::uint16_t vlan = 0;             // only packets with this tag; 0: only untagged ones
  std::uint32_t ring_packets = 2048;  // each way; 4 KiB each (a quarter of them, of 16 KiB, with a large MTU)
};

class PacketPort final : public Port, public Steering {
 public:
  /// Errors: no such device, no permission, MTU too large, another Cutwater process on the device. Leaves: the device
  /// as it was.
  static Result<std::unique_ptr<PacketPort>, std::string> open(const PacketConfig& config, ChunkPool& pool);
  ~PacketPort() override;
  PacketPort(const PacketPort&) = delete;
  PacketPort& operator=(const PacketPort&) = delete;

  std::size_t rx(std::span<Packet> burst) noexcept override;
  std::size_t tx(std::span<const Packet> burst) noexcept override;
  [[nodiscard]] int fd() const noexcept override { return fd_; }
  [[nodiscard]] const PortReport& report() const noexcept override { return report_; }
  [[nodiscard]] PortCounters counters() const noexcept override;

  Result<bool, std::string> steer(std::span<const Steer> endpoints) override;

 private:
  PacketPort(LinkInfo link, const PacketConfig& config, ChunkPool& pool);
  Result<bool, std::string> open_socket();
  Result<bool, std::string> map_rings();
  Result<bool, std::string> set_filter(std::span<const Steer> endpoints);
  Result<bool, std::string> start();
  [[nodiscard]] std::string failed(const char* what) const;

  [[nodiscard]] tpacket2_hdr* rx_slot(std::uint32_t number) const noexcept;
  [[nodiscard]] tpacket2_hdr* tx_slot(std::uint32_t number) const noexcept;
  void copy_in(const tpacket2_hdr& slot, Packet& packet) noexcept;
  bool is_unsent() const noexcept;

  LinkInfo link_;
  std::uint16_t vlan_;
  std::uint32_t slot_bytes_, ring_packets_;
  std::uint32_t max_rx_bytes_;
  ChunkPool& pool_;
  std::unique_ptr<KernelDrop> kernel_drop_;
  int fd_ = -1;
  std::uint8_t* rings_ = nullptr;  // the rx ring, then the tx ring
  std::uint32_t rx_next_ = 0, tx_next_ = 0;
  PortReport report_;
  PortCounters counters_;
  mutable std::uint64_t kernel_drops_ = 0;  // the kernel counts from zero each time it is asked
};

}  // namespace cutwater::port
