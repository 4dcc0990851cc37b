// A device with a fault put in on purpose: the real one behind it, and a hand that changes what it sends. The checkers must notice.
// Thread: one run, one thread. Used by: the tests of this folder.
#pragma once

#include <functional>

#include "sim/run.hpp"

namespace cutwater::invariants {

enum class Fate : std::uint8_t { send, swallow };

class BrokenDevice final : public sim::Device {
 public:
  /// Sees what the device receives; changes, or swallows, what it sends.
  using Watch = std::function<void(sim::Side, const sim::Segment&)>;
  using Mutate = std::function<Fate(sim::Side, sim::Frame&, const sim::Segment&)>;

  BrokenDevice(std::unique_ptr<sim::Device> real, Watch watch, Mutate mutate)
      : real_(std::move(real)), watch_(std::move(watch)), mutate_(std::move(mutate)) {
    real_->attach([this](sim::Side side, sim::Frame&& frame) {
      const auto decoded = sim::decode(frame);
      if (decoded.kind != sim::Decoding::tcp || mutate_(side, frame, decoded.segment) == Fate::send) send(side, std::move(frame));
    });
  }
  void receive(sim::Side side, sim::Frame&& frame, std::uint64_t now) override {
    const auto decoded = sim::decode(frame);
    if (watch_ && decoded.kind == sim::Decoding::tcp) watch_(side, decoded.segment);
    real_->receive(side, std::move(frame), now);
  }
  [[nodiscard]] std::uint64_t deadline() const override { return real_->deadline(); }
  void run_timers(std::uint64_t now) override { real_->run_timers(now); }
  [[nodiscard]] bool is_idle() const override { return real_->is_idle(); }
  [[nodiscard]] std::vector<std::string> leftovers() const override { return real_->leftovers(); }

 private:
  std::unique_ptr<sim::Device> real_;
  Watch watch_;
  Mutate mutate_;
};

/// The frame of `segment` with its fields changed by `change`, checksums right again.
template <class Change>
void rewrite(sim::Frame& frame, const sim::Segment& segment, Change&& change) {
  sim::Segment changed = segment;
  const std::vector<std::uint8_t> payload(segment.payload.begin(), segment.payload.end());
  changed.payload = payload;
  change(changed);
  frame = sim::encode(changed, sim::Padding::none);
}

/// Runs seeds on a profile behind a fresh fault each. Returns: whether a finding of that name came up.
inline bool is_caught(const std::string& invariant, const sim::Profile& profile,
                      const std::function<std::unique_ptr<sim::Device>(std::unique_ptr<sim::Device>)>& fault) {
  constexpr std::uint64_t kSeeds = 100;
  sim::Rig rig{sim::DeviceKind::path};
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto result = sim::run(rig, {.seed = seed, .profile = &profile, .wrap = fault});
    if (result.findings.has(invariant)) return true;
  }
  return false;
}

}  // namespace cutwater::invariants
