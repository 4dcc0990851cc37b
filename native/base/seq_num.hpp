// A position in a TCP byte stream, modulo 2^32 (RFC 9293 3.4). Never compared with < by accident.
// Thread: any.
#pragma once

#include <cstdint>

namespace cutwater {

struct SeqNum {
  std::uint32_t value = 0;
  bool operator==(const SeqNum&) const = default;
};
constexpr std::int32_t operator-(SeqNum a, SeqNum b) noexcept { return static_cast<std::int32_t>(a.value - b.value); }
constexpr SeqNum operator+(SeqNum s, std::uint32_t n) noexcept { return SeqNum{s.value + n}; }
constexpr SeqNum operator-(SeqNum s, std::uint32_t n) noexcept { return SeqNum{s.value - n}; }
constexpr SeqNum& operator+=(SeqNum& s, std::uint32_t n) noexcept { return s = s + n; }
constexpr bool before(SeqNum a, SeqNum b) noexcept { return a - b < 0; }
constexpr bool at_or_before(SeqNum a, SeqNum b) noexcept { return a - b <= 0; }
constexpr SeqNum later(SeqNum a, SeqNum b) noexcept { return before(a, b) ? b : a; }
constexpr SeqNum earlier(SeqNum a, SeqNum b) noexcept { return before(a, b) ? a : b; }
static_assert(before(SeqNum{0xffff'fff0}, SeqNum{0x10}));

}  // namespace cutwater
