// GF(2^128) as GHASH has it: modulo x^128 + x^7 + x^2 + x + 1. A product takes four clocks, one 32-bit digit each, so a clock holds 32 AND gates a
// bit and one fold of 32 bits. Squares are linear: a clock, and nearly free.
// Bits stand as one counts them, the coefficient of x^i in bit i; GHASH's bytes have them mirrored (SP 800-38D 6.3), which is wiring.
#pragma once

#include "core/block.hpp"

namespace cutwater::hw {

struct Field {
  std::uint64_t low;
  std::uint64_t high;
};

inline constexpr unsigned kDigitBits = 32;
inline constexpr unsigned kDigits = 128 / kDigitBits;

inline Field add(const Field& a, const Field& b) noexcept { return {a.low ^ b.low, a.high ^ b.high}; }

inline std::uint8_t mirrored(std::uint8_t byte) noexcept {
  unsigned out = 0;
  CUTWATER_LOOP(bits)
  for (unsigned bit = 0; bit < 8; ++bit) out |= (byte >> bit & 1U) << (7 - bit);
  return static_cast<std::uint8_t>(out);
}

inline Field to_field(const Block& block) noexcept {
  Field out{};
  CUTWATER_LOOP(low_bytes)
  for (unsigned i = 0; i < 8; ++i) out.low |= static_cast<std::uint64_t>(mirrored(block[i])) << (8 * i);
  CUTWATER_LOOP(high_bytes)
  for (unsigned i = 0; i < 8; ++i) out.high |= static_cast<std::uint64_t>(mirrored(block[8 + i])) << (8 * i);
  return out;
}

inline Block to_block(const Field& field) noexcept {
  Block out{};
  CUTWATER_LOOP(low_bytes)
  for (unsigned i = 0; i < 8; ++i) out[i] = mirrored(static_cast<std::uint8_t>(field.low >> (8 * i)));
  CUTWATER_LOOP(high_bytes)
  for (unsigned i = 0; i < 8; ++i) out[8 + i] = mirrored(static_cast<std::uint8_t>(field.high >> (8 * i)));
  return out;
}

/// The digit of `a` that stands at x^(32 * place).
inline std::uint32_t digit(const Field& a, unsigned place) noexcept {
  return static_cast<std::uint32_t>((place < 2 ? a.low : a.high) >> (kDigitBits * (place % 2)));
}

/// Three words of a sum that grew over 128 bits.
struct WideField {
  std::uint64_t low;
  std::uint64_t high;
  std::uint32_t over;  // the coefficients of x^128 to x^159
};

/// Brings the 32 bits above back: x^128 is x^7 + x^2 + x + 1.
inline Field folded(const WideField& a) noexcept {
  const std::uint64_t over = a.over;
  return {a.low ^ over ^ over << 1U ^ over << 2U ^ over << 7U, a.high};
}

/// One clock of a product: `product` * x^32 + `digit` * `a`. From the highest digit to the lowest, four of them make a whole one.
/// The 33 terms are added as a tree, because a chain of them would not fit a clock.
inline Field multiply_digit(const Field& product, const Field& a, std::uint32_t digit) noexcept {
  Array<WideField, kDigitBits> terms{};
  CUTWATER_LOOP(bits)
  for (unsigned bit = 0; bit < kDigitBits; ++bit) {
    const std::uint64_t mask = 0 - static_cast<std::uint64_t>(digit >> bit & 1U);
    const std::uint64_t carried_low = bit == 0 ? 0 : a.low >> (64 - bit);
    const std::uint64_t carried_high = bit == 0 ? 0 : a.high >> (64 - bit);
    terms[bit] = {a.low << bit & mask, (a.high << bit | carried_low) & mask, static_cast<std::uint32_t>(carried_high & mask)};
  }
  CUTWATER_LOOP(levels)
  for (unsigned half = kDigitBits / 2; half != 0; half /= 2) {
    CUTWATER_LOOP(pairs)
    for (unsigned i = 0; i < half; ++i) {
      terms[i].low ^= terms[i + half].low;
      terms[i].high ^= terms[i + half].high;
      terms[i].over ^= terms[i + half].over;
    }
  }
  return folded({terms[0].low ^ product.low << kDigitBits, terms[0].high ^ (product.high << kDigitBits | product.low >> kDigitBits),
                 terms[0].over ^ static_cast<std::uint32_t>(product.high >> kDigitBits)});
}

/// Bit i goes to bit 2i.
inline std::uint64_t spread(std::uint32_t half) noexcept {
  std::uint64_t out = 0;
  CUTWATER_LOOP(bits)
  for (unsigned bit = 0; bit < 32; ++bit) out |= static_cast<std::uint64_t>(half >> bit & 1U) << (2 * bit);
  return out;
}

/// Each bit of a square is the sum of a few bits. The upper 128 are brought back 32 at a time, from the top.
inline Field square(const Field& a) noexcept {
  const std::uint64_t words[4] = {spread(digit(a, 0)), spread(digit(a, 1)), spread(digit(a, 2)), spread(digit(a, 3))};
  Field out{words[2], words[3]};
  CUTWATER_LOOP(digits)
  for (unsigned place = kDigits; place != 0; --place) {
    const std::uint32_t lower = static_cast<std::uint32_t>(words[(place - 1) / 2] >> (kDigitBits * ((place - 1) % 2)));
    out = folded({out.low << kDigitBits | lower, out.high << kDigitBits | out.low >> kDigitBits,
                  static_cast<std::uint32_t>(out.high >> kDigitBits)});
  }
  return out;
}

}  // namespace cutwater::hw
