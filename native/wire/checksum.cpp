#include "wire/checksum.hpp"

#include <array>
#include <vector>

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

std::uint32_t load_word32(const std::uint8_t* p) noexcept {
  std::uint32_t word;
  std::memcpy(&word, p, 4);
  return word;
}

#if defined(__x86_64__)
// Two instructions for 32 bytes besides the load: words are moved into the signed range (minus 2^15), multiplied by one and added
// in pairs; what the move took off is put back at the end. A 32-bit lane takes 2^15 rounds, a megabyte; longer input is cut.
__attribute__((target("avx2"))) std::uint64_t sum_avx2_part(const std::uint8_t* p, std::size_t rounds, __m256i more) noexcept {
  const __m256i sign = _mm256_set1_epi16(static_cast<short>(0x8000)), one = _mm256_set1_epi16(1);
  __m256i a = _mm256_madd_epi16(_mm256_xor_si256(more, sign), one), b = _mm256_setzero_si256();
  for (std::size_t i = 0; i < rounds; ++i, p += 64) {
    const __m256i x = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    const __m256i y = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32));
    a = _mm256_add_epi32(a, _mm256_madd_epi16(_mm256_xor_si256(x, sign), one));
    b = _mm256_add_epi32(b, _mm256_madd_epi16(_mm256_xor_si256(y, sign), one));
  }
  const __m256i all = _mm256_add_epi64(_mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(a)), _mm256_cvtepi32_epi64(_mm256_extracti128_si256(a, 1))),
                                       _mm256_add_epi64(_mm256_cvtepi32_epi64(_mm256_castsi256_si128(b)), _mm256_cvtepi32_epi64(_mm256_extracti128_si256(b, 1))));
  const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
  const auto s = static_cast<std::uint64_t>(_mm_cvtsi128_si64(half)) + static_cast<std::uint64_t>(_mm_extract_epi64(half, 1));
  return s + (rounds * 32 + 16) * 0x8000;
}

// The last 0 to 31 bytes that 32-byte steps leave over, in their places of a vector that is zero elsewhere: loaded with bytes
// before them that have been counted already, which a sliding mask takes off. Requires: 32 bytes up to `end`; `rest` is even.
__attribute__((target("avx2"))) __m256i last_words(const std::uint8_t* end, std::size_t rest) noexcept {
  alignas(32) static constexpr std::array<std::uint8_t, 64> kMask = [] {
    std::array<std::uint8_t, 64> mask{};
    for (std::size_t i = 32; i < mask.size(); ++i) mask[i] = 0xff;
    return mask;
  }();
  const __m256i keep = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kMask.data() + rest));
  return _mm256_and_si256(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(end - 32)), keep);
}

__attribute__((target("avx2"))) std::uint64_t sum_avx2(const std::uint8_t* p, std::size_t n) noexcept {
  constexpr std::size_t kMostRounds = 1U << 14;
  if (n < 64) return sum_words(p, n);
  std::uint64_t s = 0;
  if (n % 2 != 0) s = p[--n];
  while (n >= 64 * (kMostRounds + 1)) {
    s += sum_avx2_part(p, kMostRounds, _mm256_setzero_si256());
    p += 64 * kMostRounds;
    n -= 64 * kMostRounds;
  }
  const std::size_t whole = n / 64 * 64, rest = n - whole;
  if (rest >= 32) {
    std::uint64_t words[4];
    std::memcpy(words, p + whole, 32);
    for (const std::uint64_t word : words) s += (word & 0xffff'ffff) + (word >> 32);
  }
  return s + sum_avx2_part(p, n / 64, last_words(p + n, rest % 32));
}

// The same on 64 bytes, and the last of them by a masked load. 64 KiB at a time keep the sum of all lanes within 31 bits.
__attribute__((target("avx512f,avx512bw"))) std::uint64_t sum_avx512(const std::uint8_t* p, std::size_t n) noexcept {
  constexpr std::size_t kMostBytes = 1U << 16;
  if (n > kMostBytes) return sum_avx512(p, kMostBytes) + sum_avx512(p + kMostBytes, n - kMostBytes);
  const __m512i sign = _mm512_set1_epi16(static_cast<short>(0x8000)), one = _mm512_set1_epi16(1);
  __m512i a = _mm512_setzero_si512(), b = a;
  const std::uint64_t moved = (n + 63) / 64 * 32 * 0x8000;
  for (; n >= 128; p += 128, n -= 128) {
    a = _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_xor_si512(_mm512_loadu_si512(p), sign), one));
    b = _mm512_add_epi32(b, _mm512_madd_epi16(_mm512_xor_si512(_mm512_loadu_si512(p + 64), sign), one));
  }
  if (n >= 64) {
    a = _mm512_add_epi32(a, _mm512_madd_epi16(_mm512_xor_si512(_mm512_loadu_si512(p), sign), one));
    p += 64, n -= 64;
  }
  if (n != 0) {
    const __m512i last = _mm512_maskz_loadu_epi8((std::uint64_t{1} << n) - 1, p);
    b = _mm512_add_epi32(b, _mm512_madd_epi16(_mm512_xor_si512(last, sign), one));
  }
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(_mm512_reduce_add_epi32(_mm512_add_epi32(a, b)))) + moved;
}

// Even and odd bytes apart, each multiplied by one and added by fours in a single instruction, which takes bytes as they are.
// 64 KiB at a time: a lane gets two bytes of either kind a step, and the sum of all lanes of either kind stays below 2^24.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) std::uint64_t sum_vnni(const std::uint8_t* p, std::size_t n) noexcept {
  constexpr std::size_t kMostBytes = 1U << 16;
  if (n > kMostBytes) return sum_vnni(p, kMostBytes) + sum_vnni(p + kMostBytes, n - kMostBytes);
  const __m512i even = _mm512_set1_epi16(0x0001), odd = _mm512_set1_epi16(0x0100);
  __m512i low = _mm512_setzero_si512(), high = low, more_low = low, more_high = low;
  for (; n >= 128; p += 128, n -= 128) {
    const __m512i x = _mm512_loadu_si512(p), y = _mm512_loadu_si512(p + 64);
    low = _mm512_dpbusd_epi32(low, x, even), high = _mm512_dpbusd_epi32(high, x, odd);
    more_low = _mm512_dpbusd_epi32(more_low, y, even), more_high = _mm512_dpbusd_epi32(more_high, y, odd);
  }
  if (n >= 64) {
    const __m512i x = _mm512_loadu_si512(p);
    low = _mm512_dpbusd_epi32(low, x, even), high = _mm512_dpbusd_epi32(high, x, odd);
    p += 64, n -= 64;
  }
  if (n != 0) {
    const __m512i x = _mm512_maskz_loadu_epi8((std::uint64_t{1} << n) - 1, p);
    more_low = _mm512_dpbusd_epi32(more_low, x, even), more_high = _mm512_dpbusd_epi32(more_high, x, odd);
  }
  const __m512i lows = _mm512_add_epi32(low, more_low), highs = _mm512_add_epi32(high, more_high);
  // A lane stays below 2^20 (64 KiB over 16 lanes, 255 each), so its word sum fits 28 bits and all sixteen fit 32.
  const __m512i words = _mm512_add_epi32(lows, _mm512_slli_epi32(highs, 8));
  return static_cast<std::uint32_t>(_mm512_reduce_add_epi32(words));
}
#endif

// Fastest first.
std::vector<SumVariant> runnable() {
  std::vector<SumVariant> out;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vnni")) out.push_back({"avx512vnni", sum_vnni});
  if (__builtin_cpu_supports("avx512bw")) out.push_back({"avx512bw", sum_avx512});
  if (__builtin_cpu_supports("avx2")) out.push_back({"avx2", sum_avx2});
#endif
  out.push_back({"words", [](const std::uint8_t* p, std::size_t n) noexcept { return sum_words(p, n); }});
  return out;
}

const std::vector<SumVariant> kRunnable = runnable();
const auto kSum = kRunnable.front().sum;

}  // namespace

std::uint32_t sum(Bytes bytes) noexcept { return narrow(kSum(bytes.data(), bytes.size())); }

std::span<const SumVariant> runnable_sums() noexcept { return kRunnable; }

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
  const std::uint64_t tail = std::uint64_t{__builtin_bswap32(segment_bytes)} + (std::uint32_t{protocol} << 24);
  // The mapped prefix of an IPv4 address would count twice 0xffff, which is zero in one's complement; it is left out for clarity.
  if (source.is_v4()) return tail + load_word32(source.v4()) + load_word32(destination.v4());
  return tail + sum_words(source.bytes.data(), 16) + sum_words(destination.bytes.data(), 16);
}

}  // namespace cutwater::wire
