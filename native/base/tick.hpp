// Time as the core sees it: an argument, in microseconds, from an origin nobody needs to know (I7).
// Thread: any.
#pragma once

#include <compare>
#include <cstdint>

namespace cutwater {

struct Tick {
  std::uint64_t us = 0;
  auto operator<=>(const Tick&) const = default;
};
constexpr Tick operator+(Tick t, std::uint64_t us) noexcept { return Tick{t.us + us}; }
constexpr std::uint64_t operator-(Tick a, Tick b) noexcept { return a.us > b.us ? a.us - b.us : 0; }
constexpr Tick kNever{~0ULL};

}  // namespace cutwater
