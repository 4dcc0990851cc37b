#include "sim/introduction.hpp"

#include <algorithm>

namespace cutwater::sim {
namespace {

constexpr std::array<std::uint8_t, 12> kSignature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::size_t kFront = 16;

IpAddress address_at(const std::uint8_t* p, bool is_v4) { return is_v4 ? IpAddress::from_v4(p) : IpAddress::from_v6(p); }

}  // namespace

Introduction read_introduction(Bytes stream, const Introduced& expected) {
  if (stream.size() < kFront) return {};
  const bool is_v4 = stream[13] == 0x11;
  if (!std::equal(kSignature.begin(), kSignature.end(), stream.begin()) || stream[12] != 0x21 || (!is_v4 && stream[13] != 0x21)) return {.bytes = 0, .trouble = "no PROXY header"};
  const std::size_t body = load_be16(stream.data() + 14), address_bytes = is_v4 ? 4 : 16;
  if (body < 2 * address_bytes + 4 || body > 1'024) return {.bytes = 0, .trouble = "a PROXY header of " + std::to_string(body) + " bytes"};
  if (stream.size() < kFront + body) return {};
  const std::uint8_t* p = stream.data() + kFront;
  const bool is_right = address_at(p, is_v4) == expected.client && address_at(p + address_bytes, is_v4) == expected.service &&
                        load_be16(p + 2 * address_bytes) == expected.client_port && load_be16(p + 2 * address_bytes + 2) == expected.service_port;
  return {.bytes = kFront + body, .trouble = is_right ? "" : "a PROXY header of somebody else"};
}

}  // namespace cutwater::sim
