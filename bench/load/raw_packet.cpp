#include "raw_packet.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>

namespace load {

int open_device(const std::string& device, std::array<std::uint8_t, 6>& own) {
  const int fd = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);  // protocol 0: receives nothing
  if (fd < 0) return -1;
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", device.c_str());
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
  const int is_on = 1;
  if (address.sll_ifindex == 0 || ::ioctl(fd, SIOCGIFHWADDR, &request) < 0 ||
      ::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0 ||
      ::setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &is_on, sizeof is_on) < 0) {
    ::close(fd);
    return -1;
  }
  std::memcpy(own.data(), request.ifr_hwaddr.sa_data, own.size());
  return fd;
}

std::uint32_t sum(const void* data, std::size_t bytes, std::uint32_t s) {
  const auto* p = static_cast<const std::uint8_t*>(data);
  for (; bytes > 1; bytes -= 2, p += 2) s += static_cast<std::uint32_t>(p[0] << 8 | p[1]);
  return bytes == 1 ? s + static_cast<std::uint32_t>(*p << 8) : s;
}

std::uint16_t fold(std::uint32_t s) {
  while (s >> 16 != 0) s = (s & 0xffff) + (s >> 16);
  return htons(static_cast<std::uint16_t>(~s));
}

}  // namespace load
