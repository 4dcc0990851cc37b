// Addresses by rtnetlink, through libmnl. Source: RFC 3549; linux/if_addr.h.
#include "port/host_address.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "port/announce.hpp"

namespace cutwater::port {
namespace {

constexpr std::size_t kMessageBytes = 8192;
constexpr std::uint32_t kLifetimeS = 30;  // ten renewals may be late; after a crash the address answers for so long at most

std::string to_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_v4()) ::inet_ntop(AF_INET, address.v4(), text, sizeof(text));
  else ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof(text));
  return text;
}

std::string to_text(const MacAddress& mac) {
  char text[18];
  std::snprintf(text, sizeof text, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
  return text;
}

std::string device_name(std::uint32_t ifindex) {
  char name[IF_NAMESIZE] = {};
  return ::if_indextoname(ifindex, name) != nullptr ? name : "interface " + std::to_string(ifindex);
}

/// What one message of a dump says. Unknown attributes pass by.
struct Entry {
  IpAddress address;
  bool has_address = false;
  std::uint32_t flags = 0;
};

int take_attribute(const nlattr* attribute, void* data) {
  auto& entry = *static_cast<Entry*>(data);
  const auto type = mnl_attr_get_type(attribute);
  const auto bytes = mnl_attr_get_payload_len(attribute);
  const auto* payload = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  if (type == IFA_FLAGS && bytes == 4) entry.flags = mnl_attr_get_u32(attribute);
  const bool is_address = (type == IFA_LOCAL && bytes == 4) || (type == IFA_ADDRESS && bytes == 16);
  if (!is_address) return MNL_CB_OK;
  entry.address = bytes == 4 ? IpAddress::from_v4(payload) : IpAddress::from_v6(payload);
  entry.has_address = true;
  return MNL_CB_OK;
}

}  // namespace

Result<std::unique_ptr<HostAddresses>, std::string> HostAddresses::open() {
  std::unique_ptr<HostAddresses> out(new HostAddresses());
  out->socket_ = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (out->socket_ == nullptr || mnl_socket_bind(out->socket_, 0, MNL_SOCKET_AUTOPID) != 0) {
    return Failure{std::string("addresses cannot be read (netlink): ") + std::strerror(errno)};
  }
  return out;
}

HostAddresses::~HostAddresses() {
  for (const HostAddress& one : held_) change(one, RTM_DELADDR, 0);
  if (socket_ != nullptr) mnl_socket_close(socket_);
}

std::vector<HostAddresses::Known> HostAddresses::read() {
  std::vector<Known> out;
  alignas(nlmsghdr) std::array<char, kMessageBytes> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = RTM_GETADDR;
  request->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  request->nlmsg_seq = ++sequence_;
  static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)))->ifa_family = AF_UNSPEC;
  if (mnl_socket_sendto(socket_, request, request->nlmsg_len) < 0) return out;
  const auto take = [](const nlmsghdr* message, void* data) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(ifaddrmsg)) return MNL_CB_OK;
    const auto* header = static_cast<const ifaddrmsg*>(mnl_nlmsg_get_payload(message));
    Entry entry{.address = {}, .flags = header->ifa_flags};
    mnl_attr_parse(message, sizeof(ifaddrmsg), take_attribute, &entry);
    if (!entry.has_address) return MNL_CB_OK;
    static_cast<std::vector<Known>*>(data)->push_back({.at = {entry.address, header->ifa_index},
                                                       .is_permanent = (entry.flags & IFA_F_PERMANENT) != 0,
                                                       .is_duplicate = (entry.flags & IFA_F_DADFAILED) != 0});
    return MNL_CB_OK;
  };
  while (true) {
    const auto bytes = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
    if (bytes < 0) return out;
    if (mnl_cb_run(buffer.data(), static_cast<std::size_t>(bytes), sequence_, mnl_socket_get_portid(socket_), take, &out) <= MNL_CB_STOP) return out;
  }
}

/// Returns: 0, or the errno.
int HostAddresses::change(const HostAddress& address, std::uint16_t type, std::uint16_t flags) {
  alignas(nlmsghdr) std::array<char, kMessageBytes> buffer{};
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  request->nlmsg_seq = ++sequence_;
  const bool is_v4 = address.address.is_v4();
  auto* header = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifaddrmsg)));
  header->ifa_family = is_v4 ? AF_INET : AF_INET6;
  header->ifa_prefixlen = is_v4 ? 32 : 128;  // no route comes with it
  header->ifa_index = address.ifindex;
  const auto* bytes = is_v4 ? address.address.v4() : address.address.bytes.data();
  mnl_attr_put(request, IFA_LOCAL, is_v4 ? 4 : 16, bytes);
  mnl_attr_put(request, IFA_ADDRESS, is_v4 ? 4 : 16, bytes);
  // Never preferred: the host's own connections are not to come from it.
  const ifa_cacheinfo lifetime{.ifa_prefered = 0, .ifa_valid = kLifetimeS, .cstamp = 0, .tstamp = 0};
  if (type == RTM_NEWADDR) mnl_attr_put(request, IFA_CACHEINFO, sizeof lifetime, &lifetime);
  if (mnl_socket_sendto(socket_, request, request->nlmsg_len) < 0) return errno;
  const auto got = mnl_socket_recvfrom(socket_, buffer.data(), buffer.size());
  if (got < 0) return errno;
  const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(got), sequence_, mnl_socket_get_portid(socket_), nullptr, nullptr);
  return more < 0 ? errno : 0;
}

bool HostAddresses::is_held(const IpAddress& address) const noexcept {
  return std::any_of(held_.begin(), held_.end(), [&](const HostAddress& one) { return one.address == address; });
}

/// Returns: those that must be taken: not held yet, and not the host's for good.
std::vector<HostAddress> HostAddresses::missing(const std::vector<HostAddress>& wanted, std::vector<HostAddress>& foreign) {
  std::vector<HostAddress> out;
  const std::vector<Known> known = read();
  for (const HostAddress& one : wanted) {
    if (is_held(one.address) || std::find(out.begin(), out.end(), one) != out.end()) continue;
    const auto there = std::find_if(known.begin(), known.end(), [&](const Known& k) { return k.at.address == one.address; });
    if (there != known.end() && there->is_permanent) continue;
    out.push_back(one);
    if (there == known.end()) foreign.push_back(one);  // else it is what an earlier process of ours left to expire
  }
  return out;
}

Result<bool, std::string> HostAddresses::hold(const std::vector<HostAddress>& wanted) {
  std::vector<HostAddress> unknown;
  const std::vector<HostAddress> fresh = missing(wanted, unknown);
  while (!unknown.empty()) {  // a device at a time
    const std::uint32_t ifindex = unknown.front().ifindex;
    std::vector<IpAddress> asked;
    for (const HostAddress& one : unknown) {
      if (one.ifindex == ifindex) asked.push_back(one.address);
    }
    if (const auto claim = who_has(asked, ifindex)) {
      return Failure{to_text(claim->address) + ": station " + to_text(claim->station) + " on " + device_name(ifindex) + " has this address already"};
    }
    std::erase_if(unknown, [&](const HostAddress& one) { return one.ifindex == ifindex; });
  }
  for (const HostAddress& one : fresh) {
    if (const int error = change(one, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE); error != 0) {
      return Failure{to_text(one.address) + ": cannot be held on " + device_name(one.ifindex) + ": " + std::strerror(error)};
    }
    held_.push_back(one);
    announce(one.address, one.ifindex);
  }
  std::erase_if(held_, [&](const HostAddress& one) {
    if (std::find(wanted.begin(), wanted.end(), one) != wanted.end()) return false;
    change(one, RTM_DELADDR, 0);
    return true;
  });
  return true;
}

std::vector<IpAddress> HostAddresses::renew() {
  std::vector<IpAddress> duplicates;
  if (held_.empty()) return duplicates;
  for (const HostAddress& one : held_) change(one, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  for (const Known& known : read()) {
    if (known.is_duplicate && is_held(known.at.address)) duplicates.push_back(known.at.address);
  }
  return duplicates;
}

std::vector<IpAddress> HostAddresses::own() {
  std::vector<IpAddress> out;
  for (const Known& known : read()) {
    if (!is_held(known.at.address)) out.push_back(known.at.address);
  }
  return out;
}

}  // namespace cutwater::port
