// native/port/link.cpp, checked against ethtool and ip.
#include <doctest/doctest.h>

#include <algorithm>

#include "native/port/test_port.hpp"

using namespace cutwater;
using namespace cutwater::port;
using namespace cutwater::port::test;

TEST_CASE("link: reads what the kernel knows of a device") {
  if (!can_make_namespaces()) return;
  const TestNet net(2);
  const InNamespace in(net.appliance);
  REQUIRE(run("ip link set dev1 address 02:00:00:00:00:77 mtu 1400 && ip link set dev1 down") == 0);
  const auto link = read_link("dev1");
  REQUIRE(link.has_value());
  CHECK(link->driver == "veth");
  CHECK(link->mtu == 1400);
  CHECK(link->mac == MacAddress{2, 0, 0, 0, 0, 0x77});
  CHECK(link->rx_queues == 2);
  CHECK_FALSE(link->is_up);
  CHECK(read_link("dev0")->is_up);
  CHECK(read_link("nowhere0").error().find("no such network device") != std::string::npos);
}

TEST_CASE("link: names the offloads that harm a port, turns them off, and says so only when they are off") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  const InNamespace in(net.appliance);
  REQUIRE(run("ethtool -K dev0 rx on tx on tso on gso on gro on >/dev/null 2>&1") == 0);
  const auto harmful = harmful_offloads(*read_link("dev0"));
  for (const char* name : {"tx", "tso", "gso", "gro"})
    CHECK(std::find(harmful.begin(), harmful.end(), name) != harmful.end());
  const auto left = set_offloads_off("dev0");
  REQUIRE(left.has_value());
  for (const OffloadState state :
       {left->tso, left->gso, left->gro, left->tx_checksum, left->rx_checksum, left->rx_vlan, left->tx_vlan}) {
    CHECK(state == OffloadState::off);
  }
  CHECK(harmful_offloads(*read_link("dev0")).empty());
  const std::string features = output_of("ethtool -k dev0");
  for (const char* name : {"tx-checksumming", "tx-tcp-segmentation", "tx-tcp6-segmentation",
                           "generic-segmentation-offload", "generic-receive-offload"}) {
    CHECK(features.find(std::string(name) + ": off") != std::string::npos);
  }
}
