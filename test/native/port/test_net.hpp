// A little network for port tests, in namespaces of its own that vanish with it:
//
//   [client ns] client0 ══ dev0 [appliance ns] dev1 ══ server0 [server ns]
//   10.71.0.2, fd71::2     10.71.0.1, fd71::1
//                          10.72.0.1, fd72::1   10.72.0.2, fd72::2
//
// Offloads are off on all four ends. Programs are run here; the product itself runs none. Not here: packets
// (test_packet.hpp).
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/bytes.hpp"

namespace cutwater::port::test {

using Frame = std::vector<std::uint8_t>;  // a packet of a test, outside any chunk

/// Runs a shell command. Returns: its exit status.
int run(const std::string& command);
/// The same, with what it printed.
std::string output_of(const std::string& command);

/// True when this process may make namespaces; else prints why the calling test is skipped.
bool can_make_namespaces();
/// The same for XDP programs, which the kernel takes from no user namespace.
bool can_load_xdp();

/// This thread lives in another network namespace until the end of the scope.
class InNamespace {
 public:
  explicit InNamespace(const std::string& name);
  ~InNamespace();
  InNamespace(const InNamespace&) = delete;
  InNamespace& operator=(const InNamespace&) = delete;

 private:
  int home_fd_;
};

class TestNet {
 public:
  explicit TestNet(int queues = 1);
  ~TestNet();
  TestNet(const TestNet&) = delete;
  TestNet& operator=(const TestNet&) = delete;

  std::string client, appliance, server;  // namespace names, for `ip netns exec`
};

/// A raw socket at a device: the network as seen from the other end of the cable.
class Tap {
 public:
  /// Requires: the thread is in the device's namespace.
  explicit Tap(const std::string& device);
  ~Tap();
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  /// What the cable has no room for is lost, as on any.
  void send(Bytes packet) const;
  /// The next packet for which `wanted` is true, or an empty one after `wait`.
  template <class Wanted>
  Frame receive(Wanted wanted, std::chrono::milliseconds wait = std::chrono::milliseconds(300)) const {
    const auto end = std::chrono::steady_clock::now() + wait;
    while (std::chrono::steady_clock::now() < end) {
      Frame packet = next(std::chrono::milliseconds(10));
      if (!packet.empty() && wanted(packet)) return packet;
    }
    return {};
  }

 private:
  Frame next(std::chrono::milliseconds wait) const;
  int fd_;
};

inline int run(const std::string& command) {
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

inline std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  char buffer[512];
  while (std::fgets(buffer, sizeof(buffer), pipe) != nullptr) text += buffer;
  ::pclose(pipe);
  return text;
}

inline bool can_make_namespaces() {
  if (::geteuid() == 0) return true;
  std::puts("SKIPPED: needs root to make network namespaces");
  return false;
}

inline bool can_load_xdp() {
  if (!can_make_namespaces()) return false;
  if (output_of("cat /proc/self/uid_map").find("4294967295") != std::string::npos) return true;
  std::puts("SKIPPED: needs root outside user namespaces to load an XDP program");
  return false;
}

inline InNamespace::InNamespace(const std::string& name)
    : home_fd_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)) {
  const int fd = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0 || ::setns(fd, CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter namespace " + name);
  ::close(fd);
}

inline InNamespace::~InNamespace() {
  ::setns(home_fd_, CLONE_NEWNET);
  ::close(home_fd_);
}

inline void must(const std::string& command) {
  if (run(command) != 0) throw std::runtime_error("failed: " + command);
}

inline void join(const std::string& ns, const std::string& device, const std::string& address4,
                 const std::string& address6) {
  const std::string in = "ip -n " + ns + " ";
  must(in + "address add " + address4 + "/24 dev " + device);
  must(in + "address add " + address6 + "/64 nodad dev " + device);
  must("ip netns exec " + ns + " ethtool -K " + device +
       " rx off tx off tso off gso off gro off rxvlan off txvlan off >/dev/null 2>&1");
  must(in + "link set " + device + " up");
}

inline TestNet::TestNet(int queues) {
  static int made = 0;
  const std::string prefix = "cwport" + std::to_string(::getpid()) + "-" + std::to_string(++made);
  client = prefix + "c";
  appliance = prefix + "a";
  server = prefix + "s";
  for (const auto& ns : {client, appliance, server}) {
    must("ip netns add " + ns);
    must("ip -n " + ns + " link set lo up");
    must("ip netns exec " + ns +
         " sysctl -qw net.ipv6.conf.default.accept_dad=0");  // link-local addresses are usable at once
  }
  const std::string count = " numrxqueues " + std::to_string(queues) + " numtxqueues " + std::to_string(queues);
  must("ip -n " + appliance + " link add dev0" + count + " type veth peer name client0 netns " + client + count);
  must("ip -n " + appliance + " link add dev1" + count + " type veth peer name server0 netns " + server + count);
  join(client, "client0", "10.71.0.2", "fd71::2");
  join(appliance, "dev0", "10.71.0.1", "fd71::1");
  join(appliance, "dev1", "10.72.0.1", "fd72::1");
  join(server, "server0", "10.72.0.2", "fd72::2");
}

inline TestNet::~TestNet() {
  for (const auto& ns : {client, appliance, server}) run("ip netns del " + ns);
}

inline Tap::Tap(const std::string& device) : fd_(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0)) {
  const int on = 1;
  ::setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on));
  const int bytes = 16 << 20;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  if (::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    throw std::runtime_error("cannot tap " + device);
}

inline Tap::~Tap() { ::close(fd_); }

inline void Tap::send(Bytes packet) const {
  if (::send(fd_, packet.data(), packet.size(), 0) < 0 && errno != ENOBUFS)
    throw std::runtime_error("tap: send failed");
}

inline Frame Tap::next(std::chrono::milliseconds wait) const {
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(wait.count())) != 1) return {};
  Frame packet(65536);
  const auto bytes = ::recv(fd_, packet.data(), packet.size(), 0);
  packet.resize(bytes > 0 ? static_cast<std::size_t>(bytes) : 0);
  return packet;
}

}  // namespace cutwater::port::test
