// H, H^2, H^3 and H^4, in five clocks: the hash key is raised while it travels beside its record's slots, so a new one may come any clock.
// Squares are nearly free; only the cube is a product.
#pragma once

#include "core/gf128.hpp"

namespace cutwater::hw {

inline constexpr unsigned kPowerClocks = 1 + kDigits;

struct HashPowers {
  Field first{};
  Field second{};
  Field third{};
  Field fourth{};
};

inline Field power_of(const HashPowers& powers, UInt<3> exponent) noexcept {
  switch (exponent) {
    case 1: return powers.first;
    case 2: return powers.second;
    case 3: return powers.third;
    default: return powers.fourth;
  }
}

struct PowersPipe {
  HashPowers stages[kPowerClocks]{};

  /// One clock. `h` is a hash key, or zero when there is none. Returns: the powers of what entered kPowerClocks clocks ago.
  HashPowers step(const Field& h) noexcept {
    const HashPowers out = stages[kPowerClocks - 1];
    CUTWATER_LOOP(cube)
    for (unsigned stage = kPowerClocks - 1; stage != 0; --stage) {
      const HashPowers& before = stages[stage - 1];
      stages[stage] = before;
      stages[stage].third = multiply_digit(before.third, before.first, digit(before.second, kDigits - stage));
      if (stage == 1) stages[stage].fourth = square(before.second);
    }
    stages[0] = {h, square(h), {}, {}};
    return out;
  }
};

}  // namespace cutwater::hw
