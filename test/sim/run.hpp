// One run: a scenario's connections over a profile's links through a device, in virtual time, with every checker watching.
// Thread: one. Used by: main, the tests.
#pragma once

#include <functional>

#include "invariants/flow_audit.hpp"
#include "sim/rig.hpp"

namespace cutwater::sim {

enum class Tracing : std::uint8_t { off, on };

struct RunOptions {
  std::uint64_t seed = 1;
  const Profile* profile = nullptr;
  Tracing tracing = Tracing::off;
  /// Puts something between the run and its device: how the checkers are shown to bite.
  std::function<std::unique_ptr<Device>(std::unique_ptr<Device>)> wrap;
};

struct RunResult {
  invariants::Findings findings;
  std::uint64_t connections = 0, completed = 0, failed = 0;  // completed: clean on both ends
  std::uint64_t packets = 0, bytes = 0, virtual_us = 0;
  std::uint64_t digest = 0;   // over every header at the device's taps: equal for equal runs
  std::string trace;
};

RunResult run(Rig& rig, const RunOptions& options);

}  // namespace cutwater::sim
