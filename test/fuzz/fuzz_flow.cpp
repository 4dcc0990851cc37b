// An established flow of a direct service under any sequence of packets of either side and of time: two bytes of options, then a
// script (play.hpp, which says what holds). Run: fuzz_flow test/fuzz/corpus/flow -max_len=400
#include "fuzz/play.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace cutwater::fuzz;
  if (size < 2) return 0;
  Script script{{data + 2, size - 2}};
  Play(plan_of(Shape::direct, data[0], data[1]), Play::Begin::established).run(script);
  return 0;
}
