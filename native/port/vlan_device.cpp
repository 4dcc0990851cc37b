// Source: linux/if_vlan.h, SIOCGIFVLAN.
#include "port/vlan_device.hpp"

#include <linux/if_vlan.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <memory>

namespace cutwater::port {
namespace {

bool ask(int socket, const char* device, vlan_ioctl_cmds command, vlan_ioctl_args& args) noexcept {
  args = {};
  args.cmd = command;
  std::strncpy(args.device1, device, sizeof args.device1 - 1);
  return ioctl(socket, SIOCGIFVLAN, &args) == 0;  // fails for what is no VLAN device
}

bool is_vlan_of(int socket, const char* candidate, std::string_view device, std::uint16_t vlan) noexcept {
  vlan_ioctl_args args;
  if (!ask(socket, candidate, GET_VLAN_REALDEV_NAME_CMD, args)) return false;
  if (device != std::string_view(args.u.device2, ::strnlen(args.u.device2, sizeof args.u.device2))) return false;
  return ask(socket, candidate, GET_VLAN_VID_CMD, args) && args.u.VID == vlan;
}

}  // namespace

std::uint32_t vlan_device(std::string_view device, std::uint16_t vlan) {
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (socket < 0) return 0;
  const std::unique_ptr<struct if_nameindex, void (*)(struct if_nameindex*)> devices(::if_nameindex(), ::if_freenameindex);
  std::uint32_t found = 0;
  for (auto* one = devices.get(); one != nullptr && one->if_index != 0 && found == 0; ++one) {
    if (is_vlan_of(socket, one->if_name, device, vlan)) found = one->if_index;
  }
  ::close(socket);
  return found;
}

}  // namespace cutwater::port
