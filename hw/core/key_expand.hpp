// The AES key schedule, one round key a clock, beside the block that needs it: each block takes its own key down the pipeline, so the next
// one may belong to another key and nothing waits. A window of two round keys is enough for both sizes, and the next one is ready a
// clock before its round: the schedule's S-boxes and the round's are never in one path.
// Source: FIPS 197 5.2.
#pragma once

#include "core/sbox.hpp"

namespace cutwater::hw {

enum class KeySize : std::uint8_t { aes_128, aes_256 };

inline constexpr unsigned kMostRounds = 14;
inline constexpr unsigned rounds_of(KeySize size) noexcept { return size == KeySize::aes_128 ? 10 : kMostRounds; }

/// The keys of this round and of the next.
struct RoundKeys {
  Block current;
  Block next;
};

/// The constant of the n-th word that has one, from 1 on; further ones than AES asks for are what the doubling gives.
inline constexpr std::uint8_t round_constant(unsigned n) noexcept {
  std::uint8_t value = 1;
  for (unsigned i = 1; i < n; ++i) value = times_x(value);
  return value;
}

/// Round key number `round` from the two before it. Cost: four S-boxes. Requires: round >= 1; for AES-256 >= 2.
template <unsigned round>
inline Block round_key(const RoundKeys& before, KeySize size) noexcept {
  constexpr std::uint8_t kConstant128 = round_constant(round), kConstant256 = round_constant(round / 2);
  const bool is_turned = size == KeySize::aes_128 || round % 2 == 0;
  const std::uint8_t constant = size == KeySize::aes_128 ? kConstant128 : round % 2 == 0 ? kConstant256 : std::uint8_t{0};
  const Block& base = size == KeySize::aes_128 ? before.next : before.current;
  Array<std::uint8_t, 4> word{};
  CUTWATER_LOOP(last_word)
  for (unsigned i = 0; i < 4; ++i) word[i] = substitute(before.next[12 + (is_turned ? (i + 1) % 4 : i)]);
  word[0] = static_cast<std::uint8_t>(word[0] ^ constant);
  Block out{};
  CUTWATER_LOOP(bytes)
  for (unsigned i = 0; i < kBlockBytes; ++i) {
    word[i % 4] = static_cast<std::uint8_t>(word[i % 4] ^ base[i]);
    out[i] = word[i % 4];
  }
  return out;
}

/// The keys of rounds 0 and 1. The second half of a 256-bit key is round 1's as it is.
inline RoundKeys first_keys(const Key& key, KeySize size) noexcept {
  RoundKeys keys{};
  CUTWATER_LOOP(halves)
  for (unsigned i = 0; i < kBlockBytes; ++i) {
    keys.current[i] = key[i];
    keys.next[i] = key[kBlockBytes + i];
  }
  if (size == KeySize::aes_128) keys.next = round_key<1>({{}, keys.current}, size);
  return keys;
}

/// From the keys of rounds `round` and `round + 1` to the next pair.
template <unsigned round>
inline RoundKeys next_keys(const RoundKeys& keys, KeySize size) noexcept {
  return {keys.next, round_key<round + 2>(keys, size)};
}

}  // namespace cutwater::hw
