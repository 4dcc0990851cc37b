// SipHash-2-4: a keyed hash whose value is the same on every machine, for choices that several nodes must agree on.
// Not for secrets. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012), section 2. Thread: any.
#pragma once

#include <array>
#include <bit>

#include "base/bytes.hpp"

namespace cutwater {

using SipKey = std::array<std::uint64_t, 2>;

namespace siphash_detail {
struct State {
  std::uint64_t v0, v1, v2, v3;
  constexpr void round() noexcept {
    v0 += v1, v1 = std::rotl(v1, 13) ^ v0, v0 = std::rotl(v0, 32);
    v2 += v3, v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3, v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1, v1 = std::rotl(v1, 17) ^ v2, v2 = std::rotl(v2, 32);
  }
  constexpr void absorb(std::uint64_t word) noexcept {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
};
// Little-endian whatever the machine is: the value must not depend on it.
constexpr std::uint64_t word_of(const std::uint8_t* p, std::size_t bytes) noexcept {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes; ++i) word |= std::uint64_t{p[i]} << (8 * i);
  return word;
}
}  // namespace siphash_detail

inline std::uint64_t siphash(const SipKey& key, Bytes in) noexcept {
  using siphash_detail::word_of;
  siphash_detail::State s{key[0] ^ 0x736f'6d65'7073'6575ULL, key[1] ^ 0x646f'7261'6e64'6f6dULL,
                          key[0] ^ 0x6c79'6765'6e65'7261ULL, key[1] ^ 0x7465'6462'7974'6573ULL};
  const std::size_t whole = in.size() / 8 * 8;
  for (std::size_t i = 0; i < whole; i += 8) s.absorb(word_of(in.data() + i, 8));
  s.absorb(word_of(in.data() + whole, in.size() - whole) | (std::uint64_t{in.size()} << 56));
  s.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) s.round();
  return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

}  // namespace cutwater
