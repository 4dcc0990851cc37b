#include "path/owner.hpp"

#include "wire/icmp.hpp"
#include "wire/tcp.hpp"

namespace cutwater::path {
namespace {

constexpr std::uint8_t kIcmp = 1, kIcmpV6 = 58;  // IANA protocol numbers

// A router's "too big" belongs to the flow it quotes: it counts as a packet from the end that the quoted one was going to.
bool peek_too_big(Bytes packet, Tuple& out) noexcept {
  wire::TooBig told;
  if (!wire::parse_too_big(packet, told)) return false;
  out = {told.destination, told.source, told.destination_port, told.source_port};
  return true;
}

}  // namespace

bool peek(Bytes packet, Tuple& out) noexcept {
  if (packet.size() < wire::kEthernetBytes + wire::kVlanBytes + wire::kIpv4Bytes) return false;
  const std::uint8_t* p = packet.data() + 12;
  if (load_be16(p) == 0x8100) p += wire::kVlanBytes;
  const std::uint16_t type = load_be16(p);
  const std::uint8_t* ip = p + 2;
  const auto left = static_cast<std::size_t>(packet.data() + packet.size() - ip);
  std::size_t header_bytes = 0;
  std::uint8_t protocol = 0;
  if (type == 0x0800 && left >= wire::kIpv4Bytes) {
    header_bytes = static_cast<std::size_t>(ip[0] & 0x0f) * 4;
    protocol = ip[9];
    out.source = IpAddress::from_v4(ip + 12);
    out.destination = IpAddress::from_v4(ip + 16);
  } else if (type == 0x86dd && left >= wire::kIpv6Bytes) {
    header_bytes = wire::kIpv6Bytes;
    protocol = ip[6];
    out.source = IpAddress::from_v6(ip + 8);
    out.destination = IpAddress::from_v6(ip + 24);
  } else {
    return false;
  }
  if (protocol == kIcmp || protocol == kIcmpV6) return peek_too_big(packet, out);
  if (left < header_bytes + 4) return false;
  out.source_port = load_be16(ip + header_bytes);
  out.destination_port = load_be16(ip + header_bytes + 2);
  return true;
}

std::uint32_t owner_of(Side side, Bytes packet, std::uint32_t workers) noexcept {
  Tuple t;
  if (!peek(packet, t)) return 0;
  return side == Side::client ? owner_of(t.source, t.source_port, workers) : owner_of(t.destination, t.destination_port, workers);
}

std::uint32_t owner_of(const IpAddress& client, std::uint16_t port, std::uint32_t workers) noexcept {
  std::uint64_t high, low;
  std::memcpy(&high, client.bytes.data(), 8);
  std::memcpy(&low, client.bytes.data() + 8, 8);
  std::uint64_t h = (high ^ low ^ port) * 0x9e37'79b9'7f4a'7c15ULL;  // Fibonacci hashing: spread, not secrecy
  h ^= h >> 32;
  return static_cast<std::uint32_t>(h % workers);
}

}  // namespace cutwater::path
