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
  for (; n >= 8; p += 8, n -= 8) {
    std::uint64_t word;
    std::memcpy(&word, p, 8);
    s += (word & 0xffff'ffff) + (word >> 32);
  }
  if (n >= 4) {
    std::uint32_t word;
    std::memcpy(&word, p, 4);
    s += word;
    p += 4, n -= 4;
  }
  if (n != 0) {
    std::uint32_t word = 0;
    std::memcpy(&word, p, n);
    s += word;
  }
  return s;
}

#if defined(__x86_64__)
// Two instructions for 32 bytes besides the load: words are moved into the signed range (minus 2^15), multiplied by one and added
// in pairs; what the move took off is put back at the end. A 32-bit lane takes 2^15 rounds, a megabyte; longer input is cut.
__attribute__((target("avx2"))) std::uint64_t sum_avx2_part(const std::uint8_t* p, std::size_t rounds) noexcept {
  const __m256i sign = _mm256_set1_epi16(static_cast<short>(0x8000)), one = _mm256_set1_epi16(1);
  __m256i a = _mm256_setzero_si256(), b = a;
  for (std::size_t i = 0; i < rounds; ++i, p += 64) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_xor_si256(x, sign), one));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_xor_si256(y, sign), one));
  }
  const __m256i all = _mm256_add_epi64(_mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(a)), _mm256_cvtepi32_epi64(_mm256_extracti128_si256(a, 1))),
                                       _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(b)), _mm256_cvtepi32_epi64(_mm256_extracti128_si256(b, 1))));
  alignas(32) std::int64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), all);
  return static_cast<std::uint64_t>(lanes[0] + lanes[1] + lanes[2] + lanes[3]) + rounds * 32 * 0x8000;
}

__attribute__((target("avx2"))) std::uint64_t sum_avx2(const std::uint8_t* p, std::size_t n) noexcept {
  constexpr std::size_t kMostRounds = 1U << 14;
  std::uint64_t s = 0;
  while (n >= 64) {
    const std::size_t rounds = n / 64 < kMostRounds ? n / 64 : kMostRounds;
    s += sum_avx2_part(p, rounds);
    p += rounds * 64;
    n -= rounds * 64;
  }
  return s + sum_words(p, n);
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
