// native/port/next_hop.cpp, against the kernel's own tables in namespaces.
#include "port/next_hop.hpp"

#include <doctest/doctest.h>

#include "native/port/test_port.hpp"

using namespace cutwater;
using namespace cutwater::port;
using namespace cutwater::port::test;

namespace {

constexpr std::chrono::milliseconds kPatience{2000};

std::uint32_t ifindex_of(const char* device) { return read_link(device)->ifindex; }

}  // namespace

TEST_CASE("next_hop: finds the neighbour by asking the network, IPv4 and IPv6, on the link and behind a router") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  const MacAddress server_mac = mac_of(net.server, "server0");
  const InNamespace in(net.appliance);
  REQUIRE(run("ip route add 198.51.100.0/24 via 10.72.0.2 && ip route add fd99::/64 via fd72::2") == 0);
  auto hops = NextHops::open();
  REQUIRE(hops.has_value());
  const std::uint32_t dev1 = ifindex_of("dev1");
  struct Way {
    const char* destination;
    const char* neighbour;
  };
  for (const Way& way : {Way{"10.72.0.2", "10.72.0.2"}, Way{"fd72::2", "fd72::2"}, Way{"198.51.100.7", "10.72.0.2"},
                         Way{"fd99::7", "fd72::2"}}) {
    CAPTURE(way.destination);
    CHECK((*hops)->at(ip(way.destination), dev1) == nullptr);
    const auto hop = (*hops)->find(ip(way.destination), dev1, kPatience);
    REQUIRE_MESSAGE(hop.has_value(), (hop ? "" : hop.error()));
    CHECK(hop->mac == server_mac);
    CHECK(hop->neighbour == ip(way.neighbour));
    REQUIRE((*hops)->at(ip(way.destination), dev1) != nullptr);
    CHECK((*hops)->at(ip(way.destination), dev1)->mac == server_mac);
  }
  CHECK_FALSE((*hops)->refresh());  // nothing has changed
}

TEST_CASE("next_hop: says in words what is missing, within the patience it was given") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  const InNamespace in(net.appliance);
  auto hops = NextHops::open();
  REQUIRE(hops.has_value());
  const std::uint32_t dev1 = ifindex_of("dev1");
  const auto error_of = [&](const char* destination) {
    const auto hop = (*hops)->find(ip(destination), dev1, std::chrono::milliseconds(200));
    return hop ? std::string("no error") : hop.error();
  };
  const auto start = std::chrono::steady_clock::now();
  CHECK(error_of("10.72.0.9") == "10.72.0.9 does not answer ARP on dev1");
  CHECK(error_of("fd72::9") == "fd72::9 does not answer neighbour solicitations on dev1");
  CHECK(error_of("203.0.113.1").find("no route to 203.0.113.1 by dev1") == 0);
  CHECK(error_of("2001:db8::1").find("no route to 2001:db8::1 by dev1") == 0);
  CHECK(error_of("10.71.0.2").find("no route to 10.71.0.2 by dev1") == 0);  // reachable, but by the other device
  CHECK(error_of("10.71.0.1").find("this host's own address") != std::string::npos);
  REQUIRE(run("ip route add 198.51.100.0/24 via 10.72.0.8 && ip route add blackhole 192.0.2.0/24") == 0);
  CHECK(error_of("198.51.100.7") == "10.72.0.8, the router on the way to 198.51.100.7, does not answer ARP on dev1");
  CHECK(error_of("192.0.2.1").find("192.0.2.1 by dev1") != std::string::npos);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  CHECK((*hops)->at(ip("10.72.0.9"), dev1) == nullptr);
}

TEST_CASE("next_hop: an address of the host itself is found behind a veth pair with both ends here, and by no other device (H11)") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  const InNamespace in(net.appliance);
  REQUIRE(run("ip link add tls0 type veth peer name tls1 && ip link set tls0 up && ip link set tls1 up") == 0);
  auto hops = NextHops::open();
  REQUIRE(hops.has_value());
  const std::uint32_t tls0 = ifindex_of("tls0");
  for (const char* own : {"10.71.0.1", "fd71::1"}) {
    const auto hop = (*hops)->find(ip(own), tls0, kPatience);
    REQUIRE_MESSAGE(hop.has_value(), (hop ? "" : hop.error()));
    CHECK(hop->mac == read_link("tls1")->mac);
    CHECK(hop->neighbour == ip(own));
  }
  CHECK_FALSE((*hops)->find(ip("10.71.0.1"), ifindex_of("dev1"), kPatience));  // a veth, but its other end is elsewhere
  REQUIRE(run("ip link set tls1 address 02:00:00:00:00:77") == 0);
  CHECK((*hops)->refresh());
  CHECK((*hops)->at(ip("fd71::1"), tls0)->mac == MacAddress{2, 0, 0, 0, 0, 0x77});
  REQUIRE(run("ip addr del 10.71.0.1/24 dev dev0") == 0);
  (*hops)->refresh();
  CHECK((*hops)->at(ip("10.71.0.1"), tls0) == nullptr);
}

TEST_CASE("next_hop: a neighbour that changes its hardware address, or goes away, is noticed by the monitor") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  const InNamespace in(net.appliance);
  auto opened = NextHops::open();
  REQUIRE(opened.has_value());
  NextHops& hops = **opened;
  const std::uint32_t dev1 = ifindex_of("dev1");
  REQUIRE(hops.find(ip("10.72.0.2"), dev1, kPatience).has_value());
  hops.refresh();
  pollfd monitor{.fd = hops.fd(), .events = POLLIN, .revents = 0};
  REQUIRE(run("ip neigh replace 10.72.0.2 lladdr 02:00:00:00:00:99 dev dev1 nud permanent") == 0);
  CHECK(::poll(&monitor, 1, 1000) == 1);
  CHECK(hops.refresh());
  CHECK(hops.at(ip("10.72.0.2"), dev1)->mac == MacAddress{2, 0, 0, 0, 0, 0x99});
  CHECK(::poll(&monitor, 1, 0) == 0);  // drained

  REQUIRE(run("ip link set dev1 down") == 0);
  CHECK(::poll(&monitor, 1, 1000) == 1);
  CHECK(hops.refresh());
  CHECK(hops.at(ip("10.72.0.2"), dev1) == nullptr);
}
