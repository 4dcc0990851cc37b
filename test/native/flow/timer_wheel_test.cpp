// The timer wheel against a list of deadlines.
#include <doctest/doctest.h>

#include <map>

#include "flow/timer_wheel.hpp"
#include "sim/random.hpp"

using namespace cutwater;
using namespace cutwater::flow;

namespace {
constexpr std::uint64_t kSlotUs = 1000, kRevolutionUs = 8192 * kSlotUs;
}

TEST_CASE("timers never fire early, fire within two milliseconds when somebody looks, and all fire, however far away") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    sim::Random random{seed};
    TimerWheel wheel(64);
    std::map<std::uint32_t, Tick> model;
    Tick now{random.below(1'000'000'000)};
    for (int step = 0; step < 4000; ++step) {
      const auto index = static_cast<std::uint32_t>(random.below(64));
      const std::uint64_t far[] = {0, random.below(3000), random.below(100'000), random.below(kRevolutionUs), kRevolutionUs, random.below(5 * kRevolutionUs)};
      switch (random.below(4)) {
        case 0:
        case 1: {
          const Tick deadline = now + far[random.below(6)];
          wheel.arm(index, deadline, now);
          model[index] = deadline;
          break;
        }
        case 2:
          wheel.disarm(index);
          model.erase(index);
          break;
        default: now = now + far[random.below(6)] / (random.chance(0.9) ? 8 : 1);
      }
      REQUIRE(wheel.deadline(index) == (model.contains(index) ? model[index] : kNever));
      for (std::uint32_t due = wheel.pop_due(now); due != TimerWheel::kNone; due = wheel.pop_due(now)) {
        REQUIRE(model.contains(due));
        REQUIRE(model[due] <= now);
        model.erase(due);
      }
      Tick earliest = kNever;
      for (const auto& [i, deadline] : model) earliest = std::min(earliest, deadline);
      if (earliest != kNever) REQUIRE(earliest + 2 * kSlotUs > now);
      REQUIRE((wheel.next_deadline() == kNever) == model.empty());
      if (!model.empty()) REQUIRE(wheel.next_deadline() <= earliest + kSlotUs);
    }
  }
}

TEST_CASE("a timer that is armed again moves; kNever disarms it") {
  TimerWheel wheel(2);
  wheel.arm(0, Tick{50'000}, Tick{0});
  wheel.arm(0, Tick{90'000}, Tick{0});
  CHECK(wheel.pop_due(Tick{80'000}) == TimerWheel::kNone);
  CHECK(wheel.pop_due(Tick{91'000}) == 0);
  wheel.arm(1, Tick{95'000}, Tick{91'000});
  wheel.arm(1, kNever, Tick{91'000});
  CHECK(wheel.pop_due(Tick{900'000}) == TimerWheel::kNone);
  CHECK(wheel.next_deadline() == kNever);
}
