// Which worker owns a packet: a function of the client's address and port alone, so both directions of a flow meet, whatever
// queue the device chose. Looks at the headers only as far as it must; what it cannot read belongs to worker 0, who counts it.
// Thread: any (pure function).
#pragma once

#include "path/path.hpp"

namespace cutwater::path {

std::uint32_t owner_of(Side side, Bytes packet, std::uint32_t workers) noexcept;
/// The same of what a server sees as its client, too: whoever chooses a port for it chooses one that is its own.
std::uint32_t owner_of(const IpAddress& client, std::uint16_t port, std::uint32_t workers) noexcept;

/// Addresses and ports of a TCP packet, read with bounds and without judgement; of an ICMP "too big", those that an answer to the
/// packet it quotes would have, so that both find the same flow. Returns: false when it has none.
struct Tuple {
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
  bool operator==(const Tuple&) const = default;
};
bool peek(Bytes packet, Tuple& out) noexcept;

}  // namespace cutwater::path
