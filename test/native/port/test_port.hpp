// What the tests of real ports share: endpoints, the next packet of a port, and packets between the ends of TestNet.
#pragma once

#include <poll.h>

#include <array>
#include <memory>

#include "native/port/test_packet.hpp"
#include "port/link.hpp"
#include "port/port.hpp"

namespace cutwater::port::test {

/// Two stations of TestNet; a struct, because clang's lambdas cannot capture structured bindings.
struct AddressPair {
  const char* source;
  const char* destination;
};
constexpr std::array<AddressPair, 2> kClientToAppliance{{{"10.71.0.2", "10.71.0.1"}, {"fd71::2", "fd71::1"}}};

constexpr Steer to(std::uint16_t port, IpAddress address) { return {Steer::Match::destination, address, port}; }
constexpr Steer from(std::uint16_t port, IpAddress address) { return {Steer::Match::source, address, port}; }

inline MacAddress mac_of(const std::string& ns, const std::string& device) {
  const InNamespace in(ns);
  return read_link(device)->mac;
}

/// Polls a port until a packet comes or patience ends.
inline Frame next_packet(Port& port, ChunkPool& pool, std::chrono::milliseconds wait = std::chrono::milliseconds(300)) {
  const auto end = std::chrono::steady_clock::now() + wait;
  std::array<Packet, kBurst> burst;
  while (std::chrono::steady_clock::now() < end) {
    const std::size_t count = port.rx(burst);
    if (count != 0) {
      const Frame first(burst[0].data, burst[0].data + burst[0].bytes);
      for (std::size_t i = 0; i < count; ++i) pool.put(burst[i].chunk);
      return first;
    }
    pollfd ready{.fd = port.fd(), .events = POLLIN, .revents = 0};
    ::poll(&ready, 1, 10);
  }
  return {};
}

inline TestPacket syn(const TestNet& net, const char* source, const char* destination, std::uint16_t destination_port) {
  TestPacket packet;
  packet.ends = {.source_mac = mac_of(net.client, "client0"),
                 .destination_mac = mac_of(net.appliance, "dev0"),
                 .source = ip(source),
                 .destination = ip(destination),
                 .source_port = 40000,
                 .destination_port = destination_port};
  return packet;
}

/// What the client's cable end sees and can send.
inline std::unique_ptr<Tap> tap(const std::string& ns, const std::string& device) {
  const InNamespace in(ns);
  return std::make_unique<Tap>(device);
}

}  // namespace cutwater::port::test
