#include "path/syn_cookie.hpp"

#include <array>

namespace cutwater::path {
namespace {

// What clients offer: Ethernet with and without timestamps' room, PPPoE, tunnels, mobile networks, the minima, jumbo frames.
constexpr std::array<std::uint16_t, 16> kMssTable = {88,   216,  536,  1200, 1220, 1300, 1340, 1360,
                                                     1380, 1400, 1420, 1440, 1452, 1460, 8940, 8960};
constexpr std::uint32_t kOptionMask = 0x1ff, kNoScale = 15;
constexpr int kWhoseShift = 26, kWhichShift = 10, kPeriodShift = 9;
constexpr int kHalfBits = 16;  // of a client's number
static_assert(kCookieWindow < 1U << kHalfBits, "what may come before an acknowledgement has no lower half twice");

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

// What the key makes of a connection in a period. Requires a SYN's options as `pack` has them.
std::uint64_t digest(const SipKey& key, const wire::Segment& s, std::uint64_t period, std::uint32_t options) noexcept {
  std::array<std::uint8_t, 16 + 16 + 4 + 8 + 4> in;
  std::memcpy(in.data(), s.source.bytes.data(), 16);
  std::memcpy(in.data() + 16, s.destination.bytes.data(), 16);
  store_be16(in.data() + 32, s.source_port);
  store_be16(in.data() + 34, s.destination_port);
  store_be32(in.data() + 36, static_cast<std::uint32_t>(period >> 32));
  store_be32(in.data() + 40, static_cast<std::uint32_t>(period));
  store_be32(in.data() + 44, options);
  return siphash(key, in);
}

std::uint32_t whose(const SipKey& key, std::uint64_t digest, std::uint32_t upper) noexcept {
  std::array<std::uint8_t, 12> in;
  std::memcpy(in.data(), &digest, 8);
  store_be32(in.data() + 8, upper);
  return static_cast<std::uint32_t>(siphash(key, in) >> (32 + kWhoseShift));
}

// The mask is the same for all numbers of the connection: so two that are less than 64 KiB apart never look alike.
std::uint32_t which(std::uint64_t digest, SeqNum client_first) noexcept {
  return (static_cast<std::uint32_t>(digest >> 48) ^ client_first.value) & 0xffff;
}

std::uint32_t upper_half(SeqNum n) noexcept { return n.value >> kHalfBits; }

std::uint64_t period_of(Tick now) noexcept { return now.us / kCookiePeriodUs; }

}  // namespace

SeqNum make_cookie(const SipKey& key, const wire::Segment& syn, std::uint16_t mss, Tick now) noexcept {
  const std::uint64_t period = period_of(now);
  const std::uint32_t options = pack(syn.options, mss);
  const SeqNum first = syn.seq + 1U;
  const std::uint64_t of_connection = digest(key, syn, period, options);
  return SeqNum{whose(key, of_connection, upper_half(first)) << kWhoseShift | which(of_connection, first) << kWhichShift |
                static_cast<std::uint32_t>(period & 1) << kPeriodShift | options};
}

CookieVerdict judge_cookie(const SipKey& key, const wire::Segment& segment, Tick now) noexcept {
  const std::uint32_t cookie = (segment.ack - 1U).value;
  std::uint64_t period = period_of(now);
  if ((period & 1) != (cookie >> kPeriodShift & 1)) {
    if (period == 0) return {};
    --period;
  }
  const std::uint32_t options = cookie & kOptionMask;
  const std::uint64_t of_connection = digest(key, segment, period, options);
  const std::uint32_t upper = upper_half(segment.seq), stated = cookie >> kWhoseShift;
  const bool is_whole = which(of_connection, segment.seq) == (cookie >> kWhichShift & 0xffff);
  if (is_whole && whose(key, of_connection, upper) == stated) return {.kind = CookieVerdict::Kind::first, .memory = unpack(options)};
  // The first may lie on either side of a multiple of 64 KiB: data behind it, a keep-alive before it.
  for (const std::uint32_t near : {upper, (upper - 1) & 0xffff, (upper + 1) & 0xffff}) {
    if (whose(key, of_connection, near) == stated) return {.kind = CookieVerdict::Kind::not_first, .memory = {}};
  }
  return {};
}

}  // namespace cutwater::path
