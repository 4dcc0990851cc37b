// The one clock of a process: monotonic, in microseconds. Read by workers once a turn and by secure processors for deadlines.
// Thread: any.
#pragma once

#include <ctime>

#include "base/tick.hpp"

namespace cutwater::engine {

inline Tick clock_now() noexcept {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return Tick{static_cast<std::uint64_t>(t.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(t.tv_nsec) / 1000};
}

}  // namespace cutwater::engine
