#include "port/announce.hpp"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "wire/checksum.hpp"

namespace cutwater::port {
namespace {

constexpr int kProbes = 3, kProbeMs = 100;
constexpr std::uint16_t kArpRequest = 1;
constexpr std::size_t kEthernetBytes = 14, kArpBytes = 28, kArpPacketBytes = kEthernetBytes + kArpBytes;
constexpr std::uint8_t kIcmpV6 = 58, kNeighbourAdvertisement = 136;
constexpr MacAddress kEveryStation{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/// A raw socket on one device, and the device's own link address.
class RawLink {
 public:
  RawLink(std::uint32_t ifindex, std::uint16_t protocol) : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(protocol))) {
    if (fd_ < 0) return;
    sockaddr_ll where{};
    where.sll_family = AF_PACKET;
    where.sll_protocol = htons(protocol);
    where.sll_ifindex = static_cast<int>(ifindex);
    ifreq request{};
    const bool is_ready = ::if_indextoname(ifindex, request.ifr_name) != nullptr && ::ioctl(fd_, SIOCGIFHWADDR, &request) == 0 &&
                          ::bind(fd_, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 0;
    if (is_ready) std::memcpy(mac_.data(), request.ifr_hwaddr.sa_data, mac_.size());
    else ::close(fd_), fd_ = -1;
  }
  ~RawLink() {
    if (fd_ >= 0) ::close(fd_);
  }
  RawLink(const RawLink&) = delete;
  RawLink& operator=(const RawLink&) = delete;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }
  [[nodiscard]] const MacAddress& mac() const noexcept { return mac_; }
  [[nodiscard]] int fd() const noexcept { return fd_; }
  void send(Bytes packet) const noexcept { (void)!::send(fd_, packet.data(), packet.size(), 0); }

 private:
  int fd_ = -1;
  MacAddress mac_{};
};

// sender_ip all zero: a probe. Sender and target the same: an announcement (RFC 5227 1.1).
std::array<std::uint8_t, kArpPacketBytes> arp_request(const MacAddress& sender, const std::uint8_t* sender_ip, const std::uint8_t* target_ip) {
  std::array<std::uint8_t, kArpPacketBytes> p{};
  std::memcpy(p.data(), kEveryStation.data(), 6);
  std::memcpy(p.data() + 6, sender.data(), 6);
  store_be16(p.data() + 12, ETH_P_ARP);
  std::uint8_t* arp = p.data() + kEthernetBytes;
  store_be16(arp, 1);  // Ethernet
  store_be16(arp + 2, ETH_P_IP);
  arp[4] = 6, arp[5] = 4;
  store_be16(arp + 6, kArpRequest);
  std::memcpy(arp + 8, sender.data(), 6);
  std::memcpy(arp + 14, sender_ip, 4);
  std::memcpy(arp + 24, target_ip, 4);
  return p;
}

void advertise_v6(const RawLink& link, const IpAddress& address) {
  constexpr std::size_t kMessageBytes = 32;  // header 4, flags 4, target 16, option 8
  const std::array<std::uint8_t, 16> all_nodes{0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const IpAddress to = IpAddress::from_v6(all_nodes.data());
  std::array<std::uint8_t, kEthernetBytes + 40 + kMessageBytes> p{0x33, 0x33, 0, 0, 0, 1};
  std::memcpy(p.data() + 6, link.mac().data(), 6);
  store_be16(p.data() + 12, ETH_P_IPV6);
  std::uint8_t* ip = p.data() + kEthernetBytes;
  ip[0] = 0x60;
  store_be16(ip + 4, kMessageBytes);
  ip[6] = kIcmpV6, ip[7] = 255;
  std::memcpy(ip + 8, address.bytes.data(), 16);
  std::memcpy(ip + 24, to.bytes.data(), 16);
  std::uint8_t* icmp = ip + 40;
  icmp[0] = kNeighbourAdvertisement;
  icmp[4] = 0x20;  // override what others remember
  std::memcpy(icmp + 8, address.bytes.data(), 16);
  icmp[24] = 2, icmp[25] = 1;  // target link-layer address
  std::memcpy(icmp + 26, link.mac().data(), 6);
  const std::uint16_t checksum = wire::fold(wire::pseudo_header_sum(address, to, kIcmpV6, kMessageBytes) + wire::sum_slow({icmp, kMessageBytes}));
  std::memcpy(icmp + 2, &checksum, 2);
  link.send(p);
}

// An ARP packet of another station that says or asks for one of the addresses: it has it, or is about to.
std::optional<Claim> claim_in(Bytes packet, std::span<const IpAddress> addresses, const MacAddress& own) {
  if (packet.size() < kArpPacketBytes) return std::nullopt;
  const std::uint8_t* arp = packet.data() + kEthernetBytes;
  if (std::memcmp(arp + 8, own.data(), 6) == 0) return std::nullopt;
  for (const IpAddress& address : addresses) {
    if (!address.is_v4() || std::memcmp(arp + 14, address.v4(), 4) != 0) continue;
    Claim claim{.address = address};
    std::memcpy(claim.station.data(), arp + 8, 6);
    return claim;
  }
  return std::nullopt;
}

std::optional<Claim> listen(const RawLink& link, std::span<const IpAddress> addresses) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(kProbeMs);
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()).count();
    if (left <= 0) return std::nullopt;
    pollfd ready{.fd = link.fd(), .events = POLLIN, .revents = 0};
    if (::poll(&ready, 1, static_cast<int>(left)) <= 0) continue;
    std::array<std::uint8_t, 128> packet;
    const auto bytes = ::recv(link.fd(), packet.data(), packet.size(), 0);
    if (bytes <= 0) continue;
    if (const auto claim = claim_in({packet.data(), static_cast<std::size_t>(bytes)}, addresses, link.mac())) return claim;
  }
}

}  // namespace

std::optional<Claim> who_has(std::span<const IpAddress> addresses, std::uint32_t ifindex) {
  if (std::none_of(addresses.begin(), addresses.end(), [](const IpAddress& a) { return a.is_v4(); })) return std::nullopt;
  const RawLink link(ifindex, ETH_P_ARP);
  if (!link.is_open()) return std::nullopt;
  constexpr std::uint8_t kNobody[4] = {};
  for (int i = 0; i < kProbes; ++i) {
    for (const IpAddress& address : addresses) {
      if (address.is_v4()) link.send(arp_request(link.mac(), kNobody, address.v4()));
    }
    if (const auto claim = listen(link, addresses)) return claim;
  }
  return std::nullopt;
}

void announce(const IpAddress& address, std::uint32_t ifindex) {
  const RawLink link(ifindex, 0);  // sends only
  if (!link.is_open()) return;
  if (address.is_v4()) link.send(arp_request(link.mac(), address.v4(), address.v4()));
  else advertise_v6(link, address);
}

}  // namespace cutwater::port
