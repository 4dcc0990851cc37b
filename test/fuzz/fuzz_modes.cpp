// Services of every other kind under any sequence of packets of a client, of servers and of time, from the SYN on: bytes that pass
// untouched, hellos that are only read, proxy with and without a PROXY header, balance with a pool, requests that are read, TLS to
// servers. Three bytes of options, then a script (play.hpp, which says what holds). Run: fuzz_modes test/fuzz/corpus/modes -max_len=400
#include "fuzz/play.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cutwater::fuzz;
  if (size < 3) return 0;
  Script script{{data + 3, size - 3}};
  const auto shape = static_cast<Shape>(data[0] % kShapes);
  Play(plan_of(shape, data[1], data[2]), (data[0] & 128) != 0 ? Play::Begin::at_syn : Play::Begin::established).run(script);
  return 0;
}
