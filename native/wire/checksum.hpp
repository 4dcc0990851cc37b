// The Internet checksum (RFC 1071): one's complement sum of 16-bit words, computed on whatever width the machine likes.
// Thread: any.
#pragma once

#include <bit>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace cutwater::wire {

/// One's complement sum of the bytes, folded to 32 bits, in the machine's own byte order. Odd lengths are padded with zero.
/// Cost: one pass; AVX-512 or AVX2 where the machine has it.
std::uint32_t sum(Bytes bytes) noexcept;
/// The same of a few bytes, whose preparation would cost more than adding them; not folded.
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

/// One way to add up bytes: a sum that folds to theirs. `sum` takes the first of those this machine can run.
struct SumVariant {
  const char* name;
  std::uint64_t (*sum)(const std::uint8_t* p, std::size_t n) noexcept;
};
std::span<const SumVariant> runnable_sums() noexcept;

/// The same by the definition, two bytes at a time: the golden model of the tests.
std::uint32_t sum_slow(Bytes bytes) noexcept;

/// Folds a sum to 16 bits and complements it: what goes into the header, in the machine's byte order (store with memcpy).
constexpr std::uint16_t fold(std::uint64_t s) noexcept {
  s += std::rotr(s, 32);  // a half added to the other; the carry of the lower one goes into the upper one, which counts
  auto half = static_cast<std::uint32_t>(s >> 32);
  half += std::rotr(half, 16);
  return static_cast<std::uint16_t>(~(half >> 16));
}

/// The pseudo header's share (RFC 9293 3.1, RFC 8200 8.1) for `segment_bytes` of TCP header and payload.
std::uint64_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                std::uint32_t segment_bytes) noexcept;

}  // namespace cutwater::wire
