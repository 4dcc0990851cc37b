#include "path/syn_cookie.hpp"

#include <array>

namespace cutwater::path {
namespace {

// What clients offer: Ethernet with and without timestamps' room, PPPoE, tunnels, mobile networks, the minima, jumbo frames.
constexpr std::array<std::uint16_t, 16> kMssTable = {88,   216,  536,  1200, 1220, 1300, 1340, 1360,
                                                     1380, 1400, 1420, 1440, 1452, 1460, 8940, 8960};
constexpr std::uint32_t kPartMask = 0x7ff, kOptionMask = 0x1ff, kNoScale = 15;
constexpr int kWhoseShift = 21, kWhichShift = 10, kPeriodShift = 9;
constexpr std::uint32_t kPrime = 2039;  // the largest below 2^11: no multiple of any segment size is one of it within a handshake
constexpr int kStretchBits = 17;        // 128 KiB: more than a client sends before its first segment is heard

std::uint32_t pack(const wire::TcpOptions& options, std::uint16_t mss) noexcept {
  std::uint32_t index = 0;
  while (index + 1 < kMssTable.size() && kMssTable[index + 1] <= mss) ++index;
  const std::uint32_t scale = options.window_scale < 0 ? kNoScale : static_cast<std::uint32_t>(options.window_scale);
  return index << 5 | scale << 1 | (options.has_sack_permitted ? 1U : 0U);
}

SynMemory unpack(std::uint32_t options) noexcept {
  const std::uint32_t scale = options >> 1 & 0xf;
  return {.mss = kMssTable[options >> 5],
          .window_scale = scale == kNoScale ? std::int8_t{-1} : static_cast<std::int8_t>(scale),
          .has_sack = (options & 1) != 0};
}

struct Parts {
  std::uint32_t whose, which;
};
Parts hash(const SipKey& key, const wire::Segment& s, SeqNum client_first, std::uint64_t period, std::uint32_t options) noexcept {
  std::array<std::uint8_t, 16 + 16 + 4 + 8 + 4> in;
  std::memcpy(in.data(), s.source.bytes.data(), 16);
  std::memcpy(in.data() + 16, s.destination.bytes.data(), 16);
  store_be16(in.data() + 32, s.source_port);
  store_be16(in.data() + 34, s.destination_port);
  store_be32(in.data() + 36, static_cast<std::uint32_t>(period >> 32));
  store_be32(in.data() + 40, static_cast<std::uint32_t>(period));
  store_be32(in.data() + 44, options);
  const std::uint64_t whose = siphash(key, in);
  std::array<std::uint8_t, 12> next;
  std::memcpy(next.data(), &whose, 8);
  store_be32(next.data() + 8, client_first.value >> kStretchBits);
  const auto stretch = static_cast<std::uint32_t>(siphash(key, next) >> 53);
  return {static_cast<std::uint32_t>(whose >> 53), stretch ^ client_first.value % kPrime};
}

std::uint64_t period_of(Tick now) noexcept { return now.us / kCookiePeriodUs; }

}  // namespace

SeqNum make_cookie(const SipKey& key, const wire::Segment& syn, std::uint16_t mss, Tick now) noexcept {
  const std::uint64_t period = period_of(now);
  const std::uint32_t options = pack(syn.options, mss);
  const Parts parts = hash(key, syn, syn.seq + 1U, period, options);
  return SeqNum{parts.whose << kWhoseShift | parts.which << kWhichShift | static_cast<std::uint32_t>(period & 1) << kPeriodShift | options};
}

CookieVerdict judge_cookie(const SipKey& key, const wire::Segment& segment, Tick now) noexcept {
  const std::uint32_t cookie = (segment.ack - 1U).value;
  std::uint64_t period = period_of(now);
  if ((period & 1) != (cookie >> kPeriodShift & 1)) {
    if (period == 0) return {};
    --period;
  }
  const std::uint32_t options = cookie & kOptionMask;
  const Parts parts = hash(key, segment, segment.seq, period, options);
  if (parts.whose != cookie >> kWhoseShift) return {};
  if (parts.which != (cookie >> kWhichShift & kPartMask)) return {.kind = CookieVerdict::Kind::not_first, .memory = {}};
  return {.kind = CookieVerdict::Kind::first, .memory = unpack(options)};
}

}  // namespace cutwater::path
