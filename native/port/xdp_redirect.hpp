// The XDP program on one device, and the set of endpoints it takes packets of. All xsk ports of the device share it.
// It hangs on a kernel link that this object holds: when the process ends, even by SIGKILL, the program is gone.
// Not here: sockets and rings (xsk_port). Thread: control thread.
// Implements: H12.
#pragma once

#include <memory>
#include <string>
#include <unordered_set>

#include "port/link.hpp"
#include "port/port.hpp"

struct bpf_object;

namespace cutwater::port {

enum class AttachMode : std::uint8_t {
  automatic,  // driver, and where the driver cannot, generic
  driver,     // in the driver, before the kernel has made a packet of its own
  generic,    // in the kernel's stack: works on every device, slower
};

struct RedirectConfig {
  std::string device;
  AttachMode attach = AttachMode::automatic;
  std::uint16_t vlan = 0;  // only packets with this tag are looked at; 0: only untagged ones
};

class XdpRedirect final : public Steering {
 public:
  /// Loads the program and attaches it. A left-over of ours is removed; anyone else's program is left alone and is an
  /// error. Errors: no such device, no permission, MTU too large, program of others, driver refuses. Leaves: the device
  /// as it was.
  static Result<std::shared_ptr<XdpRedirect>, std::string> attach(const RedirectConfig& config);
  ~XdpRedirect() override;
  XdpRedirect(const XdpRedirect&) = delete;
  XdpRedirect& operator=(const XdpRedirect&) = delete;

  Result<bool, std::string> steer(std::span<const Steer> endpoints) override;

  /// From now on steered packets that came in on `queue` go to this AF_XDP socket.
  Result<bool, std::string> insert_socket(std::uint32_t queue, int socket_fd);
  void erase_socket(std::uint32_t queue) noexcept;

  /// The device as it was when the program was attached.
  [[nodiscard]] const LinkInfo& link() const noexcept { return link_; }
  /// driver or generic: asked of the kernel after attaching.
  [[nodiscard]] AttachMode mode() const noexcept { return mode_; }

 private:
  explicit XdpRedirect(LinkInfo link) : link_(std::move(link)) {}
  Result<bool, std::string> load();
  Result<bool, std::string> hang_on(AttachMode wanted);
  Result<bool, std::string> write_settings(bool has_any_v4, bool has_any);

  struct SteerHash {
    std::size_t operator()(const Steer& steer) const noexcept;
  };

  LinkInfo link_;
  AttachMode mode_ = AttachMode::generic;
  std::uint16_t vlan_ = 0;
  bpf_object* object_ = nullptr;
  int program_fd_ = -1, link_fd_ = -1;
  int endpoints_fd_ = -1, settings_fd_ = -1, sockets_fd_ = -1;
  std::unordered_set<Steer, SteerHash> steered_;
};

}  // namespace cutwater::port
