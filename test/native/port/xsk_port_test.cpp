// native/port/xsk_port.cpp, umem.cpp and what native/xdp/redirect.bpf.c steers, over veth in namespaces.
#include "port/xsk_port.hpp"

#include <doctest/doctest.h>

#include <array>
#include <thread>

#include "native/port/test_net.hpp"
#include "native/port/test_port.hpp"

using namespace cutwater;
using namespace cutwater::port;
using namespace cutwater::port::test;

namespace {

/// The appliance's dev0 and dev1 with the program on and one worker's ports open.
struct Appliance {
  std::shared_ptr<XdpRedirect> client_side, server_side;
  std::vector<std::unique_ptr<Port>> ports;

  Appliance(const TestNet& net, ChunkPool& pool, AttachMode mode, std::uint16_t vlan = 0) {
    const InNamespace in(net.appliance);
    client_side = attach("dev0", mode, vlan);
    server_side = attach("dev1", mode, vlan);
    const std::array<XskConfig, 2> configs{XskConfig{.redirect = client_side, .queues = {}},
                                           XskConfig{.redirect = server_side, .queues = {}}};
    auto opened = open_xsk(configs, pool);
    REQUIRE_MESSAGE(opened.has_value(), (opened ? "" : opened.error()));
    ports = std::move(*opened);
  }
  void steer(std::span<const Steer> endpoints, const TestNet& net) const {
    const InNamespace in(net.appliance);
    REQUIRE(client_side->steer(endpoints).has_value());
    REQUIRE(server_side->steer(endpoints).has_value());
  }

 private:
  static std::shared_ptr<XdpRedirect> attach(const char* device, AttachMode mode, std::uint16_t vlan) {
    auto redirect = XdpRedirect::attach({.device = device, .attach = mode, .vlan = vlan});
    REQUIRE_MESSAGE(redirect.has_value(), (redirect ? "" : redirect.error()));
    return *redirect;
  }
};

struct ModeCase {
  AttachMode mode;
  const char* name;
};

}  // namespace

TEST_CASE(
    "H12: steered TCP arrives at the xsk port and not in the kernel, all else in the kernel and not at the port") {
  if (!can_load_xdp()) return;
  for (const ModeCase& attach_case :
       {ModeCase{AttachMode::driver, "driver"}, ModeCase{AttachMode::generic, "generic"}}) {
    CAPTURE(attach_case.name);
    const TestNet net;
    ChunkPool pool(4096);
    {
      const Appliance appliance(net, pool, attach_case.mode);
      Port& port = *appliance.ports[0];
      CHECK(port.report().attach_mode == attach_case.name);
      CHECK(port.report().copy_mode == "copy");  // veth has no zero-copy: what is reported is what is
      CHECK(port.report().queues == 1);
      appliance.steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}, net);
      const auto wire = tap(net.client, "client0");
      for (const AddressPair& pair : kClientToAppliance) {
        CAPTURE(pair.destination);
        const Frame steered = tcp_packet(syn(net, pair.source, pair.destination, 443));
        wire->send(steered);
        CHECK(next_packet(port, pool) == steered);
        CHECK(wire->receive(is_reset_from(443), std::chrono::milliseconds(50)).empty());

        wire->send(tcp_packet(syn(net, pair.source, pair.destination, 444)));
        CHECK_FALSE(wire->receive(is_reset_from(444)).empty());
        CHECK(next_packet(port, pool, std::chrono::milliseconds(20)).empty());
        CHECK(run("ip netns exec " + net.client + " ping -c1 -W1 " + pair.destination + " >/dev/null") == 0);
      }
    }
    CHECK(pool.free_chunks() == pool.capacity());
  }
}

TEST_CASE("H12: the kernel keeps fragments, other VLANs, other stations' packets and TCP that only resembles ours") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(4096);
  const Appliance appliance(net, pool, AttachMode::driver);
  appliance.steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}, net);
  const auto wire = tap(net.client, "client0");
  Port& port = *appliance.ports[0];

  std::vector<Frame> foreign;
  TestPacket packet = syn(net, "10.71.0.2", "10.71.0.1", 443);
  packet.fragment = 0x2000;  // more to come
  foreign.push_back(tcp_packet(packet));
  packet.fragment = 0x0001;  // not the first
  foreign.push_back(tcp_packet(packet));
  packet.fragment = 0;
  packet.vlan = 42;
  foreign.push_back(tcp_packet(packet));
  packet.vlan = 0;
  packet.protocol = 17;  // UDP with the same ports
  foreign.push_back(tcp_packet(packet));
  packet.protocol = 6;
  packet.ends.destination_mac = {2, 0, 0, 0, 0, 1};
  foreign.push_back(tcp_packet(packet));
  foreign.push_back(tcp_packet(syn(net, "10.71.0.2", "10.71.0.3", 443)));
  TestPacket reversed =
      syn(net, "10.71.0.1", "10.71.0.2", 40000);  // from the steered endpoint, and only "to" is steered
  reversed.ends.source_port = 443;
  foreign.push_back(tcp_packet(reversed));
  Frame cut = tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443));
  cut.resize(14 + 20 + 2);  // the headers end in the middle of the ports
  foreign.push_back(cut);
  TestPacket v6 = syn(net, "fd71::2", "fd71::1", 443);
  v6.protocol = 44;  // fragment header
  foreign.push_back(tcp_packet(v6));
  for (const Frame& frame : foreign) wire->send(frame);
  CHECK(next_packet(port, pool, std::chrono::milliseconds(100)).empty());

  const Frame ours = tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443));
  wire->send(ours);
  CHECK(next_packet(port, pool) == ours);  // the same port was listening all along
}

TEST_CASE("xsk_port: packets of one configured VLAN are steered with their tag in place") {
  if (!can_load_xdp()) return;
  for (const ModeCase& attach_case :
       {ModeCase{AttachMode::driver, "driver"}, ModeCase{AttachMode::generic, "generic"}}) {
    CAPTURE(attach_case.name);
    const TestNet net;
    ChunkPool pool(4096);
    const Appliance appliance(net, pool, attach_case.mode, 42);
    appliance.steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}, net);
    const auto wire = tap(net.client, "client0");
    for (const AddressPair& pair : kClientToAppliance) {
      TestPacket packet = syn(net, pair.source, pair.destination, 443);
      wire->send(tcp_packet(packet));
      packet.vlan = 42;
      const Frame tagged = tcp_packet(packet);
      wire->send(tagged);
      CHECK(next_packet(*appliance.ports[0], pool) == tagged);
    }
  }
}

TEST_CASE(
    "xsk_port: the server side is steered by source, every address by 'any', and a new set replaces the old one") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(4096);
  const Appliance appliance(net, pool, AttachMode::driver);
  const auto wire = tap(net.client, "client0");
  Port& port = *appliance.ports[0];
  const auto arrives = [&](const TestPacket& packet) {
    const Frame frame = tcp_packet(packet);
    wire->send(frame);
    return next_packet(port, pool, std::chrono::milliseconds(100)) == frame;
  };
  TestPacket answer = syn(net, "10.71.0.2", "10.71.0.1", 40000);
  answer.ends.source_port = 80;
  const TestPacket v4 = syn(net, "10.71.0.2", "10.99.0.1", 443), v6 = syn(net, "fd71::2", "fd99::1", 443);

  CHECK_FALSE(arrives(answer));
  appliance.steer(std::array{from(80, ip("10.71.0.2"))}, net);
  CHECK(arrives(answer));
  CHECK_FALSE(arrives(v4));
  appliance.steer(std::array{to(443, ip("0.0.0.0"))}, net);
  CHECK_FALSE(arrives(answer));
  CHECK(arrives(v4));
  CHECK_FALSE(arrives(v6));
  appliance.steer(std::array{to(443, ip("::"))}, net);
  CHECK(arrives(v4));
  CHECK(arrives(v6));
  appliance.steer({}, net);
  CHECK_FALSE(arrives(v4));
  CHECK_FALSE(arrives(v6));
}

TEST_CASE(
    "A7: 'fragmentation needed' and 'packet too big' about a steered flow come to the port, about others to the "
    "kernel") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(4096);
  const Appliance appliance(net, pool, AttachMode::driver);
  appliance.steer(std::array{to(443, ip("10.71.0.1")), to(443, ip("fd71::1"))}, net);
  const auto wire = tap(net.client, "client0");
  Port& port = *appliance.ports[0];
  for (const AddressPair& pair : kClientToAppliance) {
    CAPTURE(pair.destination);
    for (const std::uint16_t service_port : {std::uint16_t{443}, std::uint16_t{444}}) {
      TestPacket went_out =
          syn(net, pair.destination, pair.source, 40000);  // what the pair.destination had sent to the client
      went_out.ends.source_port = service_port;
      went_out.payload.assign(100, 'x');
      Frame quoted = ip_packet(went_out, tcp_segment(went_out));
      quoted.resize(went_out.ends.source.is_v4() ? 28 : 48);  // as short as RFC 792 allows: the IP header and 8 bytes
      const Frame error = too_big_packet(syn(net, pair.source, pair.destination, 0), quoted);
      wire->send(error);
      const Frame arrived = next_packet(port, pool, std::chrono::milliseconds(100));
      CHECK(arrived == (service_port == 443 ? error : Frame{}));
    }
  }
}

TEST_CASE("xsk_port: one Port polls several queues, and its descriptor wakes for each of them") {
  if (!can_load_xdp()) return;
  const TestNet net(2);
  ChunkPool pool(4096);
  {
    const Appliance appliance(net, pool, AttachMode::driver);
    CHECK(appliance.ports[0]->report().queues == 2);
    appliance.steer(std::array{to(443, ip("10.71.0.1"))}, net);
    const auto wire = tap(net.client, "client0");
    int arrived = 0;
    for (std::uint16_t i = 0; i < 32; ++i) {  // different flows, so that veth spreads them over both queues
      TestPacket packet = syn(net, "10.71.0.2", "10.71.0.1", 443);
      packet.ends.source_port = static_cast<std::uint16_t>(40000 + i);
      wire->send(tcp_packet(packet));
      if (!next_packet(*appliance.ports[0], pool).empty()) ++arrived;
    }
    CHECK(arrived == 32);
  }
  CHECK(pool.free_chunks() == pool.capacity());
}

TEST_CASE("xsk_port: a million packets cross from one port to the other over one UMEM and no chunk is lost (I5)") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(8192);
  constexpr std::size_t kPackets = 1'000'000;
  std::size_t forwarded = 0, received = 0;
  {
    const Appliance appliance(net, pool, AttachMode::driver);
    appliance.steer(std::array{to(443, ip("10.72.0.2"))}, net);
    Port &in = *appliance.ports[0], &out = *appliance.ports[1];
    std::jthread sender([&](const std::stop_token& stop) {
      const InNamespace here(net.client);
      const Tap wire("client0");
      const Frame frame = tcp_packet(syn(net, "10.71.0.2", "10.72.0.2", 443));
      while (!stop.stop_requested()) wire.send(frame);
    });
    std::array<Packet, kBurst> burst;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (received < kPackets && std::chrono::steady_clock::now() < end) {
      const std::size_t count = in.rx(burst);
      for (std::size_t i = 0; i < count; ++i) REQUIRE(pool.chunk_of(burst[i].data) == burst[i].chunk);
      received += count;
      forwarded += out.tx(std::span(burst).first(count));
      out.rx(burst);  // reclaims what was sent
    }
    sender.request_stop();
  }
  CHECK(received >= kPackets);
  CHECK(forwarded * 10 >= received * 9);
  CHECK(pool.free_chunks() == pool.capacity());
}

TEST_CASE("xsk_port: with busy polling rx() drives the device itself, and gets every packet") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(4096);
  const InNamespace in(net.appliance);
  auto redirect = XdpRedirect::attach({.device = "dev0"});
  REQUIRE(redirect.has_value());
  auto ports = open_xsk(std::array{XskConfig{.redirect = *redirect, .queues = {}, .busy_poll_us = 20}}, pool);
  REQUIRE_MESSAGE(ports.has_value(), (ports ? "" : ports.error()));
  REQUIRE((*redirect)->steer(std::array{to(443, ip("10.71.0.1"))}).has_value());
  const auto wire = tap(net.client, "client0");
  const Frame frame = tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443));
  std::size_t arrived = 0;
  std::array<Packet, kBurst> burst;
  for (int i = 0; i < 100; ++i) {
    wire->send(frame);
    const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(500);
    std::size_t count = 0;
    while (count == 0 && std::chrono::steady_clock::now() < end) count = ports->front()->rx(burst);
    for (std::size_t k = 0; k < count; ++k) pool.put(burst[k].chunk);
    arrived += count;
  }
  CHECK(arrived == 100);
}

TEST_CASE("xsk_port: a one-arm worker has one port for both sides") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(4096);
  const InNamespace in(net.appliance);
  auto redirect = XdpRedirect::attach({.device = "dev0"});
  REQUIRE(redirect.has_value());
  auto ports = open_xsk(std::array{XskConfig{.redirect = *redirect, .queues = {}}}, pool);
  REQUIRE_MESSAGE(ports.has_value(), (ports ? "" : ports.error()));
  REQUIRE((*redirect)->steer(std::array{to(443, ip("10.71.0.1")), from(80, ip("10.71.0.3"))}).has_value());
  const auto wire = tap(net.client, "client0");
  const Frame up = tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443));
  TestPacket answer = syn(net, "10.71.0.3", "10.71.0.2", 40000);
  answer.ends.source_port = 80;
  for (const Frame& frame : {up, tcp_packet(answer)}) {
    wire->send(frame);
    CHECK(next_packet(*ports->front(), pool) == frame);
  }
  auto packet = pool.take();
  std::memcpy(packet->data, up.data(), up.size());
  packet->bytes = static_cast<std::uint32_t>(up.size());
  CHECK(ports->front()->tx(std::span<const Packet>(&*packet, 1)) == 1);
  CHECK_FALSE(wire->receive([&](const Frame& seen) { return seen == up; }).empty());
}

TEST_CASE(
    "xsk_port: refuses in words zero-copy that the driver has not, a queue that is not there, and a pool that is too "
    "small") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(4096), tiny(64);
  const InNamespace in(net.appliance);
  auto redirect = XdpRedirect::attach({.device = "dev0"});
  REQUIRE(redirect.has_value());
  const auto error_of = [&](XskConfig config, ChunkPool& from_pool) {
    config.redirect = *redirect;
    const auto ports = open_xsk(std::span<const XskConfig>(&config, 1), from_pool);
    return ports ? std::string("no error") : ports.error();
  };
  CHECK(error_of({.redirect = nullptr, .queues = {}, .copy = CopyMode::zero_copy}, pool)
            .find("dev0 queue 0: driver \"veth\" has no zero-copy") == 0);
  CHECK(error_of({.redirect = nullptr, .queues = {7}}, pool) == "dev0 queue 7: the device has only 1 queues");
  CHECK(error_of({.redirect = nullptr, .queues = {}, .ring_entries = 1000}, pool).find("power of two") !=
        std::string::npos);
  CHECK(error_of({.redirect = nullptr, .queues = {}}, tiny).find("64 chunks are too few") == 0);
  CHECK(pool.free_chunks() == pool.capacity());  // failures leave nothing behind
  CHECK(error_of({.redirect = nullptr, .queues = {}}, pool) == "no error");
}

TEST_CASE("xsk_port: packets that an offload joined are counted and not passed on; full rings give chunks back (I5)") {
  if (!can_load_xdp()) return;
  const TestNet net;
  ChunkPool pool(1024);
  {
    const InNamespace in(net.appliance);
    auto redirect = XdpRedirect::attach({.device = "dev0"});
    REQUIRE(redirect.has_value());
    auto ports = open_xsk(std::array{XskConfig{.redirect = *redirect, .queues = {}, .ring_entries = 64}}, pool);
    REQUIRE_MESSAGE(ports.has_value(), (ports ? "" : ports.error()));
    Port& port = *ports->front();
    REQUIRE((*redirect)->steer(std::array{to(443, ip("10.71.0.1"))}).has_value());
    // Longer packets than the port was opened for, as gro would make them: veth lets them through only if both ends
    // allow it.
    REQUIRE(run("ip link set dev0 mtu 3000 && ip -n " + net.client + " link set client0 mtu 3000") == 0);
    const auto wire = tap(net.client, "client0");
    TestPacket large = syn(net, "10.71.0.2", "10.71.0.1", 443);
    large.payload.assign(1500, 'x');
    wire->send(tcp_packet(large));
    const Frame small = tcp_packet(syn(net, "10.71.0.2", "10.71.0.1", 443));
    wire->send(small);
    CHECK(next_packet(port, pool) == small);
    CHECK(port.counters().rx_oversize == 1);

    std::vector<Packet> many;
    for (int i = 0; i < 200; ++i) {
      many.push_back(*pool.take());
      std::memcpy(many.back().data, small.data(), small.size());
      many.back().bytes = static_cast<std::uint32_t>(small.size());
    }
    many[5].bytes = 3;  // no Ethernet packet at all
    const std::size_t admitted = port.tx(many);
    CHECK(admitted < 200);
    CHECK(port.counters().tx_invalid == 1);
    CHECK(port.counters().tx_not_admitted == 200 - admitted);
    for (int i = 0; i < 200; ++i) wire->send(small);  // more than the ring of 64 holds while nobody looks
    CHECK(port.counters().rx_kernel_drops > 0);
    CHECK(next_packet(port, pool) == small);
  }
  CHECK(pool.free_chunks() == pool.capacity());
}
