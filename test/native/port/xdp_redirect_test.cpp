// native/port/xdp_redirect.cpp: attaching, leaving, and whom it refuses. What the program steers is tested with the
// port, in xsk_port_test.
#include "port/xdp_redirect.hpp"

#include <doctest/doctest.h>
#include <signal.h>

#include "native/port/test_port.hpp"

using namespace cutwater;
using namespace cutwater::port;
using namespace cutwater::port::test;

TEST_CASE("xdp_redirect: the program leaves with the process, even by SIGKILL, and the device can be taken again") {
  if (!can_load_xdp()) return;
  const TestNet net;
  const std::string look = "ip -n " + net.appliance + " link show dev0";
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const InNamespace in(net.appliance);
    const auto redirect = XdpRedirect::attach({.device = "dev0"});
    const char sign = redirect ? '+' : '-';
    if (::write(ready[1], &sign, 1) == 1) ::pause();
    ::_exit(1);
  }
  char sign = 0;
  REQUIRE(::read(ready[0], &sign, 1) == 1);
  REQUIRE(sign == '+');
  CHECK(output_of(look).find("xdp") != std::string::npos);
  {
    const InNamespace in(net.appliance);
    const auto second = XdpRedirect::attach({.device = "dev0"});
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().find("another Cutwater process") != std::string::npos);
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ready[0]);
  ::close(ready[1]);
  for (int i = 0; i < 100 && output_of(look).find("xdp") != std::string::npos; ++i) ::usleep(10'000);
  CHECK(output_of(look).find("xdp") == std::string::npos);
  const InNamespace in(net.appliance);
  const auto again = XdpRedirect::attach({.device = "dev0"});
  REQUIRE_MESSAGE(again.has_value(), (again ? "" : again.error()));
  CHECK((*again)->mode() == AttachMode::driver);
}

TEST_CASE("xdp_redirect: refuses in words a missing device, a large MTU, a loopback and a foreign program") {
  if (!can_load_xdp()) return;
  const TestNet net;
  const InNamespace in(net.appliance);
  const auto error_of = [](const char* device) {
    const auto redirect = XdpRedirect::attach({.device = device});
    return redirect ? std::string("no error") : redirect.error();
  };
  CHECK(error_of("nowhere0").find("nowhere0: no such network device") == 0);
  CHECK(error_of("a-name-that-is-too-long").find("is not a device name") != std::string::npos);
  CHECK(error_of("lo").find("not an Ethernet device") != std::string::npos);
  REQUIRE(run("ip link set dev1 mtu 20000") == 0);
  CHECK(error_of("dev1").find("MTU 20000 is more than a packet chunk holds; at most 16046") != std::string::npos);
  // libxdp ships small programs of its own; any of them is someone else's.
  REQUIRE(
      run("ip link set dev dev0 xdp object /usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o section xdp 2>/dev/null || "
          "ip link set dev dev0 xdpgeneric object /usr/lib/x86_64-linux-gnu/bpf/xdpfilt_alw_all.o program "
          "xdpfilt_alw_all") == 0);
  CHECK(error_of("dev0").find("someone else") != std::string::npos);
  CHECK(output_of("ip link show dev0").find("xdp") != std::string::npos);  // and it is still there
}
