// The way to an address by a device, as the kernel would go: its route tables say which neighbour, its neighbour table
// which hardware address. The appliance keeps neither of its own. Answers are remembered and followed by a netlink
// monitor. Thread: control thread. Used by: engine when it builds Services, `doctor`.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/result.hpp"

struct mnl_socket;

namespace cutwater::port {

struct NextHop {
  MacAddress mac{};
  IpAddress neighbour;  // the router on the way, or the destination itself when it is on the link
  bool operator==(const NextHop&) const = default;
};

class NextHops {
 public:
  /// Errors: netlink is not to be had.
  static Result<std::unique_ptr<NextHops>, std::string> open();
  ~NextHops();
  NextHops(const NextHops&) = delete;
  NextHops& operator=(const NextHops&) = delete;

  /// Finds the next hop, asks the network (ARP, neighbour discovery) when the kernel does not know it, and waits that
  /// long at most. Found or not, the pair is followed from now on. An address of this host itself is found by a veth pair with
  /// both ends here. Errors, in words: no route by this device, the address is this host's own, the neighbour does not answer.
  Result<NextHop, std::string> find(const IpAddress& destination, std::uint32_t ifindex,
                                    std::chrono::milliseconds patience);

  /// Readable when routes, neighbours or links changed; then call refresh().
  [[nodiscard]] int fd() const noexcept;
  /// Looks at everything followed again, without waiting, and has the kernel probe neighbours it has not heard of
  /// lately: packets that pass beside the stack do not keep its table fresh, so call this every few seconds, too.
  /// Returns: true when an answer differs from what find() or the last refresh() said.
  bool refresh();
  /// What is known now, without asking anybody. nullptr when it was never looked for or is unknown at present.
  [[nodiscard]] const NextHop* at(const IpAddress& destination, std::uint32_t ifindex) const noexcept;
  /// Follows nothing any more.
  void clear() noexcept { followed_.clear(); }

 private:
  struct Followed {
    IpAddress destination;
    std::uint32_t ifindex = 0;
    bool is_known = false;
    NextHop hop;
  };

  NextHops() = default;
  std::optional<NextHop> own_host(const IpAddress& destination, std::uint32_t ifindex);
  Result<IpAddress, std::string> route(const IpAddress& destination, std::uint32_t ifindex);
  void ask_network(const IpAddress& neighbour, std::uint32_t ifindex);
  void drain_monitor() noexcept;
  Followed& follow(const IpAddress& destination, std::uint32_t ifindex);

  mnl_socket* requests_ = nullptr;
  mnl_socket* monitor_ = nullptr;
  std::uint32_t sequence_ = 0;
  std::vector<Followed> followed_;
};

}  // namespace cutwater::port
