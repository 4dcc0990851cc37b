// The fast checksum against its definition.
#include <doctest/doctest.h>

#include <vector>

#include "sim/random.hpp"
#include "wire/checksum.hpp"

using namespace cutwater;

namespace {
// Two sums are the same when they fold to the same 16 bits: 0 and 0xffff stand for one number in one's complement.
std::uint16_t folded(std::uint64_t sum) {
  const std::uint16_t f = wire::fold(sum);
  return f == 0xffff ? 0 : f;
}
std::uint64_t slow_sum(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t s = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) s += bytes[i] + (i + 1 < bytes.size() ? bytes[i + 1] * 256U : 0U);
  return s;
}
}  // namespace

TEST_CASE("the checksum is the one of RFC 1071 for every length, odd ones too, at every alignment, by every variant that runs here") {
  sim::Random random{1};
  std::vector<std::uint8_t> bytes(2048 + 64);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
  const auto check = [&](std::size_t at, std::size_t n) {
    const std::uint16_t right = folded(wire::sum_slow(Bytes(bytes).subspan(at, n)));
    REQUIRE(folded(wire::sum(Bytes(bytes).subspan(at, n))) == right);
    for (const wire::SumVariant& variant : wire::runnable_sums()) {
      INFO(variant.name << " of " << n << " bytes at " << at);
      REQUIRE(folded(variant.sum(bytes.data() + at, n)) == right);
    }
  };
  for (std::size_t n = 0; n < 300; ++n) {
    for (std::size_t at = 0; at < 40; ++at) check(at, n);
  }
  for (int i = 0; i < 2000; ++i) check(random.below(64), random.below(2048));
}

TEST_CASE("no carry is lost: all ones, and the example of RFC 1071 3") {
  for (const std::size_t n : {std::size_t{65'535}, std::size_t{65'536}, std::size_t{65'601}, std::size_t{3 << 20}}) {
    const std::vector<std::uint8_t> ones(n, 0xff);
    for (const wire::SumVariant& variant : wire::runnable_sums()) {
      INFO(variant.name << " of " << n << " bytes");
      CHECK(folded(variant.sum(ones.data(), n)) == folded(slow_sum(ones)));
    }
  }
  const std::uint8_t example[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  const std::uint16_t sum = wire::fold(wire::sum(example));
  std::uint8_t stored[2];
  std::memcpy(stored, &sum, 2);
  CHECK(load_be16(stored) == static_cast<std::uint16_t>(~0xddf2));
}
