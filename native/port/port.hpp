// Where packets enter and leave. One virtual call per burst, none per packet (D-0001).
// Implementations: xsk_port, packet_port, memory_port, pcap_port, dpdk_port. Thread: owning worker, except report().
#pragma once

#include <string>

#include "base/ip_address.hpp"
#include "base/result.hpp"
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

/// What a port itself lost or held back; whatever happens after rx() is counted by the path. Never reset.
struct PortCounters {
  std::uint64_t rx_oversize =
      0;  // longer than the MTU allows: an offload joins packets (operator: turn tso, gso, gro, lro off)
  std::uint64_t rx_pool_dry = 0;      // refills that found no chunk (operator: more chunks)
  std::uint64_t rx_kernel_drops = 0;  // the kernel found our ring full or no chunk to fill: the worker is too slow
  std::uint64_t tx_not_admitted = 0;  // tx ring full: the device is too slow
  std::uint64_t tx_invalid = 0;       // shorter than an Ethernet header or longer than kMaxPacketBytes (us)
};

class Port {
 public:
  virtual ~Port() = default;
  /// Fills `burst` with received packets. The caller owns their chunks from here. Refills the receive side from the
  /// pool.
  virtual std::size_t rx(std::span<Packet> burst) noexcept = 0;
  /// Sends packets. Takes all chunks, sent or not: what the ring does not admit goes back to the pool.
  /// Returns: how many were admitted (a prefix). Wakes the kernel when it asks; reclaims completions.
  virtual std::size_t tx(std::span<const Packet> burst) noexcept = 0;
  /// A descriptor that polls readable when rx() has work, or -1 when there is none to sleep on.
  [[nodiscard]] virtual int fd() const noexcept = 0;
  [[nodiscard]] virtual const PortReport& report() const noexcept = 0;
  /// Cost: may be a system call per queue; meant for once a second, not for once a turn.
  [[nodiscard]] virtual PortCounters counters() const noexcept { return {}; }
};

/// A TCP endpoint whose packets are ours; everything else stays with the kernel (H12).
///
/// The address ::ffff:0.0.0.0 stands for every IPv4 address and :: for every address at all. Beware: with match
/// `source` that also takes the answers to connections which this host itself opens to that port elsewhere, so it is
/// for hosts that open none.
struct Steer {
  /// destination: to the service, on the client side. source: from the server, on the server side. own: an address of this
  /// host, whose port does not matter: what a server sends there answers the host itself and stays with the kernel.
  enum class Match : std::uint8_t { destination, source, own };
  Match match = Match::destination;
  IpAddress address;  // all zero bytes (v6 any): every address
  std::uint16_t port = 0;
  bool operator==(const Steer&) const = default;
};

/// Decides which packets of a device come to its ports. Starts empty: until steer() is called, the kernel keeps
/// everything. Implementations: XdpRedirect (all xsk ports of a device), PacketPort (itself). Thread: control thread;
/// workers may be running.
class Steering {
 public:
  virtual ~Steering() = default;
  /// Replaces the whole set. Endpoints in both the old and the new set lose no packet in between.
  /// Errors: words for the operator. Leaves: the old set, or on a half-applied change the union of both.
  virtual Result<bool, std::string> steer(std::span<const Steer> endpoints) = 0;
};

}  // namespace cutwater::port
