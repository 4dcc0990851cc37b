// The fast checksum against its definition.
#include <doctest/doctest.h>

#include <vector>

#include "sim/random.hpp"
#include "wire/checksum.hpp"

using namespace cutwater;

namespace {
// Two sums are the same when they fold to the same 16 bits: 0 and 0xffff stand for one number in one's complement.
std::uint16_t folded(std::uint32_t sum) {
  const std::uint16_t f = wire::fold(sum);
  return f == 0xffff ? 0 : f;
}
}  // namespace

TEST_CASE("the checksum is the one of RFC 1071 for every length, odd ones too, at every alignment") {
  sim::Random random{1};
  std::vector<std::uint8_t> bytes(2048 + 64);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  for (std::size_t n = 0; n < 300; ++n) {
    for (std::size_t at = 0; at < 40; ++at) {
      REQUIRE(folded(wire::sum(Bytes(bytes).subspan(at, n))) == folded(wire::sum_slow(Bytes(bytes).subspan(at, n))));
    }
  }
  for (int i = 0; i < 2000; ++i) {
    const std::size_t at = random.below(64), n = random.below(2048);
    REQUIRE(folded(wire::sum(Bytes(bytes).subspan(at, n))) == folded(wire::sum_slow(Bytes(bytes).subspan(at, n))));
  }
}

TEST_CASE("no carry is lost: all ones, and the example of RFC 1071 3") {
  const std::vector<std::uint8_t> ones(65'535, 0xff);
  CHECK(folded(wire::sum(ones)) == folded(wire::sum_slow(ones)));
  const std::uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  const std::uint16_t sum = wire::fold(wire::sum(example));
  std::uint8_t stored[2];
  std::memcpy(stored, &sum, 2);
  CHECK(load_be16(stored) == static_cast<std::uint16_t>(~0xddf2));
}
