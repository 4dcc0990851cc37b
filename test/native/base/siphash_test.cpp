// SipHash against the reference values of its authors, and against the one thing nodes need of it: the same value everywhere.
#include <doctest/doctest.h>

#include <vector>

#include "base/siphash.hpp"

using namespace cutwater;

TEST_CASE("A8: siphash gives the values of the reference implementation, for whole words, parts of words and nothing") {
  const SipKey key{0x0706'0504'0302'0100ULL, 0x0f0e'0d0c'0b0a'0908ULL};
  std::vector<std::uint8_t> input;
  const auto at = [&](std::size_t bytes) {
    input.resize(bytes);
    for (std::size_t i = 0; i < bytes; ++i) input[i] = static_cast<std::uint8_t>(i);
    return siphash(key, input);
  };
  CHECK(at(0) == 0x726f'db47'dd0e'0e31ULL);   // vectors_sip64[0], [1], [7], [8] and the example of the paper's appendix A
  CHECK(at(1) == 0x74f8'39c5'93dc'67fdULL);
  CHECK(at(7) == 0xab02'00f5'8b01'd137ULL);
  CHECK(at(8) == 0x93f5'f579'9a93'2462ULL);
  CHECK(at(15) == 0xa129'ca61'49be'45e5ULL);
}
