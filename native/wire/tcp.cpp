#include "wire/tcp.hpp"

#include <algorithm>

#include "wire/tcp_header.hpp"

namespace cutwater::wire {
namespace {

constexpr std::size_t kStampBytes = 12;  // how RFC 7323 A lays timestamps out, and how every stack sends them on its data
constexpr std::uint8_t kMaxWindowScale = 14;  // RFC 7323 2.3

}  // namespace

void parse_options(Bytes bytes, TcpOptions& out) noexcept {
  if (bytes.size() == kStampBytes && load_be32(bytes.data()) == word(kOptNop, kOptNop, kOptTimestamps << 8 | 10)) {
    out.has_timestamps = true;
    out.ts_value = load_be32(bytes.data() + 4);
    out.ts_echo = load_be32(bytes.data() + 8);
    return;
  }
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::uint8_t kind = bytes[at];
    if (kind == kOptEnd) return;
    if (kind == kOptNop) {
      ++at;
      continue;
    }
    if (at + 2 > bytes.size()) return;
    const std::size_t length = bytes[at + 1];
    if (length < 2 || at + length > bytes.size()) return;
    const std::uint8_t* value = bytes.data() + at + 2;
    if (kind == kOptMss && length == 4) out.mss = load_be16(value);
    if (kind == kOptScale && length == 3) out.window_scale = static_cast<std::int8_t>(std::min(value[0], kMaxWindowScale));
    if (kind == kOptSackPermitted && length == 2) out.has_sack_permitted = true;
    if (kind == kOptTimestamps && length == 10) {
      out.has_timestamps = true;
      out.ts_value = load_be32(value);
      out.ts_echo = load_be32(value + 4);
    }
    if (kind == kOptSack && length >= 10 && (length - 2) % 8 == 0 && length <= 34) {
      out.sack_count = static_cast<std::uint8_t>((length - 2) / 8);
      for (std::size_t i = 0; i < out.sack_count; ++i) {
        out.sack[i] = {SeqNum{load_be32(value + 8 * i)}, SeqNum{load_be32(value + 8 * i + 4)}};
      }
    }
    if (kind == kOptMd5 || kind == kOptAo) out.has_signature = true;
    at += length;
  }
}

ParseError parse(MutableBytes packet, Segment& out) noexcept { return read_headers(packet, out); }

std::uint8_t* emit(const Header& h, std::uint8_t* payload, std::uint32_t payload_bytes) noexcept {
  return write_headers(h, payload, payload_bytes);
}

}  // namespace cutwater::wire
