// The least a packet port can do: TCP of one server goes from the client's device to the server's and back, with new
// hardware addresses and nothing else. The ceiling of what a port costs before any TLS; what bench/e2e calls "L2
// forwarder".
//
//   l2_forward xsk|packet CLIENT-DEVICE SERVER-DEVICE CLIENT-ADDRESS SERVER-ADDRESS SERVER-PORT [BUSY-POLL-US]
//
// Runs until SIGINT or SIGTERM, then prints packets, and the CPU time of its one thread. Needs a network to stand in:
// routes of both ends that lead here (docs/benchmarking.md).
#include <arpa/inet.h>
#include <poll.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "port/next_hop.hpp"
#include "port/packet_port.hpp"
#include "port/xsk_port.hpp"

using namespace cutwater;
using namespace cutwater::port;

namespace {

volatile std::sig_atomic_t is_stopping = 0;

struct Arguments {
  bool is_xsk;
  std::string client_device, server_device;
  IpAddress client, server;
  std::uint16_t server_port;
  std::uint32_t busy_poll_us;
};

struct Sides {
  std::vector<std::unique_ptr<Port>> ports;  // client side, server side
  std::vector<std::shared_ptr<XdpRedirect>> redirects;
};

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "l2_forward: %s\n", why.c_str());
  std::exit(1);
}

template <class T>
T must(Result<T, std::string> result) {
  if (!result) fail(result.error());
  return std::move(*result);
}

IpAddress to_address(const char* text) {
  std::uint8_t bytes[16];
  if (::inet_pton(AF_INET, text, bytes) == 1) return IpAddress::from_v4(bytes);
  if (::inet_pton(AF_INET6, text, bytes) == 1) return IpAddress::from_v6(bytes);
  fail(std::string(text) + ": not an address");
}

Sides open_xsk_sides(const Arguments& arguments, ChunkPool& pool) {
  Sides sides;
  std::vector<XskConfig> configs;
  for (const auto& device : {arguments.client_device, arguments.server_device}) {
    sides.redirects.push_back(must(XdpRedirect::attach({.device = device})));
    configs.push_back({.redirect = sides.redirects.back(), .queues = {}, .busy_poll_us = arguments.busy_poll_us});
  }
  sides.ports = must(open_xsk(configs, pool));
  return sides;
}

Sides open_packet_sides(const Arguments& arguments, ChunkPool& pool) {
  Sides sides;
  for (const auto& device : {arguments.client_device, arguments.server_device}) {
    sides.ports.push_back(must(PacketPort::open({.device = device}, pool)));
  }
  return sides;
}

void steer_sides(const Arguments& arguments, Sides& sides) {
  const std::array endpoints{Steer{Steer::Match::destination, arguments.server, arguments.server_port},
                             Steer{Steer::Match::source, arguments.server, arguments.server_port}};
  for (std::size_t i = 0; i < 2; ++i) {
    Steering* steering = arguments.is_xsk ? static_cast<Steering*>(sides.redirects[i].get())
                                          : dynamic_cast<PacketPort*>(sides.ports[i].get());
    must(steering->steer(std::span(endpoints).subspan(i, 1)));
  }
}

std::size_t forward(Port& from, Port& to, const MacAddress& next) {
  std::array<Packet, kBurst> burst;
  const std::size_t count = from.rx(burst);
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(burst[i].data, next.data(), next.size());
    std::memcpy(burst[i].data + 6, to.report().mac.data(), 6);
  }
  if (count != 0) to.tx(std::span(burst).first(count));
  return count;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7)
    fail(
        "usage: l2_forward xsk|packet CLIENT-DEVICE SERVER-DEVICE CLIENT-ADDRESS SERVER-ADDRESS SERVER-PORT "
        "[BUSY-POLL-US]");
  const Arguments arguments{.is_xsk = std::string(argv[1]) == "xsk",
                            .client_device = argv[2],
                            .server_device = argv[3],
                            .client = to_address(argv[4]),
                            .server = to_address(argv[5]),
                            .server_port = static_cast<std::uint16_t>(std::atoi(argv[6])),
                            .busy_poll_us = argc > 7 ? static_cast<std::uint32_t>(std::atoi(argv[7])) : 0};
  std::signal(SIGINT, [](int) { is_stopping = 1; });
  std::signal(SIGTERM, [](int) { is_stopping = 1; });

  ChunkPool pool(16'384);
  Sides sides = arguments.is_xsk ? open_xsk_sides(arguments, pool) : open_packet_sides(arguments, pool);
  Port &client = *sides.ports[0], &server = *sides.ports[1];
  const auto hops = must(NextHops::open());
  const MacAddress client_mac =
      must(hops->find(arguments.client, client.report().ifindex, std::chrono::seconds(3))).mac;
  const MacAddress server_mac =
      must(hops->find(arguments.server, server.report().ifindex, std::chrono::seconds(3))).mac;
  steer_sides(arguments, sides);
  for (const auto& port : sides.ports) {
    const PortReport& report = port->report();
    std::printf("%s %s %s %s\n", report.device.c_str(), report.kind.c_str(), report.attach_mode.c_str(),
                report.copy_mode.c_str());
  }
  std::fflush(stdout);

  std::uint64_t up = 0, down = 0;
  while (is_stopping == 0) {
    const std::size_t there = forward(client, server, server_mac), back = forward(server, client, client_mac);
    up += there;
    down += back;
    if (there + back != 0 || arguments.busy_poll_us != 0) continue;
    pollfd ready[2] = {{.fd = client.fd(), .events = POLLIN, .revents = 0},
                       {.fd = server.fd(), .events = POLLIN, .revents = 0}};
    ::poll(ready, 2, 100);
  }
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const double cpu_s = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                       static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
  std::printf("up %llu down %llu packets, %.2f s of CPU, %.0f ns per packet\n", static_cast<unsigned long long>(up),
              static_cast<unsigned long long>(down), cpu_s, cpu_s * 1e9 / static_cast<double>(up + down + 1));
  for (const auto& port : sides.ports) {
    const PortCounters counters = port->counters();
    std::printf("%s: oversize %llu, pool dry %llu, kernel drops %llu, not admitted %llu, invalid %llu\n",
                port->report().device.c_str(), static_cast<unsigned long long>(counters.rx_oversize),
                static_cast<unsigned long long>(counters.rx_pool_dry),
                static_cast<unsigned long long>(counters.rx_kernel_drops),
                static_cast<unsigned long long>(counters.tx_not_admitted),
                static_cast<unsigned long long>(counters.tx_invalid));
  }
  return 0;
}
