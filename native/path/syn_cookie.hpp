// SYN cookies: a SYN-ACK whose sequence number says all that the device must remember of the SYN, so that a client costs
// nothing until it has proved that it hears us (RFC 4987 3.6). The number is a keyed hash of the connection and of the time
// (as RFC 6528 asks) that also carries the client's options.
//
//   bit  31       26 25         10 9          8    5 4   1 0
//        [ whose (6) ][ which (16) ][ period (1) ][ mss (4) ][ scale (4) ][ sack ]
//
// `which` is the lower half of the client's first number under a keyed mask, `whose` covers addresses, ports, time, options and
// the upper half. So a segment that comes when the client's first one was lost is told from one that has nothing to do with us:
// the first comes again, the second is refused, but for one in twenty, which is not heard.
// It must not be taken for the first, either, or bytes that never came would be acknowledged. The promise: whatever lies within the
// 65,535 bytes that our SYN-ACK allows never is, in however small pieces it comes. A blind sender hits one in four million.
// Thread: any (pure functions). Implements: A9.
#pragma once

#include <optional>

#include "base/siphash.hpp"
#include "base/tick.hpp"
#include "wire/tcp.hpp"

namespace cutwater::path {

/// What the device remembers of a SYN.
struct SynMemory {
  std::uint16_t mss = 536;        // rounded down to what a cookie can say
  std::int8_t window_scale = -1;  // -1: absent
  bool has_sack = false;
};

inline constexpr std::uint64_t kCookiePeriodUs = 64'000'000;  // good for one to two of them: a client's patience with a SYN-ACK

inline constexpr std::uint16_t kCookieWindow = 65'535;  // what the answer may allow at most: so far the first segment is told for certain

/// Returns: the first sequence number of the answer to `syn`. Requires: `mss` is what the client can take.
SeqNum make_cookie(const SipKey& key, const wire::Segment& syn, std::uint16_t mss, Tick now) noexcept;

struct CookieVerdict {
  enum class Kind : std::uint8_t {
    foreign,     // not the answer to a SYN-ACK of ours, or to one too old
    not_first,   // of a connection of ours, by its numbers, but not its first segment
    first,       // the client's first segment behind its SYN
  } kind = Kind::foreign;
  SynMemory memory{};  // of `first`
};
/// Judges a segment that belongs to no flow and acknowledges something.
CookieVerdict judge_cookie(const SipKey& key, const wire::Segment& segment, Tick now) noexcept;

}  // namespace cutwater::path
