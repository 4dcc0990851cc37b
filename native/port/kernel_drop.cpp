// The nftables table of a packet port, through libnftables. Ten sets: to or from an endpoint, IPv4 or IPv6, one
// address or any, and this host's own addresses. Their order is that of the rules: an own one wins over a server. Thread: control thread.
#include "port/kernel_drop.hpp"

#include <arpa/inet.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace cutwater::port {
namespace {

struct EndpointSet {
  Steer::Match match;
  bool is_v4;
  bool is_any;
  const char* name;
  const char* type;
  const char* rule;  // what a packet of these endpoints matches, without the set
};

// The IPv6 rules ask for TCP as the very next header, as the filter does: packets with extension headers stay with the
// kernel.
constexpr std::array<EndpointSet, 10> kSets{{
    {Steer::Match::destination, true, false, "to4", "ipv4_addr . inet_service", "ip daddr . tcp dport"},
    {Steer::Match::destination, true, true, "to4_any", "inet_service", "meta protocol ip tcp dport"},
    {Steer::Match::destination, false, false, "to6", "ipv6_addr . inet_service",
     "ip6 nexthdr tcp ip6 daddr . tcp dport"},
    {Steer::Match::destination, false, true, "to6_any", "inet_service", "ip6 nexthdr tcp tcp dport"},
    {Steer::Match::own, true, false, "own4", "ipv4_addr", "ip daddr"},
    {Steer::Match::own, false, false, "own6", "ipv6_addr", "ip6 daddr"},
    {Steer::Match::source, true, false, "from4", "ipv4_addr . inet_service", "ip saddr . tcp sport"},
    {Steer::Match::source, true, true, "from4_any", "inet_service", "meta protocol ip tcp sport"},
    {Steer::Match::source, false, false, "from6", "ipv6_addr . inet_service", "ip6 nexthdr tcp ip6 saddr . tcp sport"},
    {Steer::Match::source, false, true, "from6_any", "inet_service", "ip6 nexthdr tcp tcp sport"},
}};

std::string to_text(const IpAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.is_v4()) {
    ::inet_ntop(AF_INET, address.v4(), text, sizeof(text));
  } else {
    ::inet_ntop(AF_INET6, address.bytes.data(), text, sizeof(text));
  }
  return text;
}

/// Returns: the endpoint as an element of `set`, or "" when it does not belong there. "Every address" belongs to both
/// families' sets.
std::string element(const Steer& steer, const EndpointSet& set) {
  const bool is_any_v4 = steer.address.is_v4() && load_be32(steer.address.v4()) == 0;
  const bool is_any_at_all = steer.address == IpAddress{};
  if (steer.match != set.match) return {};
  if (set.is_any != (is_any_v4 || is_any_at_all)) return {};
  if (!is_any_at_all && set.is_v4 != steer.address.is_v4()) return {};
  if (steer.match == Steer::Match::own) return to_text(steer.address);
  const std::string port = std::to_string(steer.port);
  return set.is_any ? port : to_text(steer.address) + " . " + port;
}

/// libnftables ends the whole process when it cannot open its socket, so that is tried beforehand.
Result<bool, std::string> try_netlink() {
  const int fd = ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0)
    return Failure{std::string("this kernel has no nftables (") + std::strerror(errno) + "); use `port: xsk`"};
  ::close(fd);
  return true;
}

}  // namespace

KernelDrop::KernelDrop(const LinkInfo& link)
    : device_(link.name),
      table_("netdev cutwater_if" + std::to_string(link.ifindex)),
      context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
  nft_ctx_buffer_error(context_);
  nft_ctx_buffer_output(context_);
}

KernelDrop::~KernelDrop() { nft_ctx_free(context_); }  // its socket closes, the table goes

Result<std::unique_ptr<KernelDrop>, std::string> KernelDrop::open(const LinkInfo& link, std::uint16_t vlan) {
  if (auto done = try_netlink(); !done) return Failure{link.name + ": " + done.error()};
  std::unique_ptr<KernelDrop> drop(new KernelDrop(link));
  const std::string chain = drop->table_ + " ingress";
  std::string commands = "create table " + drop->table_ + " { flags owner; }\n";
  for (const EndpointSet& set : kSets) {
    commands += "add set " + drop->table_ + " " + set.name + " { type " + set.type + "; }\n";
  }
  commands += "add chain " + chain + " { type filter hook ingress device \"" + link.name +
              "\" priority -450; policy accept; }\n";
  commands += "add rule " + chain + " meta pkttype != host accept\n";
  commands += "add rule " + chain + " ether type 8021ad accept\n";
  if (vlan != 0) commands += "add rule " + chain + " ether type != 8021q accept\n";
  commands += "add rule " + chain + " vlan id != " + std::to_string(vlan) + " accept\n";
  commands += "add rule " + chain + " ip frag-off & 0x3fff != 0 accept\n";
  for (const EndpointSet& set : kSets) {
    const char* verdict = set.match == Steer::Match::own ? " accept\n" : " drop\n";
    commands += "add rule " + chain + " " + set.rule + " @" + set.name + verdict;
  }
  if (auto done = drop->run(commands); !done) return Failure{done.error()};
  return drop;
}

Result<bool, std::string> KernelDrop::replace(std::span<const Steer> endpoints) {
  std::string commands;
  for (const EndpointSet& set : kSets) {
    commands += "flush set " + table_ + " " + set.name + "\n";
    std::string elements;
    for (const Steer& steer : endpoints) {
      const std::string text = element(steer, set);
      if (!text.empty()) elements += (elements.empty() ? "" : ", ") + text;
    }
    if (!elements.empty()) commands += "add element " + table_ + " " + set.name + " { " + elements + " }\n";
  }
  return run(commands);
}

Result<bool, std::string> KernelDrop::run(const std::string& commands) {
  if (nft_run_cmd_from_buffer(context_, commands.c_str()) == 0) return true;
  const std::string why = nft_ctx_get_error_buffer(context_);
  if (why.find("Operation not permitted") != std::string::npos) {
    return Failure{
        device_ +
        ": no permission to set nftables rules (CAP_NET_ADMIN), or another Cutwater process is using this device"};
  }
  if (why.find("File exists") != std::string::npos) {
    return Failure{device_ + ": the nftables table \"" + table_ +
                   "\" exists already: another Cutwater process is using this device"};
  }
  return Failure{device_ + ": nftables refuses our rules: " + why.substr(0, why.find('\n'))};
}

}  // namespace cutwater::port
