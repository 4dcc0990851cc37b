// Packets past the kernel's TCP: a raw socket on a device, and the checksum of what is written by hand (packet(7), RFC 1071).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

namespace load {

/// A raw socket on the device, past its queueing; it receives nothing until it is bound to a protocol. `own`: the device's
/// address. Returns: -1 with errno.
int open_device(const std::string& device, std::array<std::uint8_t, 6>& own);

/// Adds up the bytes as 16-bit words of the network's order, on top of `s`; an odd one is padded with zero.
std::uint32_t sum(const void* data, std::size_t bytes, std::uint32_t s = 0);
/// Folds a sum and complements it. Returns: in the network's order.
std::uint16_t fold(std::uint32_t s);

}  // namespace load
