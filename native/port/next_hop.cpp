// Routes and neighbours by rtnetlink, through libmnl.
// Source: RFC 3549; Linux rtnetlink(7); neighbour states in linux/neighbour.h.
#include "port/next_hop.hpp"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <functional>
#include <optional>
#include <string_view>

namespace cutwater::port {
namespace {

constexpr std::size_t kMessageBytes = 8192;  // libmnl's advice for one netlink read
// States in which the kernel would use the address it has (NUD_VALID in its sources).
constexpr std::uint16_t kUsableStates = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;
constexpr std::chrono::milliseconds kPause{20};  // between looks at the table while the network is asked

struct Neighbour {
  std::uint16_t state = NUD_NONE;
  std::optional<MacAddress> mac;
};

std::string to_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_v4()) {
    ::inet_ntop(AF_INET, address.v4(), text, sizeof(text));
  } else {
    ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof(text));
  }
  return text;
}

std::string device_name(std::uint32_t ifindex) {
  char name[IF_NAMESIZE] = {};
  return ::if_indextoname(ifindex, name) != nullptr ? name : "interface " + std::to_string(ifindex);
}

std::uint8_t family_of(const IpAddress& address) noexcept { return address.is_v4() ? AF_INET : AF_INET6; }

void put_address(nlmsghdr* message, std::uint16_t type, const IpAddress& address) {
  if (address.is_v4()) {
    mnl_attr_put(message, type, 4, address.v4());
  } else {
    mnl_attr_put(message, type, address.bytes.size(), address.bytes.data());
  }
}

/// Returns: the address in an attribute, or nullopt when its length is not that of one.
std::optional<IpAddress> address_in(const nlattr* attribute) {
  const auto* bytes = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
  if (mnl_attr_get_payload_len(attribute) == 4) return IpAddress::from_v4(bytes);
  if (mnl_attr_get_payload_len(attribute) == 16) return IpAddress::from_v6(bytes);
  return std::nullopt;
}

using OnMessage = std::function<void(const nlmsghdr*)>;

/// Sends a request and hands its answers to `on_message`. Returns: 0, or the errno that the kernel or the socket gave.
int ask(mnl_socket* socket, nlmsghdr* request, std::uint32_t sequence, const OnMessage& on_message) {
  request->nlmsg_seq = sequence;
  if (mnl_socket_sendto(socket, request, request->nlmsg_len) < 0) return errno;
  std::array<char, kMessageBytes> buffer{};
  const auto deliver = [](const nlmsghdr* message, void* data) {
    (*static_cast<const OnMessage*>(data))(message);
    return MNL_CB_OK;
  };
  auto* data = const_cast<OnMessage*>(&on_message);
  while (true) {
    const auto bytes = mnl_socket_recvfrom(socket, buffer.data(), buffer.size());
    if (bytes < 0) return errno;
    const int more = mnl_cb_run(buffer.data(), static_cast<std::size_t>(bytes), sequence, mnl_socket_get_portid(socket),
                                deliver, data);
    if (more < 0) return errno;
    if (more == MNL_CB_STOP || (request->nlmsg_flags & (NLM_F_DUMP | NLM_F_ACK)) == 0) return 0;
  }
}

template <class OnAttribute>
void for_each_attribute(const nlmsghdr* message, unsigned header_bytes, OnAttribute on_attribute) {
  const auto deliver = [](const nlattr* attribute, void* data) {
    (*static_cast<OnAttribute*>(data))(attribute);
    return MNL_CB_OK;
  };
  mnl_attr_parse(message, header_bytes, deliver, &on_attribute);
}

nlmsghdr* new_request(std::array<char, kMessageBytes>& buffer, std::uint16_t type, std::uint16_t flags) {
  nlmsghdr* request = mnl_nlmsg_put_header(buffer.data());
  request->nlmsg_type = type;
  request->nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  return request;
}

Neighbour read_neighbour(mnl_socket* socket, std::uint32_t sequence, const IpAddress& address, std::uint32_t ifindex) {
  alignas(nlmsghdr) std::array<char, kMessageBytes> buffer{};
  nlmsghdr* request = new_request(buffer, RTM_GETNEIGH, 0);
  auto* header = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  header->ndm_family = family_of(address);
  header->ndm_ifindex = static_cast<int>(ifindex);
  put_address(request, NDA_DST, address);
  Neighbour found;
  ask(socket, request, sequence,
      [&found](const nlmsghdr* message) {  // an unknown neighbour is an error, and leaves NUD_NONE
        if (message->nlmsg_type != RTM_NEWNEIGH || mnl_nlmsg_get_payload_len(message) < sizeof(ndmsg)) return;
        found.state = static_cast<const ndmsg*>(mnl_nlmsg_get_payload(message))->ndm_state;
        for_each_attribute(message, sizeof(ndmsg), [&found](const nlattr* attribute) {
          if (mnl_attr_get_type(attribute) != NDA_LLADDR || mnl_attr_get_payload_len(attribute) != 6) return;
          std::memcpy(found.mac.emplace().data(), mnl_attr_get_payload(attribute), 6);
        });
      });
  return found;
}

bool is_usable(const Neighbour& neighbour) noexcept {
  return (neighbour.state & kUsableStates) != 0 && neighbour.mac.has_value();
}

struct Route {
  std::uint8_t type = RTN_UNSPEC;
  std::uint32_t ifindex = 0;
  std::optional<IpAddress> gateway;
};

Route read_route(const nlmsghdr* message) {
  Route route;
  if (message->nlmsg_type != RTM_NEWROUTE || mnl_nlmsg_get_payload_len(message) < sizeof(rtmsg)) return route;
  route.type = static_cast<const rtmsg*>(mnl_nlmsg_get_payload(message))->rtm_type;
  for_each_attribute(message, sizeof(rtmsg), [&route](const nlattr* attribute) {
    const auto type = mnl_attr_get_type(attribute);
    if (type == RTA_OIF && mnl_attr_get_payload_len(attribute) == 4) route.ifindex = mnl_attr_get_u32(attribute);
    if (type == RTA_GATEWAY) route.gateway = address_in(attribute);
    if (type == RTA_VIA &&
        mnl_attr_get_payload_len(attribute) == 2 + 16) {  // an IPv4 route by an IPv6 router (RFC 5549)
      const auto* via = static_cast<const std::uint8_t*>(mnl_attr_get_payload(attribute));
      route.gateway = IpAddress::from_v6(via + 2);
    }
  });
  return route;
}

struct RouteAnswer {
  int error = 0;
  Route route;
};

RouteAnswer ask_route(mnl_socket* socket, std::uint32_t sequence, const IpAddress& destination, std::uint32_t ifindex,
                      std::uint32_t flags) {
  alignas(nlmsghdr) std::array<char, kMessageBytes> buffer{};
  nlmsghdr* request = new_request(buffer, RTM_GETROUTE, 0);
  auto* header = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(rtmsg)));
  header->rtm_family = family_of(destination);
  header->rtm_dst_len = destination.is_v4() ? 32 : 128;
  header->rtm_flags = flags;
  put_address(request, RTA_DST, destination);
  if (ifindex != 0) mnl_attr_put_u32(request, RTA_OIF, ifindex);
  RouteAnswer answer;
  answer.error =
      ask(socket, request, sequence, [&answer](const nlmsghdr* message) { answer.route = read_route(message); });
  return answer;
}

struct Link {
  std::optional<std::uint32_t> twin;  // a veth whose other end is in this namespace: that end
  std::optional<MacAddress> mac;
};

bool is_kind(const nlattr* link_info, std::string_view kind) {
  struct Search {
    std::string_view kind;
    bool is_found = false;
  } search{kind};
  const auto deliver = [](const nlattr* attribute, void* data) {
    auto& wanted = *static_cast<Search*>(data);
    if (mnl_attr_get_type(attribute) == IFLA_INFO_KIND) wanted.is_found = wanted.kind == mnl_attr_get_str(attribute);
    return MNL_CB_OK;
  };
  mnl_attr_parse_nested(link_info, deliver, &search);
  return search.is_found;
}

Link read_link_message(const nlmsghdr* message) {
  Link link;
  std::optional<std::uint32_t> below;
  bool is_veth = false, is_elsewhere = false;
  for_each_attribute(message, sizeof(ifinfomsg), [&](const nlattr* attribute) {
    const auto type = mnl_attr_get_type(attribute);
    const auto bytes = mnl_attr_get_payload_len(attribute);
    if (type == IFLA_LINK && bytes == 4) below = mnl_attr_get_u32(attribute);
    if (type == IFLA_LINK_NETNSID) is_elsewhere = true;
    if (type == IFLA_ADDRESS && bytes == 6) std::memcpy(link.mac.emplace().data(), mnl_attr_get_payload(attribute), 6);
    if (type == IFLA_LINKINFO) is_veth = is_kind(attribute, "veth");
  });
  if (is_veth && !is_elsewhere) link.twin = below;
  return link;
}

Link ask_link(mnl_socket* socket, std::uint32_t sequence, std::uint32_t ifindex) {
  alignas(nlmsghdr) std::array<char, kMessageBytes> buffer{};
  nlmsghdr* request = new_request(buffer, RTM_GETLINK, 0);
  auto* header = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg)));
  header->ifi_family = AF_UNSPEC;
  header->ifi_index = static_cast<int>(ifindex);
  Link link;
  ask(socket, request, sequence, [&link](const nlmsghdr* message) {
    if (message->nlmsg_type == RTM_NEWLINK && mnl_nlmsg_get_payload_len(message) >= sizeof(ifinfomsg)) link = read_link_message(message);
  });
  return link;
}

mnl_socket* open_socket(unsigned groups) {
  mnl_socket* socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
  if (socket == nullptr) return nullptr;
  if (mnl_socket_bind(socket, groups, MNL_SOCKET_AUTOPID) == 0) return socket;
  mnl_socket_close(socket);
  return nullptr;
}

}  // namespace

Result<std::unique_ptr<NextHops>, std::string> NextHops::open() {
  std::unique_ptr<NextHops> hops(new NextHops());
  hops->requests_ = open_socket(0);
  hops->monitor_ = open_socket(RTMGRP_NEIGH | RTMGRP_LINK | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_IFADDR |
                               RTMGRP_IPV6_IFADDR);
  if (hops->requests_ == nullptr || hops->monitor_ == nullptr)
    return Failure{std::string("routes cannot be read (netlink): ") + std::strerror(errno)};
  return hops;
}

NextHops::~NextHops() {
  if (requests_ != nullptr) mnl_socket_close(requests_);
  if (monitor_ != nullptr) mnl_socket_close(monitor_);
}

int NextHops::fd() const noexcept { return mnl_socket_get_fd(monitor_); }

/// The way to an address of this host: by a veth pair both of whose ends are here, packets that leave by one end come in by the other
/// and are the host's own (docs/server-host.md). Returns: nullopt for addresses of others, and by other devices.
std::optional<NextHop> NextHops::own_host(const IpAddress& destination, std::uint32_t ifindex) {
  const Link link = ask_link(requests_, ++sequence_, ifindex);
  if (!link.twin || ask_route(requests_, ++sequence_, destination, 0, 0).route.type != RTN_LOCAL) return std::nullopt;
  const Link twin = ask_link(requests_, ++sequence_, *link.twin);
  if (!twin.mac) return std::nullopt;
  return NextHop{.mac = *twin.mac, .neighbour = destination};
}

/// Returns: the neighbour that packets to `destination` go to when they leave by the device.
Result<IpAddress, std::string> NextHops::route(const IpAddress& destination, std::uint32_t ifindex) {
  const std::string by = to_text(destination) + " by " + device_name(ifindex);
  // Without a device first: for an address of this host itself, one would get an answer that pretends otherwise.
  if (ask_route(requests_, ++sequence_, destination, 0, 0).route.type == RTN_LOCAL) {
    return Failure{to_text(destination) + " is this host's own address, and " + device_name(ifindex) +
                   " does not lead back into it; for a server on this host it must be one end of a veth pair (docs/server-host.md)"};
  }
  // The route that matched, not only a way out: asked for a device, Linux takes an IPv4 destination without a route to
  // be on the link.
  const RouteAnswer match = ask_route(requests_, ++sequence_, destination, ifindex, RTM_F_FIB_MATCH);
  const RouteAnswer answer = ask_route(requests_, ++sequence_, destination, ifindex, 0);
  if (match.error == ENODEV || answer.error == ENODEV) return Failure{"no way to " + by + ": no such device"};
  if (match.error != 0 || answer.error != 0 || answer.route.ifindex != ifindex) {
    return Failure{"no route to " + by + " (`ip route get " + to_text(destination) + " oif " + device_name(ifindex) +
                   "`)"};
  }
  if (answer.route.type != RTN_UNICAST)
    return Failure{"no way to " + by + ": the route says it is not a single station that can be reached"};
  return answer.route.gateway.value_or(destination);
}

/// Has the kernel resolve a neighbour, or check one it has not heard of lately, as if a packet of its own were going
/// there.
void NextHops::ask_network(const IpAddress& neighbour, std::uint32_t ifindex) {
  alignas(nlmsghdr) std::array<char, kMessageBytes> buffer{};
  nlmsghdr* request = new_request(buffer, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_ACK);
  auto* header = static_cast<ndmsg*>(mnl_nlmsg_put_extra_header(request, sizeof(ndmsg)));
  header->ndm_family = family_of(neighbour);
  header->ndm_ifindex = static_cast<int>(ifindex);
  header->ndm_state = NUD_NONE;
  header->ndm_flags = NTF_USE;
  put_address(request, NDA_DST, neighbour);
  ask(requests_, request, ++sequence_, [](const nlmsghdr*) {});  // a refusal shows in that no answer comes
}

Result<NextHop, std::string> NextHops::find(const IpAddress& destination, std::uint32_t ifindex,
                                            std::chrono::milliseconds patience) {
  Followed& followed = follow(destination, ifindex);
  followed.is_known = false;
  if (const auto own = own_host(destination, ifindex)) {
    followed.is_known = true;
    followed.hop = *own;
    return followed.hop;
  }
  const auto neighbour = route(destination, ifindex);
  if (!neighbour) return Failure{neighbour.error()};
  const auto end = std::chrono::steady_clock::now() + patience;
  Neighbour found = read_neighbour(requests_, ++sequence_, *neighbour, ifindex);
  while (!is_usable(found) && std::chrono::steady_clock::now() < end) {
    const bool is_being_asked = (found.state & NUD_INCOMPLETE) != 0;
    if (!is_being_asked)
      ask_network(*neighbour, ifindex);  // not yet, or the kernel gave up: a device just up may take seconds
    ::poll(nullptr, 0, static_cast<int>(kPause.count()));
    found = read_neighbour(requests_, ++sequence_, *neighbour, ifindex);
  }
  if (!is_usable(found)) {
    const bool is_router = *neighbour != destination;
    return Failure{
        to_text(*neighbour) + (is_router ? ", the router on the way to " + to_text(destination) + "," : std::string()) +
        " does not answer " + (neighbour->is_v4() ? "ARP" : "neighbour solicitations") + " on " + device_name(ifindex)};
  }
  followed.is_known = true;
  followed.hop = {.mac = *found.mac, .neighbour = *neighbour};
  return followed.hop;
}

bool NextHops::refresh() {
  drain_monitor();
  bool is_changed = false;
  for (Followed& followed : followed_) {
    Followed now{.destination = followed.destination, .ifindex = followed.ifindex, .is_known = false, .hop = {}};
    if (const auto own = own_host(followed.destination, followed.ifindex)) {
      now.is_known = true;
      now.hop = *own;
    } else if (const auto neighbour = route(followed.destination, followed.ifindex)) {
      const Neighbour found = read_neighbour(requests_, ++sequence_, *neighbour, followed.ifindex);
      if ((found.state & (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE)) == 0) ask_network(*neighbour, followed.ifindex);
      now.is_known = is_usable(found);
      if (now.is_known) now.hop = {.mac = *found.mac, .neighbour = *neighbour};
    }
    is_changed |= now.is_known != followed.is_known || now.hop != followed.hop;
    followed = now;
  }
  return is_changed;
}

const NextHop* NextHops::at(const IpAddress& destination, std::uint32_t ifindex) const noexcept {
  for (const Followed& followed : followed_) {
    if (followed.ifindex == ifindex && followed.destination == destination && followed.is_known) return &followed.hop;
  }
  return nullptr;
}

NextHops::Followed& NextHops::follow(const IpAddress& destination, std::uint32_t ifindex) {
  for (Followed& followed : followed_) {
    if (followed.ifindex == ifindex && followed.destination == destination) return followed;
  }
  return followed_.emplace_back(Followed{.destination = destination, .ifindex = ifindex, .is_known = false, .hop = {}});
}

/// What changed is read afresh, so the messages themselves are of no interest; an overflow (ENOBUFS) is as good as a
/// message.
void NextHops::drain_monitor() noexcept {
  std::array<char, kMessageBytes> buffer;
  while (::recv(fd(), buffer.data(), buffer.size(), MSG_DONTWAIT) > 0 || errno == ENOBUFS) {
  }
}

}  // namespace cutwater::port
