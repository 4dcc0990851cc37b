// GHASH at a block a clock, with a multiplier that takes four. Four accumulators: block i goes to number i mod 4, times H^4; so a lane is
// asked for again when its product is there. The last four blocks of a record are multiplied by H^4 to H instead, and their sum is the hash.
//
//   slots ──▶ wait (5) ──▶ operand ──▶ digit 3 ─▶ digit 2 ─▶ digit 1 ─▶ digit 0 ──▶ lanes or sum ──▶ out
//   H ──────▶ powers (5) ────┘            ▲                                            │
//                                         └──────────── lane of four blocks ago ◀──────┘
//
// A pause between two blocks only makes the lane wait; it changes nothing. Source: SP 800-38D 6.4.
#pragma once

#include "core/hash_powers.hpp"
#include "core/slot.hpp"

namespace cutwater::hw {

inline constexpr unsigned kLanes = 4;                            // as many as the multiplier has clocks
inline constexpr unsigned kHashClocks = kPowerClocks + kDigits + 1;  // and the register on the way out
static_assert(kLanes == kDigits, "a lane comes round when its product is done");

/// The place of block `index` of `total` that are hashed.
inline HashPlace hash_place(std::uint32_t index, std::uint32_t total) noexcept {
  const std::uint32_t left = total - index;
  HashPlace place{};
  place.lane = index % kLanes;
  place.power = left < kLanes ? left : kLanes;
  place.is_hashed = true;
  place.is_first = index < kLanes;
  place.is_final = left <= kLanes;
  return place;
}

/// Both lengths in bits, 64 bits each; ours fit the lowest bytes.
inline Block lengths_block(const Slot& slot) noexcept {
  const std::uint32_t aad_bits = slot.aad_bytes * 8, text_bits = slot.text_bytes * 8;
  Block out{};
  out[7] = static_cast<std::uint8_t>(aad_bits);
  out[13] = static_cast<std::uint8_t>(text_bits >> 16U);
  out[14] = static_cast<std::uint8_t>(text_bits >> 8U);
  out[15] = static_cast<std::uint8_t>(text_bits);
  return out;
}

struct Ghash {
  struct Operand {
    Slot slot{};
    Field power{};
  };
  struct Product {
    Slot slot{};
    Field power{};
    Field block{};
    Field product{};
  };

  PowersPipe powers{};
  Slot waiting[kPowerClocks]{};
  HashPowers kept{};  // of the record whose blocks are passing
  Operand operand{};
  Product products[kDigits - 1]{};
  Field lanes[kLanes]{};
  Field sum{};
  Slot leaving{};

  /// One clock. `h` is the hash key when the slot is one of that kind, and zero otherwise.
  /// Returns: what entered kHashClocks clocks ago; a tag's block has become hash XOR what it was.
  Slot step(const Slot& in, const Block& h) noexcept {
    const Slot out = leaving;
    const Product done = multiplied<0>(products[kDigits - 2]);
    products[2] = multiplied<1>(products[1]);
    products[1] = multiplied<2>(products[0]);
    products[0] = multiplied<3>(begun(operand));
    leaving = accumulated(done);
    operand = chosen(waiting[kPowerClocks - 1], powers.step(to_field(h)));
    CUTWATER_LOOP(wait)
    for (unsigned i = kPowerClocks - 1; i != 0; --i) waiting[i] = waiting[i - 1];
    waiting[0] = in;
    return out;
  }

 private:
  /// The slot with the power of its own record. They arrive in the same clock as their hash key's slot, and go with the tag's.
  Operand chosen(const Slot& slot, const HashPowers& arriving) noexcept {
    const HashPowers now = slot.kind == SlotKind::hash_key ? arriving : kept;
    kept = slot.kind == SlotKind::tag ? HashPowers{} : now;
    return {slot, power_of(now, slot.place.power)};
  }

  [[nodiscard]] Product begun(const Operand& from) const noexcept {
    const Field block = to_field(from.slot.kind == SlotKind::tag ? lengths_block(from.slot) : from.slot.block);
    const Field before = from.slot.place.is_first ? Field{} : lanes[from.slot.place.lane];
    return {from.slot, from.power, add(block, before), {}};
  }

  template <unsigned place>
  static Product multiplied(const Product& before) noexcept {
    Product after = before;
    after.product = multiply_digit(before.product, before.power, digit(before.block, place));
    return after;
  }

  /// What is done with a product. After a tag nothing of its record is left: all that was begun before it is done.
  Slot accumulated(const Product& done) noexcept {
    Slot out = done.slot;
    const HashPlace& place = done.slot.place;
    const Field total = add(sum, done.product);
    const bool is_tag = out.kind == SlotKind::tag;
    CUTWATER_LOOP(each_lane)
    for (unsigned lane = 0; lane < kLanes; ++lane) {
      if (is_tag) lanes[lane] = {};
      if (place.is_hashed && !place.is_final && place.lane == lane) lanes[lane] = done.product;
    }
    if (is_tag) out.block = exclusive_or(out.block, to_block(total));
    if (is_tag) sum = {};
    if (!is_tag && place.is_hashed && place.is_final) sum = total;
    return out;
  }
};

}  // namespace cutwater::hw
