// Where packets enter and leave. One virtual call per burst, none per packet (D-0001).
// Implementations: xsk_port, packet_port, memory_port, pcap_port, dpdk_port. Thread: owning worker, except report().
#pragma once

#include <string>

#include "base/ip_address.hpp"
#include "port/chunk_pool.hpp"

namespace cutwater::port {

inline constexpr std::size_t kBurst = 64;

/// What a port turned out to be, for the operator: never assumed, always read back.
struct PortReport {
  std::string device;       // interface name, or a file name
  std::string kind;         // "xsk" | "packet" | "memory" | "pcap" | "dpdk"
  std::string attach_mode;  // xsk: "driver" | "generic"; else ""
  std::string copy_mode;    // xsk: "zero-copy" | "copy"; else ""
  std::uint32_t queues = 1;
  std::uint32_t mtu = 1500;
  std::uint32_t ifindex = 0;
  MacAddress mac{};
};

class Port {
 public:
  virtual ~Port() = default;
  /// Fills `burst` with received packets. The caller owns their chunks from here. Refills the receive side from the pool.
  virtual std::size_t rx(std::span<Packet> burst) noexcept = 0;
  /// Sends packets. Takes all chunks, sent or not: what the ring does not admit goes back to the pool.
  /// Returns: how many were admitted (a prefix). Wakes the kernel when it asks; reclaims completions.
  virtual std::size_t tx(std::span<const Packet> burst) noexcept = 0;
  /// A descriptor that polls readable when rx() has work, or -1 when there is none to sleep on.
  [[nodiscard]] virtual int fd() const noexcept = 0;
  [[nodiscard]] virtual const PortReport& report() const noexcept = 0;
};

/// A TCP endpoint whose packets are ours; everything else stays with the kernel (H12).
struct Steer {
  enum class Match : std::uint8_t { destination, source };  // client side: to the service; server side: from the server
  Match match = Match::destination;
  IpAddress address;  // all zero bytes (v6 any): every address
  std::uint16_t port = 0;
};

}  // namespace cutwater::port
