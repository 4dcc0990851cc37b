#include "core/hash_powers.hpp"

#include <doctest/doctest.h>

#include <random>
#include <vector>

#include "tb/hex_block.hpp"
#include "tb/slow_field.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("a new hash key every clock has its four powers kPowerClocks later, and nothing stays") {
  std::mt19937_64 random{1};
  std::vector<Block> keys(20);
  for (Block& h : keys) {
    for (unsigned i = 0; i < 16; ++i) h[i] = static_cast<std::uint8_t>(random());
  }
  PowersPipe pipe;
  for (std::size_t clock = 0; clock < keys.size() + kPowerClocks; ++clock) {
    const HashPowers out = pipe.step(clock < keys.size() ? to_field(keys[clock]) : Field{});
    if (clock < kPowerClocks) continue;
    const Block& h = keys[clock - kPowerClocks];
    Block power = h;
    for (unsigned exponent = 1; exponent <= 4; ++exponent) {
      CHECK(bytes_of(to_block(power_of(out, exponent))) == bytes_of(power));
      power = slow_product(power, h);
    }
  }
  for (const HashPowers& stage : pipe.stages) CHECK((stage.first.low | stage.second.high | stage.third.low | stage.fourth.high) == 0);
}
