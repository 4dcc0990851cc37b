// Device facts by ioctl: present on every kernel, and allowed in a user namespace for the namespace's own devices.
// Thread: control thread.
#include "port/link.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

namespace cutwater::port {
namespace {

/// A socket to ask through, and the request with the device's name in place.
class DeviceQuery {
 public:
  explicit DeviceQuery(std::string_view device) noexcept : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    std::memcpy(request_.ifr_name, device.data(), std::min(device.size(), sizeof(request_.ifr_name) - 1));
  }
  ~DeviceQuery() {
    if (fd_ >= 0) ::close(fd_);
  }
  DeviceQuery(const DeviceQuery&) = delete;
  DeviceQuery& operator=(const DeviceQuery&) = delete;

  /// Returns: the answer, or nullptr with errno set.
  const ifreq* ask(unsigned long what) noexcept { return ::ioctl(fd_, what, &request_) == 0 ? &request_ : nullptr; }
  template <class T>
  bool ethtool(T& command) noexcept {
    request_.ifr_data = reinterpret_cast<char*>(&command);
    return ::ioctl(fd_, SIOCETHTOOL, &request_) == 0;
  }

 private:
  int fd_;
  ifreq request_{};
};

OffloadState offload(DeviceQuery& query, std::uint32_t command) noexcept {
  ethtool_value value{.cmd = command, .data = 0};
  if (!query.ethtool(value)) return OffloadState::unknown;
  return value.data != 0 ? OffloadState::on : OffloadState::off;
}

OffloadState flag_of(const std::optional<std::uint32_t>& flags, std::uint32_t flag) noexcept {
  if (!flags) return OffloadState::unknown;
  return (*flags & flag) != 0 ? OffloadState::on : OffloadState::off;
}

std::optional<std::uint32_t> read_flags(DeviceQuery& query) noexcept {
  ethtool_value value{.cmd = ETHTOOL_GFLAGS, .data = 0};
  return query.ethtool(value) ? std::optional(value.data) : std::nullopt;
}

Offloads read_offloads(DeviceQuery& query) noexcept {
  const auto flags = read_flags(query);
  return {.tso = offload(query, ETHTOOL_GTSO),
          .gso = offload(query, ETHTOOL_GGSO),
          .gro = offload(query, ETHTOOL_GGRO),
          .lro = flag_of(flags, ETH_FLAG_LRO),
          .tx_checksum = offload(query, ETHTOOL_GTXCSUM),
          .rx_checksum = offload(query, ETHTOOL_GRXCSUM),
          .rx_vlan = flag_of(flags, ETH_FLAG_RXVLAN),
          .tx_vlan = flag_of(flags, ETH_FLAG_TXVLAN)};
}

std::string read_driver(DeviceQuery& query) {
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  if (!query.ethtool(info)) return {};
  return {info.driver, ::strnlen(info.driver, sizeof(info.driver))};
}

std::uint32_t read_rx_queues(DeviceQuery& query) noexcept {
  ethtool_channels channels{};
  channels.cmd = ETHTOOL_GCHANNELS;
  if (!query.ethtool(channels)) return 1;  // a driver that does not count its queues has one
  return std::max({1U, channels.rx_count, channels.combined_count});
}

std::string no_such_device(std::string_view device) {
  return std::string(device) + ": no such network device (`ip link` lists those of this network namespace)";
}

}  // namespace

Result<LinkInfo, std::string> read_link(std::string_view device) {
  if (device.empty() || device.size() >= IFNAMSIZ)
    return Failure{"\"" + std::string(device) + "\" is not a device name: 1 to 15 characters"};
  DeviceQuery query(device);
  LinkInfo link;
  link.name = device;
  const ifreq* answer = query.ask(SIOCGIFINDEX);
  if (answer == nullptr) return Failure{no_such_device(device)};
  link.ifindex = static_cast<std::uint32_t>(answer->ifr_ifindex);
  if ((answer = query.ask(SIOCGIFHWADDR)) == nullptr) return Failure{no_such_device(device)};
  if (answer->ifr_hwaddr.sa_family != ARPHRD_ETHER) return Failure{link.name + ": not an Ethernet device"};
  std::memcpy(link.mac.data(), answer->ifr_hwaddr.sa_data, link.mac.size());
  if ((answer = query.ask(SIOCGIFMTU)) == nullptr) return Failure{no_such_device(device)};
  link.mtu = static_cast<std::uint32_t>(answer->ifr_mtu);
  if ((answer = query.ask(SIOCGIFFLAGS)) == nullptr) return Failure{no_such_device(device)};
  link.is_up = (answer->ifr_flags & IFF_UP) != 0;
  link.driver = read_driver(query);
  link.rx_queues = read_rx_queues(query);
  link.offloads = read_offloads(query);
  return link;
}

std::vector<std::string> harmful_offloads(const LinkInfo& link) {
  // A card computes checksums and cuts segments below us, where it does no harm to what we send; only what it joins on
  // the way in does. veth has no wire: what its own end leaves undone, the other end receives undone.
  const bool has_no_wire = link.driver == "veth";
  std::vector<std::string> names;
  const auto add = [&names](OffloadState state, const char* name) {
    if (state == OffloadState::on) names.emplace_back(name);
  };
  add(link.offloads.gro, "gro");
  add(link.offloads.lro, "lro");
  if (!has_no_wire) return names;
  add(link.offloads.tx_checksum, "tx");
  add(link.offloads.tso, "tso");
  add(link.offloads.gso, "gso");
  return names;
}

Result<Offloads, std::string> set_offloads_off(std::string_view device) {
  if (auto link = read_link(device); !link) return Failure{link.error()};
  DeviceQuery query(device);
  // Segmentation needs checksums, so it goes first. A refusal of one is no reason not to try the next: the outcome is
  // read back.
  static constexpr std::uint32_t kOffCommands[] = {ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO, ETHTOOL_STXCSUM,
                                                   ETHTOOL_SRXCSUM};
  bool is_forbidden = false;
  for (const std::uint32_t command : kOffCommands) {
    ethtool_value value{.cmd = command, .data = 0};
    is_forbidden |= !query.ethtool(value) && errno == EPERM;
  }
  if (const auto flags = read_flags(query)) {
    ethtool_value value{.cmd = ETHTOOL_SFLAGS,
                        .data = *flags & ~std::uint32_t{ETH_FLAG_LRO | ETH_FLAG_RXVLAN | ETH_FLAG_TXVLAN}};
    is_forbidden |= !query.ethtool(value) && errno == EPERM;
  }
  if (is_forbidden)
    return Failure{std::string(device) + ": no permission to change offloads (CAP_NET_ADMIN in its network namespace)"};
  return read_offloads(query);
}

}  // namespace cutwater::port
