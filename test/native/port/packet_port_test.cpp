// native/port/packet_port.cpp, packet_filter.cpp, kernel_drop.cpp, over veth in namespaces, as root and in a user
// namespace.
#include "port/packet_port.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include <thread>

#include "native/port/test_port.hpp"
#include "port/packet_filter.hpp"

using namespace cutwater;
using namespace cutwater::port;
using namespace cutwater::port::test;

namespace {

std::unique_ptr<PacketPort> open_port(const TestNet& net, const char* device, ChunkPool& pool, std::uint16_t vlan = 0) {
  const InNamespace in(net.appliance);
  auto port = PacketPort::open({.device = device, .vlan = vlan}, pool);
  REQUIRE_MESSAGE(port.has_value(), (port ? "" : port.error()));
  return std::move(*port);
}

}  // namespace

TEST_CASE(
    "packet_port: steered TCP arrives at the port and not in the kernel, all else in the kernel and not at the port "
    "(H12)") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  ChunkPool pool(256);
  {
    const auto port = open_port(net, "dev0", pool);
    CHECK(port->report().kind == "packet");
    CHECK(port->report().mac == mac_of(net.appliance, "dev0"));
    REQUIRE(port->steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}).has_value());
    const auto wire = tap(net.client, "client0");
    for (const AddressPair& pair : kClientToAppliance) {
      CAPTURE(pair.destination);
      const Frame steered = tcp_packet(syn(net, pair.source, pair.destination, 443));
      wire->send(steered);
      CHECK(next_packet(*port, pool) == steered);
      CHECK(wire->receive(is_reset_from(443), std::chrono::milliseconds(50)).empty());

      wire->send(tcp_packet(syn(net, pair.source, pair.destination, 444)));
      CHECK_FALSE(wire->receive(is_reset_from(444)).empty());
      CHECK(next_packet(*port, pool, std::chrono::milliseconds(20)).empty());
      CHECK(run("ip netns exec " + net.client + " ping -c1 -W1 " + pair.destination + " >/dev/null") == 0);
    }
    REQUIRE(port->steer({}).has_value());
    wire->send(tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443)));
    CHECK_FALSE(wire->receive(is_reset_from(443)).empty());  // given back to the kernel
    CHECK(next_packet(*port, pool, std::chrono::milliseconds(20)).empty());
  }
  CHECK(pool.free_chunks() == pool.capacity());
}

TEST_CASE(
    "packet_port: the kernel keeps fragments, other VLANs, other stations' packets and TCP that only resembles ours "
    "(H12)") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  ChunkPool pool(256);
  const auto port = open_port(net, "dev0", pool);
  REQUIRE(port->steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}).has_value());
  const auto wire = tap(net.client, "client0");
  std::vector<Frame> foreign;
  TestPacket packet = syn(net, "10.71.0.2", "10.71.0.1", 443);
  packet.fragment = 0x2000;
  foreign.push_back(tcp_packet(packet));
  packet.fragment = 0x0001;
  foreign.push_back(tcp_packet(packet));
  packet.fragment = 0;
  packet.vlan = 42;
  foreign.push_back(tcp_packet(packet));
  packet.vlan = 0;
  packet.protocol = 17;
  foreign.push_back(tcp_packet(packet));
  packet.protocol = 6;
  packet.ends.destination_mac = {2, 0, 0, 0, 0, 1};
  foreign.push_back(tcp_packet(packet));
  foreign.push_back(tcp_packet(syn(net, "10.71.0.2", "10.71.0.3", 443)));
  TestPacket reversed = syn(net, "10.71.0.1", "10.71.0.2", 40000);
  reversed.ends.source_port = 443;
  foreign.push_back(tcp_packet(reversed));
  TestPacket v6 = syn(net, "fd71::2", "fd71::1", 443);
  v6.protocol = 44;
  foreign.push_back(tcp_packet(v6));
  v6.protocol = 6;
  v6.ends.destination = ip("fd71::ffff:1");  // differs in one word of four
  foreign.push_back(tcp_packet(v6));
  for (const Frame& frame : foreign) wire->send(frame);
  CHECK(next_packet(*port, pool, std::chrono::milliseconds(100)).empty());
  const Frame ours = tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443));
  wire->send(ours);
  CHECK(next_packet(*port, pool) == ours);
}

TEST_CASE(
    "packet_port: the kernel reassembles and answers a fragmented segment to a steered endpoint, so it lost no "
    "fragment (H12)") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  ChunkPool pool(256);
  const auto port = open_port(net, "dev0", pool);
  REQUIRE(port->steer(std::array{to(443, ip("10.71.0.1"))}).has_value());
  const auto wire = tap(net.client, "client0");
  TestPacket packet = syn(net, "10.71.0.2", "10.71.0.1", 443);
  packet.payload.assign(28, 'x');
  const Frame segment = tcp_segment(packet);
  packet.fragment = 0x2000;
  wire->send(with_ethernet(packet, ip_packet(packet, Frame(segment.begin(), segment.begin() + 24))));
  packet.fragment = 3;  // times eight
  wire->send(with_ethernet(packet, ip_packet(packet, Frame(segment.begin() + 24, segment.end()))));
  CHECK_FALSE(wire->receive(is_reset_from(443)).empty());
}

TEST_CASE("packet_port: the VLAN tag that the kernel takes off is put back") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  ChunkPool pool(256);
  const auto port = open_port(net, "dev0", pool, 42);
  REQUIRE(port->steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}).has_value());
  const auto wire = tap(net.client, "client0");
  for (const AddressPair& pair : kClientToAppliance) {
    TestPacket packet = syn(net, pair.source, pair.destination, 443);
    wire->send(tcp_packet(packet));
    packet.vlan = 43;
    wire->send(tcp_packet(packet));
    packet.vlan = 42;
    const Frame tagged = tcp_packet(packet);
    wire->send(tagged);
    CHECK(next_packet(*port, pool) == tagged);
  }
  const auto sent = syn(net, "10.71.0.1", "10.71.0.2", 1);
  auto answer = pool.take();
  TestPacket tagged = sent;
  tagged.vlan = 42;
  const Frame frame = tcp_packet(tagged);
  std::memcpy(answer->data, frame.data(), frame.size());
  answer->bytes = static_cast<std::uint32_t>(frame.size());
  CHECK(port->tx(std::span<const Packet>(&*answer, 1)) == 1);
  // The tap's kernel takes the tag off as well; that the packet arrives with the addresses in place is what can be seen
  // here.
  CHECK_FALSE(
      wire->receive([&](const Frame& seen) { return seen.size() == frame.size() - 4 && tcp_offset(seen) == 34; })
          .empty());
}

TEST_CASE("packet_port: source match, any address and ICMP errors are steered as on xsk (A7)") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  ChunkPool pool(256);
  const auto port = open_port(net, "dev0", pool);
  const auto wire = tap(net.client, "client0");
  const auto arrives = [&](const Frame& frame) {
    wire->send(frame);
    return next_packet(*port, pool, std::chrono::milliseconds(100)) == frame;
  };
  TestPacket answer = syn(net, "10.71.0.2", "10.71.0.1", 40000);
  answer.ends.source_port = 80;
  const Frame v4 = tcp_packet(syn(net, "10.71.0.2", "10.99.0.1", 443)),
              v6 = tcp_packet(syn(net, "fd71::2", "fd99::1", 443));
  CHECK_FALSE(arrives(tcp_packet(answer)));
  REQUIRE(port->steer(std::array{from(80, ip("10.71.0.2"))}).has_value());
  CHECK(arrives(tcp_packet(answer)));
  CHECK_FALSE(arrives(v4));
  REQUIRE(port->steer(std::array{to(443, ip("0.0.0.0"))}).has_value());
  CHECK_FALSE(arrives(tcp_packet(answer)));
  CHECK(arrives(v4));
  CHECK_FALSE(arrives(v6));
  REQUIRE(port->steer(std::array{to(443, ip("::"))}).has_value());
  CHECK(arrives(v4));
  CHECK(arrives(v6));

  REQUIRE(port->steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}).has_value());
  for (const AddressPair& pair : kClientToAppliance) {
    for (const std::uint16_t service_port : {std::uint16_t{443}, std::uint16_t{444}}) {
      TestPacket went_out = syn(net, pair.destination, pair.source, 40000);
      went_out.ends.source_port = service_port;
      Frame quoted = ip_packet(went_out, tcp_segment(went_out));
      quoted.resize(went_out.ends.source.is_v4() ? 28 : 48);
      CHECK(arrives(too_big_packet(syn(net, pair.source, pair.destination, 0), quoted)) == (service_port == 443));
    }
  }
}

TEST_CASE("packet_port: a checksum that the sender left to its device is complete on arrival") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  REQUIRE(run("ip netns exec " + net.client + " ethtool -K client0 tx on >/dev/null 2>&1") == 0);
  ChunkPool pool(256);
  const auto port = open_port(net, "dev0", pool);
  REQUIRE(port->steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}).has_value());
  for (const char* address : {"10.71.0.1", "fd71::1"}) {
    // A real SYN of the client's own kernel: nobody answers, so it gives up by itself.
    run("ip netns exec " + net.client + " timeout 2 bash -c 'exec 3<>/dev/tcp/" + address + "/443' 2>/dev/null &");
    const Frame packet = next_packet(*port, pool, std::chrono::seconds(2));
    const std::size_t at = tcp_offset(packet);
    REQUIRE(at != 0);
    TestEnds ends;
    ends.source = packet[12] == 0x08 ? IpAddress::from_v4(packet.data() + 26) : IpAddress::from_v6(packet.data() + 22);
    ends.destination =
        packet[12] == 0x08 ? IpAddress::from_v4(packet.data() + 30) : IpAddress::from_v6(packet.data() + 38);
    CHECK(transport_checksum(ends, 6, Frame(packet.begin() + static_cast<std::ptrdiff_t>(at), packet.end())) == 0);
    while (!next_packet(*port, pool, std::chrono::milliseconds(10)).empty()) {
    }
  }
}

TEST_CASE("packet_port: packets cross from one port to the other in order and no chunk is lost (I5)") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  ChunkPool pool(1024);
  constexpr std::uint32_t kPackets = 20'000;
  std::uint32_t expected = 0, out_of_order = 0;
  {
    const auto in = open_port(net, "dev0", pool), out = open_port(net, "dev1", pool);
    REQUIRE(in->steer(std::array{to(443, ip("10.72.0.2"))}).has_value());
    const auto server = tap(net.server, "server0");
    const auto client = tap(net.client, "client0");
    TestPacket packet = syn(net, "10.71.0.2", "10.72.0.2", 443);
    packet.payload.assign(1400, 0);
    Frame frame = tcp_packet(packet);
    const auto number_at = static_cast<std::ptrdiff_t>(frame.size()) - 4;
    std::array<Packet, kBurst> burst;
    for (std::uint32_t i = 0; i < kPackets; ++i) {
      store_be32(frame.data() + number_at, i);
      client->send(frame);
      if (i % 32 != 31) continue;
      while (const std::size_t count = in->rx(burst)) out->tx(std::span(burst).first(count));
      while (true) {
        const Frame seen = server->receive([&](const Frame& f) { return f.size() == frame.size(); },
                                           std::chrono::milliseconds(expected == i + 1 ? 0 : 100));
        if (seen.empty()) break;
        out_of_order += load_be32(seen.data() + number_at) != expected++;
        if (expected == i + 1) break;
      }
    }
    CHECK(in->counters().rx_kernel_drops == 0);
    CHECK(out->counters().tx_not_admitted == 0);
  }
  CHECK(expected == kPackets);
  CHECK(out_of_order == 0);
  CHECK(pool.free_chunks() == pool.capacity());
}

TEST_CASE("packet_port: a dry pool leaves packets in the ring until chunks come back (I5)") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  ChunkPool pool(2);
  const auto port = open_port(net, "dev0", pool);
  REQUIRE(port->steer(std::array{to(443, ip("10.71.0.1"))}).has_value());
  const auto wire = tap(net.client, "client0");
  for (int i = 0; i < 3; ++i) wire->send(tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443)));
  std::array<Packet, kBurst> burst;
  REQUIRE(port->rx(burst) == 2);
  CHECK(port->rx(std::span(burst).subspan(2)) == 0);
  CHECK(port->counters().rx_pool_dry == 2);
  pool.put(burst[0].chunk);
  CHECK(port->rx(std::span(burst).first(1)) == 1);
}

TEST_CASE(
    "kernel_drop: the rules vanish with the process, even by SIGKILL, and nobody else takes the device meanwhile") {
  if (!can_make_namespaces()) return;
  const TestNet net;
  const std::string rules = "ip netns exec " + net.appliance + " nft list ruleset";
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const InNamespace in(net.appliance);
    ChunkPool pool(64);
    const auto port = PacketPort::open({.device = "dev0"}, pool);
    const char sign = port && (*port)->steer(std::array{to(443, ip("10.71.0.1"))}) ? '+' : '-';
    if (::write(ready[1], &sign, 1) == 1) ::pause();
    ::_exit(1);
  }
  char sign = 0;
  REQUIRE(::read(ready[0], &sign, 1) == 1);
  REQUIRE(sign == '+');
  CHECK(output_of(rules).find("10.71.0.1 . 443") != std::string::npos);
  {
    const InNamespace in(net.appliance);
    ChunkPool pool(64);
    const auto second = PacketPort::open({.device = "dev0"}, pool);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().find("another Cutwater process") != std::string::npos);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  CHECK(output_of(rules).empty());
}

TEST_CASE("packet_filter: too many endpoints are refused in words") {
  std::vector<Steer> many(2000, to(443, ip("10.0.0.1")));
  const auto program = packet_filter(many, 0);
  REQUIRE_FALSE(program.has_value());
  CHECK(program.error().find("2000 endpoints") == 0);
  many.resize(500);
  CHECK(packet_filter(many, 0).has_value());
}

TEST_CASE("packet_port: all of this also holds in a user namespace, without root of the machine") {
  if (!can_load_xdp()) return;  // already in one
  // A mount namespace of its own, so that `ip netns` has a place to keep its names.
  char self[4096] = {};
  REQUIRE(::readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
  const std::string log = "/tmp/cwport-userns-" + std::to_string(::getpid()) + ".log";
  const int status = run("unshare -Urnm sh -c 'mount -t tmpfs tmpfs /run && mkdir /run/netns && exec " +
                         std::string(self) + " -tc=\"packet_port*,kernel_drop*\"' >" + log + " 2>&1");
  const std::string text = output_of("cat " + log);
  CAPTURE(text);
  CHECK(status == 0);
  CHECK(text.find("0 failed") != std::string::npos);
  CHECK(text.find(" 0 passed") == std::string::npos);
  run("rm -f " + log);
}
