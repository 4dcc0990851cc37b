// I5: when every connection is over, all memory is back and no timer is left.
#include <doctest/doctest.h>

#include "invariants/broken_device.hpp"

using namespace cutwater;

TEST_CASE("I5: a chunk that is not given back is noticed") {
  sim::Profile leaky = *sim::find_profile("clean");
  leaky.trouble.leak = 0.05;
  sim::Rig rig{sim::DeviceKind::path};
  const auto result = sim::run(rig, {.seed = 3, .profile = &leaky, .wrap = {}});
  CHECK(result.findings.has("I5"));
  CHECK(sim::run(rig, {.seed = 3, .profile = sim::find_profile("clean"), .wrap = {}}).findings.empty());
}
