// An IPv4 or IPv6 address in network order; IPv4 is kept as the mapped form ::ffff:a.b.c.d, so one type serves both.
// Thread: any.
#pragma once

#include <array>
#include <cstring>

#include "base/bytes.hpp"

namespace cutwater {

struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};
  /// In words: the default is a call of memcmp, twice for each packet that is looked up.
  bool operator==(const IpAddress& other) const noexcept {
    std::uint64_t a[2], b[2];
    std::memcpy(a, bytes.data(), 16);
    std::memcpy(b, other.bytes.data(), 16);
    return ((a[0] ^ b[0]) | (a[1] ^ b[1])) == 0;
  }

  [[nodiscard]] bool is_v4() const noexcept {
    std::uint64_t zeros;
    std::uint32_t mark;
    std::memcpy(&zeros, bytes.data(), 8);
    std::memcpy(&mark, bytes.data() + 8, 4);
    return zeros == 0 && mark == 0xffff'0000;  // as it lies in a little-endian machine's memory
  }
  /// The four bytes of an IPv4 address. Requires: is_v4().
  [[nodiscard]] const std::uint8_t* v4() const noexcept { return bytes.data() + 12; }

  static IpAddress from_v4(const std::uint8_t* p) noexcept {
    IpAddress a;
    a.bytes[10] = a.bytes[11] = 0xff;
    std::memcpy(a.bytes.data() + 12, p, 4);
    return a;
  }
  static IpAddress from_v6(const std::uint8_t* p) noexcept {
    IpAddress a;
    std::memcpy(a.bytes.data(), p, 16);
    return a;
  }
};

using MacAddress = std::array<std::uint8_t, 6>;

}  // namespace cutwater
