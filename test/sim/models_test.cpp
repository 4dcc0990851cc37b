// The simulator proved on itself: without a device, with a terminator of model parts, and against itself.
#include <doctest/doctest.h>

#include "sim/run.hpp"

using namespace cutwater;

namespace {

/// Runs `seeds` seeds on every profile and says which ones had findings.
std::vector<std::string> failures(sim::DeviceKind kind, std::uint64_t seeds) {
  sim::Rig rig{kind};
  std::vector<std::string> out;
  for (const auto& profile : sim::all_profiles()) {
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
      const auto result = sim::run(rig, {.seed = seed, .profile = &profile, .wrap = {}});
      for (const auto& f : result.findings.list()) out.push_back(profile.name + " seed " + std::to_string(seed) + ": " + f.invariant + " " + f.what);
    }
  }
  return out;
}

}  // namespace

TEST_CASE("I6: model TCPs carry exactly the bytes over every profile without a device") {
  for (const auto& failure : failures(sim::DeviceKind::router, 5)) FAIL_CHECK(failure);
}

TEST_CASE("I6: model TCPs, TLS clients and a model terminator carry exactly the bytes over every profile") {
  for (const auto& failure : failures(sim::DeviceKind::reference, 3)) FAIL_CHECK(failure);
}

TEST_CASE("I1: the check notices a terminator, which acknowledges what it only holds") {
  class Pretender final : public sim::Device {
   public:
    explicit Pretender(std::unique_ptr<sim::Device> real) : real_(std::move(real)) {
      real_->attach([this](sim::Side side, sim::Frame&& frame) { send(side, std::move(frame)); });
    }
    void receive(sim::Side side, sim::Frame&& frame, std::uint64_t now) override { real_->receive(side, std::move(frame), now); }
    [[nodiscard]] std::uint64_t deadline() const override { return real_->deadline(); }
    void run_timers(std::uint64_t now) override { real_->run_timers(now); }

   private:
    std::unique_ptr<sim::Device> real_;
  };
  sim::Rig rig{sim::DeviceKind::reference};
  const auto result = sim::run(rig, {.seed = 3, .profile = sim::find_profile("clean"),
                                     .wrap = [](auto real) { return std::make_unique<Pretender>(std::move(real)); }});
  CHECK(result.findings.has("I1"));
}

TEST_CASE("I7: a seed repeats itself, whatever ran before it") {
  const auto* profile = sim::find_profile("everything");
  std::vector<std::uint64_t> forwards, backwards;
  {
    sim::Rig rig{sim::DeviceKind::path};
    for (std::uint64_t seed = 1; seed <= 25; ++seed) forwards.push_back(sim::run(rig, {.seed = seed, .profile = profile, .wrap = {}}).digest);
  }
  sim::Rig rig{sim::DeviceKind::path};
  for (std::uint64_t seed = 25; seed >= 1; --seed) backwards.insert(backwards.begin(), sim::run(rig, {.seed = seed, .profile = profile, .wrap = {}}).digest);
  CHECK(forwards == backwards);
}
