#include "wire/checksum.hpp"

#include <algorithm>
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

// Words are moved into the signed range (minus 2^15) and added in pairs, both by one instruction behind the load. Loads lie on
// cache lines, so that none takes two: of the first and the last line a mask takes what is not ours. From an odd address all
// words lie the other way round, and so does their sum, which a byte's shift puts right (RFC 1071 2(B)). Eight sums side by
// side: an addition waits for the one before it, and what waits for the whole is what a packet takes long for.
// 64 KiB at a time keep the sum of all lanes within 31 bits.
__attribute__((target("avx512f,avx512bw,avx512vnni"))) std::uint64_t sum_vnni(const std::uint8_t* p, std::size_t n) noexcept {
  constexpr std::size_t kMostBytes = 1U << 16, kLine = 64;
  if (n > kMostBytes) return sum_vnni(p, kMostBytes) + sum_vnni(p + kMostBytes, n - kMostBytes);
  const __m512i sign = _mm512_set1_epi16(static_cast<short>(0x8000)), one = _mm512_set1_epi16(1);
  const auto add = [&](__m512i to, __m512i words) __attribute__((target("avx512f,avx512bw,avx512vnni"), always_inline)) {
    return _mm512_dpwssd_epi32(to, _mm512_xor_si512(words, sign), one);
  };
  const std::size_t before = reinterpret_cast<std::uintptr_t>(p) % kLine;
  const std::uint8_t* line = p - before;
  std::size_t left = n + before;  // from the line's begin
  const std::uint64_t moved = std::max<std::size_t>((left + kLine - 1) / kLine, 1) * (kLine / 2) * 0x8000;
  std::uint64_t ours = ~std::uint64_t{0} << before;
  if (left < kLine) ours &= (std::uint64_t{1} << left) - 1;
  const __m512i zero = _mm512_setzero_si512();
  __m512i a = add(zero, _mm512_maskz_loadu_epi8(ours, line)), b = zero, c = zero, d = zero, e = zero, f = zero, g = zero, h = zero;
  line += kLine;
  left -= std::min(left, kLine);
  for (; left >= 8 * kLine; line += 8 * kLine, left -= 8 * kLine) {
    a = add(a, _mm512_load_si512(line)), b = add(b, _mm512_load_si512(line + kLine));
    c = add(c, _mm512_load_si512(line + 2 * kLine)), d = add(d, _mm512_load_si512(line + 3 * kLine));
    e = add(e, _mm512_load_si512(line + 4 * kLine)), f = add(f, _mm512_load_si512(line + 5 * kLine));
    g = add(g, _mm512_load_si512(line + 6 * kLine)), h = add(h, _mm512_load_si512(line + 7 * kLine));
  }
  if (left >= 4 * kLine) {
    a = add(a, _mm512_load_si512(line)), b = add(b, _mm512_load_si512(line + kLine));
    c = add(c, _mm512_load_si512(line + 2 * kLine)), d = add(d, _mm512_load_si512(line + 3 * kLine));
    line += 4 * kLine, left -= 4 * kLine;
  }
  if (left >= 2 * kLine) {
    e = add(e, _mm512_load_si512(line)), f = add(f, _mm512_load_si512(line + kLine));
    line += 2 * kLine, left -= 2 * kLine;
  }
  if (left >= kLine) {
    g = add(g, _mm512_load_si512(line));
    line += kLine, left -= kLine;
  }
  if (left != 0) h = add(h, _mm512_maskz_loadu_epi8((std::uint64_t{1} << left) - 1, line));
  const __m512i abcd = _mm512_add_epi32(_mm512_add_epi32(a, b), _mm512_add_epi32(c, d));
  const __m512i efgh = _mm512_add_epi32(_mm512_add_epi32(e, f), _mm512_add_epi32(g, h));
  const auto s = static_cast<std::uint64_t>(static_cast<std::int64_t>(_mm512_reduce_add_epi32(_mm512_add_epi32(abcd, efgh)))) + moved;
  return before % 2 != 0 ? s << 8 : s;
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

}  // namespace

const Sum fastest_sum = kRunnable.front().sum;

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

}  // namespace cutwater::wire
