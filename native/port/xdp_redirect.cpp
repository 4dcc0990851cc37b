// Loading, attaching and steering the XDP program. libbpf does the first two, its maps the third.
// Thread: control thread.
#include "port/xdp_redirect.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <unistd.h>
#include <xdp/libxdp.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <vector>

#include "port/xdp_object.hpp"
#include "xdp/steer_key.h"

namespace cutwater::port {
namespace {

constexpr std::uint32_t kXdpHasFrags = 1U << 5;  // BPF_F_XDP_HAS_FRAGS

constexpr char kProgramName[] = "cutwater_redir";            // at most 15 characters: the kernel keeps no more

std::string reason(int error) { return std::strerror(error < 0 ? -error : error); }

bool is_any(const IpAddress& address) noexcept { return address == IpAddress{}; }

bool is_any_v4(const IpAddress& address) noexcept { return address.is_v4() && load_be32(address.v4()) == 0; }

steer_key to_key(const Steer& steer) noexcept {
  steer_key key{};
  std::memcpy(key.address, steer.address.bytes.data(), sizeof(key.address));
  if (steer.match != Steer::Match::own) store_be16(reinterpret_cast<std::uint8_t*>(&key.port), steer.port);
  switch (steer.match) {
    case Steer::Match::destination: key.match = CUTWATER_MATCH_DESTINATION; break;
    case Steer::Match::source: key.match = CUTWATER_MATCH_SOURCE; break;
    case Steer::Match::own: key.match = CUTWATER_MATCH_OWN; break;
  }
  return key;
}

/// The program that is on a device now.
struct Attached {
  std::uint32_t id = 0;  // 0: none
  std::string name;
  AttachMode mode = AttachMode::generic;
};

std::string program_name(std::uint32_t id) {
  const int fd = bpf_prog_get_fd_by_id(id);
  if (fd < 0) return {};
  bpf_prog_info info{};
  std::uint32_t bytes = sizeof(info);
  const bool is_known = bpf_obj_get_info_by_fd(fd, &info, &bytes) == 0;
  ::close(fd);
  return is_known ? std::string(info.name, ::strnlen(info.name, sizeof(info.name))) : std::string();
}

Attached read_attached(std::uint32_t ifindex) {
  LIBBPF_OPTS(bpf_xdp_query_opts, query);
  if (bpf_xdp_query(static_cast<int>(ifindex), 0, &query) != 0 || query.attach_mode == XDP_ATTACHED_NONE) return {};
  const std::uint32_t id = query.attach_mode != XDP_ATTACHED_MULTI ? query.prog_id
                           : query.drv_prog_id != 0                ? query.drv_prog_id
                           : query.skb_prog_id != 0                ? query.skb_prog_id
                                                                   : query.hw_prog_id;
  return {.id = id,
          .name = program_name(id),
          .mode = query.attach_mode == XDP_ATTACHED_SKB ? AttachMode::generic : AttachMode::driver};
}

/// Removes a program of ours that an earlier version left without a link; one that hangs on a live link is in use.
Result<bool, std::string> clear_device(const LinkInfo& link) {
  const Attached found = read_attached(link.ifindex);
  if (found.id == 0) return true;
  if (found.name != kProgramName) {
    return Failure{link.name + ": an XDP program of someone else is attached (\"" + found.name + "\", id " +
                   std::to_string(found.id) + "); Cutwater does not touch it. Remove it (`ip link set dev " +
                   link.name + " xdp off`, or stop its owner) or use `port: packet`"};
  }
  const std::uint32_t flags = found.mode == AttachMode::driver ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE;
  if (const int error = bpf_xdp_detach(static_cast<int>(link.ifindex), flags, nullptr); error != 0) {
    return Failure{link.name + ": another Cutwater process is using this device (its XDP program has id " +
                   std::to_string(found.id) + ")"};
  }
  return true;
}

std::string attach_error(const LinkInfo& link, AttachMode wanted, int error) {
  const char* mode = wanted == AttachMode::driver ? "driver" : "generic";
  return link.name + ": the XDP program cannot be attached in " + mode + " mode: " + reason(error) +
         (wanted == AttachMode::driver
              ? " (driver \"" + link.driver + "\"; its kernel log line says why; `attach: generic` works everywhere)"
              : "");
}

}  // namespace

std::size_t XdpRedirect::SteerHash::operator()(const Steer& steer) const noexcept {
  const std::string_view address(reinterpret_cast<const char*>(steer.address.bytes.data()), steer.address.bytes.size());
  return std::hash<std::string_view>{}(address)*31 + steer.port * 3U + static_cast<std::size_t>(steer.match);
}

Result<std::shared_ptr<XdpRedirect>, std::string> XdpRedirect::attach(const RedirectConfig& config) {
  libbpf_set_print(nullptr);  // what libraries would write on the terminal is in our errors
  libxdp_set_print(nullptr);
  auto link = read_link(config.device);
  if (!link) return Failure{link.error()};
  if (link->mtu > kMaxMtu) {
    return Failure{link->name + ": MTU " + std::to_string(link->mtu) + " is more than a packet chunk holds; at most " +
                   std::to_string(kMaxMtu) + " (`ip link set dev " + link->name + " mtu " + std::to_string(kMaxMtu) +
                   "`)"};
  }
  if (config.vlan > 4094)
    return Failure{link->name + ": VLAN " + std::to_string(config.vlan) + " does not exist; 1 to 4094, or 0 for none"};
  if (config.vlan != 0 && link->offloads.rx_vlan == OffloadState::on && link->driver != "veth") {
    return Failure{link->name + ": the device takes VLAN tags off before XDP sees them (`ethtool -K " + link->name +
                   " rxvlan off`)"};
  }
  std::shared_ptr<XdpRedirect> redirect(new XdpRedirect(std::move(*link)));
  redirect->vlan_ = config.vlan;
  if (auto done = clear_device(redirect->link_); !done) return Failure{done.error()};
  if (auto done = redirect->load(); !done) return Failure{done.error()};
  if (auto done = redirect->write_settings(false, false); !done) return Failure{done.error()};
  const AttachMode first = config.attach == AttachMode::generic ? AttachMode::generic : AttachMode::driver;
  auto done = redirect->hang_on(first);
  if (!done && config.attach == AttachMode::automatic) done = redirect->hang_on(AttachMode::generic);
  if (!done) return Failure{done.error()};
  return redirect;
}

XdpRedirect::~XdpRedirect() {
  if (link_fd_ >= 0) ::close(link_fd_);  // detaches
  if (object_ != nullptr) bpf_object__close(object_);
}

Result<bool, std::string> XdpRedirect::load() {
  LIBBPF_OPTS(bpf_object_open_opts, options, .object_name = "cutwater");
  object_ = bpf_object__open_mem(cutwater_xdp_object, cutwater_xdp_object_bytes, &options);
  if (object_ == nullptr) return Failure{"the embedded XDP program cannot be read: " + reason(errno)};
  bpf_program* loadable = bpf_object__find_program_by_name(object_, kProgramName);
  // Packets of several frames: it looks at the first only. Kernels before 5.18 do not know the flag, so only who needs it sets it.
  if (loadable != nullptr && chunk_bytes_for(link_.mtu) != kChunkBytes) bpf_program__set_flags(loadable, kXdpHasFrags);
  if (const int error = bpf_object__load(object_); error != 0) {
    if (error == -EPERM || error == -EACCES) {
      return Failure{
          link_.name +
          ": no permission to load an XDP program (root, or CAP_BPF and CAP_NET_ADMIN outside any user namespace); "
          "`port: packet` needs less"};
    }
    return Failure{link_.name + ": the kernel refuses the XDP program: " + reason(error)};
  }
  const bpf_program* program = bpf_object__find_program_by_name(object_, kProgramName);
  if (program == nullptr) return Failure{std::string("the embedded object holds no program ") + kProgramName};
  program_fd_ = bpf_program__fd(program);
  endpoints_fd_ = bpf_object__find_map_fd_by_name(object_, "endpoints");
  settings_fd_ = bpf_object__find_map_fd_by_name(object_, "settings");
  sockets_fd_ = bpf_object__find_map_fd_by_name(object_, "sockets");
  return true;
}

Result<bool, std::string> XdpRedirect::hang_on(AttachMode wanted) {
  LIBBPF_OPTS(bpf_link_create_opts, options,
              .flags = wanted == AttachMode::driver ? XDP_FLAGS_DRV_MODE : XDP_FLAGS_SKB_MODE);
  const int fd = bpf_link_create(program_fd_, static_cast<int>(link_.ifindex), BPF_XDP, &options);
  if (fd < 0) return Failure{attach_error(link_, wanted, fd)};
  link_fd_ = fd;
  mode_ = read_attached(link_.ifindex).mode;
  return true;
}

Result<bool, std::string> XdpRedirect::write_settings(bool has_any_v4, bool has_any) {
  steer_settings settings{};
  std::memcpy(settings.mac, link_.mac.data(), sizeof(settings.mac));
  settings.vlan = vlan_;
  settings.any_address_v4 = has_any_v4 ? 1 : 0;
  settings.any_address = has_any ? 1 : 0;
  const std::uint32_t only = 0;
  const int error = bpf_map_update_elem(settings_fd_, &only, &settings, BPF_ANY);
  if (error != 0) return Failure{link_.name + ": the steering settings cannot be written: " + reason(error)};
  return true;
}

Result<bool, std::string> XdpRedirect::steer(std::span<const Steer> endpoints) {
  if (endpoints.size() > CUTWATER_MAX_ENDPOINTS) {
    return Failure{link_.name + ": " + std::to_string(endpoints.size()) + " endpoints; at most " +
                   std::to_string(CUTWATER_MAX_ENDPOINTS)};
  }
  if (const auto now = read_link(link_.name); now) link_.mac = now->mac;  // the operator may have changed it since
  const std::unordered_set<Steer, SteerHash> wanted(endpoints.begin(), endpoints.end());
  std::vector<Steer> stale;
  for (const Steer& steer : steered_) {
    if (!wanted.contains(steer)) stale.push_back(steer);
  }
  bool has_any_v4 = false, has_any = false;
  for (const Steer& steer : wanted) {
    has_any_v4 |= is_any_v4(steer.address);
    has_any |= is_any(steer.address);
  }
  // New ones first, old ones last: who is in both sets is never out of the map.
  for (const Steer& steer : wanted) {
    const steer_key key = to_key(steer);
    const std::uint8_t present = 1;
    if (const int error = bpf_map_update_elem(endpoints_fd_, &key, &present, BPF_ANY); error != 0) {
      return Failure{link_.name + ": an endpoint cannot be steered: " + reason(error)};
    }
    steered_.insert(steer);
  }
  if (auto done = write_settings(has_any_v4, has_any); !done) return done;
  for (const Steer& steer : stale) {
    const steer_key key = to_key(steer);
    bpf_map_delete_elem(endpoints_fd_, &key);
    steered_.erase(steer);
  }
  return true;
}

Result<bool, std::string> XdpRedirect::insert_socket(std::uint32_t queue, int socket_fd) {
  if (queue >= CUTWATER_MAX_QUEUES) {
    return Failure{link_.name + ": queue " + std::to_string(queue) + " is beyond the " +
                   std::to_string(CUTWATER_MAX_QUEUES) + " supported"};
  }
  if (const int error = bpf_map_update_elem(sockets_fd_, &queue, &socket_fd, BPF_ANY); error != 0) {
    return Failure{link_.name + ": queue " + std::to_string(queue) +
                   " cannot be directed to its socket: " + reason(error)};
  }
  return true;
}

void XdpRedirect::erase_socket(std::uint32_t queue) noexcept { bpf_map_delete_elem(sockets_fd_, &queue); }

}  // namespace cutwater::port
