// The rings of a packet port. A slot belongs to the kernel or to us as its status word says; that word is the only
// thing shared. Source: Linux Documentation/networking/packet_mmap.rst.
#include "port/packet_port.hpp"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "port/packet_filter.hpp"
#include "wire/checksum.hpp"

namespace cutwater::port {
namespace {

constexpr std::uint32_t kBlockBytes = 1U << 16;  // the kernel allocates rings in blocks; any multiple of a slot will do
constexpr std::uint32_t kEthernetBytes = 14, kVlanBytes = 4, kMacsBytes = 12;
constexpr std::uint32_t kTxDataOffset =
    TPACKET2_HDRLEN - sizeof(sockaddr_ll);  // where the kernel looks for it in a tx slot

std::uint32_t load_status(const tpacket2_hdr& slot) noexcept {
  return __atomic_load_n(&slot.tp_status, __ATOMIC_ACQUIRE);  // pairs with the kernel's hand-over
}
void store_status(tpacket2_hdr& slot, std::uint32_t status) noexcept {
  __atomic_store_n(&slot.tp_status, status, __ATOMIC_RELEASE);  // what we read or wrote in the slot comes before
}

/// Finishes a TCP checksum that the sender left to a device which never came (veth with tx offload): the field holds
/// the pseudo header's share, so the sum over the segment with the field as it is completes it. Leaves all else than
/// whole TCP packets alone.
void complete_checksum(MutableBytes packet) noexcept {
  std::size_t at = kEthernetBytes;
  if (packet.size() < at + 40) return;
  std::uint16_t type = load_be16(packet.data() + kMacsBytes);
  if (type == ETH_P_8021Q) {
    type = load_be16(packet.data() + kMacsBytes + kVlanBytes);
    at += kVlanBytes;
  }
  std::size_t segment = 0, end = 0;
  if (type == ETH_P_IP) {
    segment = at + (packet[at] & 0x0fU) * 4U;
    end = at + load_be16(packet.data() + at + 2);
    if (packet[at + 9] != IPPROTO_TCP) return;
  } else if (type == ETH_P_IPV6) {
    segment = at + 40;
    end = segment + load_be16(packet.data() + at + 4);
    if (packet[at + 6] != IPPROTO_TCP) return;
  }
  if (segment == 0 || end > packet.size() || end < segment + 20) return;
  const std::uint16_t sum = wire::fold(wire::sum(packet.subspan(segment, end - segment)));
  std::memcpy(packet.data() + segment + 16, &sum, sizeof(sum));
}

}  // namespace

PacketPort::PacketPort(LinkInfo link, const PacketConfig& config, ChunkPool& pool)
    : link_(std::move(link)),
      vlan_(config.vlan),
      slot_bytes_(static_cast<std::uint32_t>(pool.chunk_bytes())),  // header, address and the longest packet fit
      ring_packets_(config.ring_packets / static_cast<std::uint32_t>(pool.chunk_bytes() / kChunkBytes)),  // the same memory
      max_rx_bytes_(link_.mtu + kEthernetBytes),  // without the tag; what is longer was joined by an offload
      pool_(pool) {
  report_.device = link_.name;
  report_.kind = "packet";
  report_.mtu = link_.mtu;
  report_.ifindex = link_.ifindex;
  report_.mac = link_.mac;
}

Result<std::unique_ptr<PacketPort>, std::string> PacketPort::open(const PacketConfig& config, ChunkPool& pool) {
  auto link = read_link(config.device);
  if (!link) return Failure{link.error()};
  if (link->mtu + kLinkHeaderBytes > pool.max_packet_bytes()) {
    const std::string most = std::to_string(pool.max_packet_bytes() - kLinkHeaderBytes);
    return Failure{link->name + ": MTU " + std::to_string(link->mtu) + " is more than a packet chunk holds; at most " + most +
                   " (`ip link set dev " + link->name + " mtu " + most + "`)"};
  }
  if (config.vlan > 4094)
    return Failure{link->name + ": VLAN " + std::to_string(config.vlan) + " does not exist; 1 to 4094, or 0 for none"};
  if (!std::has_single_bit(config.ring_packets) || config.ring_packets < kBlockBytes / kChunkBytes) {
    return Failure{std::string("ring_packets must be a power of two, at least 16")};
  }
  std::unique_ptr<PacketPort> port(new PacketPort(std::move(*link), config, pool));
  if (auto done = port->open_socket(); !done) return Failure{done.error()};
  if (auto done = port->map_rings(); !done) return Failure{done.error()};
  auto drop = KernelDrop::open(port->link_, config.vlan);
  if (!drop) return Failure{drop.error()};
  port->kernel_drop_ = std::move(*drop);
  if (auto done = port->start(); !done) return Failure{done.error()};
  return port;
}

PacketPort::~PacketPort() {
  if (rings_ != nullptr) ::munmap(rings_, std::size_t{2} * ring_packets_ * slot_bytes_);
  if (fd_ >= 0) ::close(fd_);
}

std::string PacketPort::failed(const char* what) const {
  if (errno == EPERM || errno == EACCES) return link_.name + ": no permission for packet sockets (CAP_NET_RAW)";
  return link_.name + ": " + what + ": " + std::strerror(errno);
}

Result<bool, std::string> PacketPort::open_socket() {
  fd_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);  // protocol 0: nothing arrives before bind
  if (fd_ < 0) return Failure{failed("packet socket")};
  const int version = TPACKET_V2;
  const int on = 1;
  if (::setsockopt(fd_, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) != 0)
    return Failure{failed("TPACKET_V2")};
  if (::setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0)
    return Failure{failed("PACKET_IGNORE_OUTGOING")};
  // A packet the device refuses is lost like any other, and does not stop those behind it.
  if (::setsockopt(fd_, SOL_PACKET, PACKET_LOSS, &on, sizeof(on)) != 0) return Failure{failed("PACKET_LOSS")};
  return true;
}

Result<bool, std::string> PacketPort::map_rings() {
  const tpacket_req request{.tp_block_size = kBlockBytes,
                            .tp_block_nr = ring_packets_ / (kBlockBytes / slot_bytes_),
                            .tp_frame_size = slot_bytes_,
                            .tp_frame_nr = ring_packets_};
  if (::setsockopt(fd_, SOL_PACKET, PACKET_RX_RING, &request, sizeof(request)) != 0) return Failure{failed("rx ring")};
  if (::setsockopt(fd_, SOL_PACKET, PACKET_TX_RING, &request, sizeof(request)) != 0) return Failure{failed("tx ring")};
  const std::size_t bytes = std::size_t{2} * ring_packets_ * slot_bytes_;
  void* rings = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd_, 0);
  if (rings == MAP_FAILED) return Failure{failed("ring memory")};
  rings_ = static_cast<std::uint8_t*>(rings);
  return true;
}

Result<bool, std::string> PacketPort::start() {
  if (auto done = set_filter({}); !done) return done;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(link_.ifindex);
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return Failure{failed("bind")};
  return true;
}

Result<bool, std::string> PacketPort::set_filter(std::span<const Steer> endpoints) {
  auto program = packet_filter(endpoints, vlan_);
  if (!program) return Failure{link_.name + ": " + program.error()};
  const sock_fprog filter{.len = static_cast<std::uint16_t>(program->size()), .filter = program->data()};
  if (::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) == 0) return true;
  if (errno == ENOMEM) {
    return Failure{link_.name + ": " + std::to_string(endpoints.size()) +
                   " endpoints make a filter larger than net.core.optmem_max allows"};
  }
  return Failure{failed("socket filter")};
}

Result<bool, std::string> PacketPort::steer(std::span<const Steer> endpoints) {
  // First the kernel lets go, then we take: the other way round it would answer a packet that we answer too.
  if (auto program = packet_filter(endpoints, vlan_); !program) return Failure{link_.name + ": " + program.error()};
  if (auto done = kernel_drop_->replace(endpoints); !done) return done;
  return set_filter(endpoints);
}

tpacket2_hdr* PacketPort::rx_slot(std::uint32_t number) const noexcept {
  return reinterpret_cast<tpacket2_hdr*>(rings_ + std::size_t{number} * slot_bytes_);
}

tpacket2_hdr* PacketPort::tx_slot(std::uint32_t number) const noexcept {
  return reinterpret_cast<tpacket2_hdr*>(rings_ + (std::size_t{ring_packets_} + number) * slot_bytes_);
}

std::size_t PacketPort::rx(std::span<Packet> burst) noexcept {
  std::size_t count = 0;
  while (count < burst.size()) {
    tpacket2_hdr& slot = *rx_slot(rx_next_);
    if ((load_status(slot) & TP_STATUS_USER) == 0) break;
    if (slot.tp_len > slot.tp_snaplen || slot.tp_len > max_rx_bytes_) {
      ++counters_.rx_oversize;
    } else {
      auto packet = pool_.take();
      if (!packet) {
        ++counters_.rx_pool_dry;  // it stays in the ring
        break;
      }
      copy_in(slot, *packet);
      burst[count++] = *packet;
    }
    store_status(slot, TP_STATUS_KERNEL);
    rx_next_ = (rx_next_ + 1) & (ring_packets_ - 1);
  }
  if (is_unsent()) ::send(fd_, nullptr, 0, MSG_DONTWAIT);
  return count;
}

/// Copies a packet out of its slot, with the VLAN tag back in its place and its checksum complete.
void PacketPort::copy_in(const tpacket2_hdr& slot, Packet& packet) noexcept {
  const std::uint8_t* from = reinterpret_cast<const std::uint8_t*>(&slot) + slot.tp_mac;
  if ((slot.tp_status & TP_STATUS_VLAN_VALID) != 0 && slot.tp_len >= kMacsBytes) {
    const std::uint16_t type =
        (slot.tp_status & TP_STATUS_VLAN_TPID_VALID) != 0 ? slot.tp_vlan_tpid : std::uint16_t{ETH_P_8021Q};
    std::memcpy(packet.data, from, kMacsBytes);
    store_be16(packet.data + kMacsBytes, type);
    store_be16(packet.data + kMacsBytes + 2, slot.tp_vlan_tci);
    std::memcpy(packet.data + kMacsBytes + kVlanBytes, from + kMacsBytes, slot.tp_len - kMacsBytes);
    packet.bytes = slot.tp_len + kVlanBytes;
  } else {
    std::memcpy(packet.data, from, slot.tp_len);
    packet.bytes = slot.tp_len;
  }
  if ((slot.tp_status & TP_STATUS_CSUMNOTREADY) != 0) complete_checksum(packet.view());
}

std::size_t PacketPort::tx(std::span<const Packet> burst) noexcept {
  std::size_t admitted = 0;
  for (; admitted < burst.size(); ++admitted) {
    const Packet& packet = burst[admitted];
    tpacket2_hdr& slot = *tx_slot(tx_next_);
    if (load_status(slot) != TP_STATUS_AVAILABLE) break;
    if (packet.bytes < kEthernetBytes || packet.bytes > pool_.max_packet_bytes()) {
      ++counters_.tx_invalid;
      continue;
    }
    std::memcpy(reinterpret_cast<std::uint8_t*>(&slot) + kTxDataOffset, packet.data, packet.bytes);
    slot.tp_len = packet.bytes;
    store_status(slot, TP_STATUS_SEND_REQUEST);
    tx_next_ = (tx_next_ + 1) & (ring_packets_ - 1);
  }
  counters_.tx_not_admitted += burst.size() - admitted;
  for (const Packet& packet : burst) pool_.put(packet.chunk);  // copied or not admitted: either way the chunk is free
  if (is_unsent()) ::send(fd_, nullptr, 0, MSG_DONTWAIT);
  return admitted;
}

/// True when the newest packet of the tx ring still waits for the kernel: the device was full when we last asked.
bool PacketPort::is_unsent() const noexcept {
  return load_status(*tx_slot((tx_next_ - 1) & (ring_packets_ - 1))) == TP_STATUS_SEND_REQUEST;
}

PortCounters PacketPort::counters() const noexcept {
  tpacket_stats statistics{};
  socklen_t bytes = sizeof(statistics);
  if (::getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &statistics, &bytes) == 0) kernel_drops_ += statistics.tp_drops;
  PortCounters counters = counters_;
  counters.rx_kernel_drops += kernel_drops_;
  return counters;
}

}  // namespace cutwater::port
