// Ethernet, IPv4/IPv6, TCP and the two "too big" ICMP messages, written and read by the simulator's own code, so that
// native/wire is compared with something it did not write. Slow and plain on purpose.
// Thread: any. Used by: tcp_endpoint, link, the taps of test/invariants.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace cutwater::sim {

using Frame = std::vector<std::uint8_t>;

enum Flag : std::uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32, kEce = 64, kCwr = 128 };

struct SackBlock {
  std::uint32_t begin = 0, end = 0;
};

struct Timestamps {
  std::uint32_t value = 0, echo = 0;
};

struct TcpOptions {
  std::optional<std::uint16_t> mss;
  std::optional<std::uint8_t> window_scale;
  bool sack_permitted = false;
  std::optional<Timestamps> timestamps;
  std::array<SackBlock, 4> sacks{};
  std::size_t sack_count = 0;
  std::vector<std::uint8_t> other_kinds;  // kinds that we do not know, in order
};

/// One end as the link layer and the IP layer see it.
struct Host {
  MacAddress mac{};
  IpAddress address;
};

struct Segment {
  MacAddress source_mac{}, target_mac{};
  IpAddress source, target;
  std::uint16_t source_port = 0, target_port = 0;
  std::uint32_t seq = 0, ack = 0;
  std::uint8_t flags = 0;
  std::uint16_t window = 0;  // as on the wire, unscaled
  std::uint8_t ecn = 0, hops = 64;
  TcpOptions options;
  Bytes payload{};           // points into what was decoded, or into the sender's buffer

  [[nodiscard]] bool has(Flag flag) const noexcept { return (flags & flag) != 0; }
  /// Sequence numbers it takes up.
  [[nodiscard]] std::uint32_t length() const noexcept {
    return static_cast<std::uint32_t>(payload.size()) + (has(kSyn) ? 1U : 0U) + (has(kFin) ? 1U : 0U);
  }
};

/// ICMP "fragmentation needed" or ICMPv6 "packet too big", with what it quotes of the packet.
struct TooBig {
  IpAddress source, target;              // of the message
  IpAddress quoted_source, quoted_target;
  std::uint16_t quoted_source_port = 0, quoted_target_port = 0;
  std::uint32_t quoted_seq = 0;
  std::uint32_t mtu = 0;
};

enum class Decoding : std::uint8_t { tcp, too_big, bad_checksum, malformed, other };

struct Decoded {
  Decoding kind = Decoding::other;
  Segment segment;
  TooBig too_big;
  std::size_t ip_bytes = 0;  // IP header and all behind it, Ethernet padding excluded
};

enum class Padding : std::uint8_t { none, to_60 };  // NICs pad short frames; what is behind the IP length means nothing

Frame encode(const Segment& segment, Padding padding);
/// Reads a frame, every checksum included. The segment's payload points into `frame`.
Decoded decode(Bytes frame);
/// The message a router sends back for `frame`, from the router's own address.
Frame encode_too_big(Bytes frame, const Host& router, const MacAddress& to, std::uint32_t mtu);
/// Mends the checksums of a frame whose bytes were changed on purpose.
void mend_checksums(Frame& frame);

std::string to_string(const IpAddress& address);
std::string flag_names(std::uint8_t flags);

}  // namespace cutwater::sim
