// AF_XDP: packets between the driver's queues and the chunk pool, without a stack between. One port polls all its
// queues. All ports of one worker are opened together and share one UMEM, the chunk pool itself: what one port received
// another can send without a copy by us. A one-arm worker has one port that plays both sides. Not here: which packets
// come (xdp_redirect). Thread: opened by the control thread, then the owning worker's, except report().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "port/port.hpp"
#include "port/xdp_redirect.hpp"

namespace cutwater::port {

enum class CopyMode : std::uint8_t {
  automatic,  // zero-copy if every device of the worker can, else copy
  zero_copy,  // the card reads and writes the chunks itself
  copy,       // the kernel copies once: works on every device
};

struct XskConfig {
  std::shared_ptr<XdpRedirect> redirect;  // the device, with the program attached
  std::vector<std::uint32_t> queues;      // empty: all receive queues of the device
  CopyMode copy = CopyMode::automatic;
  std::uint32_t ring_entries = 2048;  // each ring of each queue; a power of two
  std::uint32_t busy_poll_us = 0;  // 0: interrupts drive the device; else rx() drives it, for at most so long per call
};

/// Opens the ports of one worker, in the order of `configs`. Transmission uses the first queue of a port, so packets
/// keep their order. Requires: no two configs name the same queue of the same device; the pool outlives all ports.
/// Errors: no permission, queue in use or missing, zero-copy asked for and not to be had, pool too small. Leaves:
/// nothing open.
Result<std::vector<std::unique_ptr<Port>>, std::string> open_xsk(std::span<const XskConfig> configs, ChunkPool& pool);

}  // namespace cutwater::port
