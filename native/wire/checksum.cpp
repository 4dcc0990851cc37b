#include "wire/checksum.hpp"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace cutwater::wire {
namespace {

std::uint32_t narrow(std::uint64_t s) noexcept {
  s = (s & 0xffff'ffff) + (s >> 32);
  s = (s & 0xffff'ffff) + (s >> 32);
  return static_cast<std::uint32_t>(s);
}

std::uint64_t sum_words(const std::uint8_t* p, std::size_t n) noexcept {
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

#if defined(__x86_64__)
// 32-bit words are widened to 64-bit lanes, so no carry is ever lost: 2^32 words would be needed to overflow a lane.
__attribute__((target("avx2"))) std::uint64_t sum_avx2(const std::uint8_t* p, std::size_t n) noexcept {
  const __m256i zero = _mm256_setzero_si256();
  __m256i a = zero, b = zero, c = zero, d = zero;
  for (; n >= 64; p += 64, n -= 64) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
    a = _mm256_add_epi64(a, _mm256_unpacklo_epi32(x, zero));
    b = _mm256_add_epi64(b, _mm256_unpackhi_epi32(x, zero));
    c = _mm256_add_epi64(c, _mm256_unpacklo_epi32(y, zero));
    d = _mm256_add_epi64(d, _mm256_unpackhi_epi32(y, zero));
  }
  const __m256i all = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
  alignas(32) std::uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), all);
  return lanes[0] + lanes[1] + lanes[2] + lanes[3] + sum_words(p, n);
}
#endif

using SumFunction = std::uint64_t (*)(const std::uint8_t*, std::size_t) noexcept;

SumFunction choose() noexcept {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return sum_avx2;
#endif
  return sum_words;
}

const SumFunction kSum = choose();

}  // namespace

std::uint32_t sum(Bytes bytes) noexcept { return narrow(kSum(bytes.data(), bytes.size())); }

std::uint32_t sum_slow(Bytes bytes) noexcept {
  std::uint64_t s = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    std::uint16_t word = 0;
    std::memcpy(&word, bytes.data() + i, i + 1 < bytes.size() ? 2 : 1);
    s += word;
  }
  return narrow(s);
}

std::uint64_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination, std::uint8_t protocol,
                                std::uint32_t segment_bytes) noexcept {
  std::uint8_t tail[8];
  store_be32(tail, segment_bytes);
  store_be32(tail + 4, protocol);
  // The mapped prefix of an IPv4 address would count twice 0xffff, which is zero in one's complement; it is left out for clarity.
  const std::size_t skip = source.is_v4() ? 12 : 0;
  return std::uint64_t{sum_words(source.bytes.data() + skip, 16 - skip)} +
         sum_words(destination.bytes.data() + skip, 16 - skip) + sum_words(tail, sizeof tail);
}

}  // namespace cutwater::wire
