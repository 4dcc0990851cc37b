// The Internet checksum (RFC 1071): one's complement sum of 16-bit words, computed on whatever width the machine likes.
// Thread: any.
#pragma once

#include <bit>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace cutwater::wire {

/// One's complement sum of the bytes in 32-bit words, in the machine's own byte order, not folded. Odd lengths are padded with zero.
/// For a few bytes, whose preparation would cost more than adding them.
inline std::uint64_t sum_words(const std::uint8_t* p, std::size_t n) noexcept {
  std::uint64_t s = 0;
  for (; n >= 4; p += 4, n -= 4) {
    std::uint32_t word;
    std::memcpy(&word, p, 4);
    s += word;
  }
  if (n != 0) {
    std::uint32_t word = 0;
    std::memcpy(&word, p, n);
    s += word;
  }
  return s;
}

/// One way to add up bytes: a sum that folds to theirs, at most 2^63.
using Sum = std::uint64_t (*)(const std::uint8_t* p, std::size_t n) noexcept;
struct SumVariant {
  const char* name;
  Sum sum;
};
/// Those this machine can run, the fastest first.
std::span<const SumVariant> runnable_sums() noexcept;
extern const Sum fastest_sum;

/// The same of a packet's bytes. Cost: one pass; AVX-512 or AVX2 where the machine has it.
inline std::uint64_t sum(Bytes bytes) noexcept { return fastest_sum(bytes.data(), bytes.size()); }

/// The same by the definition, two bytes at a time: the golden model of the tests.
std::uint32_t sum_slow(Bytes bytes) noexcept;

/// Folds a sum to 16 bits and complements it: what goes into the header, in the machine's byte order (store with memcpy).
constexpr std::uint16_t fold(std::uint64_t s) noexcept {
  s += std::rotr(s, 32);  // a half added to the other; the carry of the lower one goes into the upper one, which counts
  auto half = static_cast<std::uint32_t>(s >> 32);
  half += std::rotr(half, 16);
  return static_cast<std::uint16_t>(~(half >> 16));
}

/// The pseudo header's share (RFC 9293 3.1, RFC 8200 8.1) but for the addresses, for `segment_bytes` of header and payload.
inline std::uint64_t pseudo_tail_sum(std::uint8_t protocol, std::uint32_t segment_bytes) noexcept {
  return std::uint64_t{__builtin_bswap32(segment_bytes)} + (std::uint32_t{protocol} << 24);
}
inline std::uint64_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                       std::uint32_t segment_bytes) noexcept {
  // The mapped prefix of an IPv4 address would count twice 0xffff, which is zero in one's complement; it is left out for clarity.
  const std::uint64_t tail = pseudo_tail_sum(protocol, segment_bytes);
  if (source.is_v4()) return tail + sum_words(source.v4(), 4) + sum_words(destination.v4(), 4);
  return tail + sum_words(source.bytes.data(), 16) + sum_words(destination.bytes.data(), 16);
}

}  // namespace cutwater::wire
