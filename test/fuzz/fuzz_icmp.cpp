// Any bytes as a router's "packet too big": no fault, nothing believed that is not well-formed, and what is written again for the
// other side reads the same. Checksums are mended in half of the runs, or nothing would get behind them.
// Run: fuzz_icmp test/fuzz/corpus/icmp -max_len=1600
#include <vector>

#include "fuzz/mended.hpp"
#include "fuzz/script.hpp"
#include "wire/icmp.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::fuzz;

void mend(std::vector<std::uint8_t>& p) {
  std::size_t at = wire::kEthernetBytes;
  if (p.size() < at + wire::kVlanBytes) return;
  std::uint16_t type = load_be16(p.data() + 12);
  if (type == 0x8100) type = load_be16(p.data() + 16), at += wire::kVlanBytes;
  if (type == 0x0800 && p.size() >= at + 20) {
    const std::size_t header = static_cast<std::size_t>(p[at] & 15) * 4, total = load_be16(p.data() + at + 2);
    if (header < 20 || total < header + 4 || at + total > p.size()) return;
    p[at + 10] = p[at + 11] = 0;
    put_checksum(p.data() + at + 10, wire::sum_slow({p.data() + at, header}));
    p[at + header + 2] = p[at + header + 3] = 0;
    put_checksum(p.data() + at + header + 2, wire::sum_slow({p.data() + at + header, total - header}));
  } else if (type == 0x86dd && p.size() >= at + 44) {
    const std::uint32_t bytes = load_be16(p.data() + at + 4);
    if (bytes < 4 || at + 40 + bytes > p.size()) return;
    p[at + 42] = p[at + 43] = 0;
    const auto from = IpAddress::from_v6(p.data() + at + 8), to = IpAddress::from_v6(p.data() + at + 24);
    put_checksum(p.data() + at + 42, wire::pseudo_header_sum(from, to, 58, bytes) + wire::sum_slow({p.data() + at + 40, bytes}));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::uint8_t> packet(data + 1, data + size);
  if ((data[0] & 1) != 0) mend(packet);
  wire::TooBig told;
  if (!wire::parse_too_big(packet, told)) return 0;
  require(told.router.is_v4() == told.source.is_v4() && told.source.is_v4() == told.destination.is_v4());
  std::array<std::uint8_t, wire::kTooBigBytes> room{};
  const std::size_t bytes = wire::emit_too_big(told, {2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}, data[0] >> 1, room.data());
  require(bytes <= room.size());
  wire::TooBig again;
  require(wire::parse_too_big({room.data(), bytes}, again));
  require(again.router == told.router && again.source == told.source && again.destination == told.destination);
  require(again.source_port == told.source_port && again.destination_port == told.destination_port && again.seq == told.seq && again.mtu == told.mtu);
  return 0;
}
