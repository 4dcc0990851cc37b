// The numbers of a SYN that both modes must agree on: how large a segment each side may be offered.
// Thread: any. Implements: A4.
#pragma once

#include <algorithm>

#include "splice/resources.hpp"
#include "wire/tcp.hpp"

namespace cutwater::path {

inline constexpr std::uint16_t kDefaultMssV4 = 536, kDefaultMssV6 = 1220;  // RFC 9293 3.7.1
inline constexpr std::uint16_t kMinMss = 88;  // below it a record has no room; Linux's own floor is 48
inline constexpr std::uint16_t kTimestampBytes = 12;

inline std::uint16_t link_mss(const splice::LinkSide& link, bool is_v4) noexcept {
  return static_cast<std::uint16_t>(link.mtu - wire::kTcpBytes - (is_v4 ? wire::kIpv4Bytes : wire::kIpv6Bytes));
}

inline std::uint16_t offered_mss(const wire::TcpOptions& options, bool is_v4) noexcept {
  return options.mss != 0 ? options.mss : is_v4 ? kDefaultMssV4 : kDefaultMssV6;
}

}  // namespace cutwater::path
