// Any bytes as an Ethernet packet, and as TCP options: no fault, no view outside of the packet, and what parse() accepts is
// written by emit() to something that parse() reads the same. Checksums are mended first in half of the runs, or nothing
// would get behind them. Run: fuzz_tcp test/fuzz/corpus/tcp -max_len=2000
#include <vector>

#include "fuzz/mended.hpp"
#include "fuzz/script.hpp"
#include "wire/tcp.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::fuzz;

void mend(std::vector<std::uint8_t>& p) {
  std::size_t at = 14;
  if (p.size() < 18) return;
  std::uint16_t type = load_be16(p.data() + 12);
  if (type == 0x8100 || type == 0x88a8) type = load_be16(p.data() + 16), at = 18;
  IpAddress source, destination;
  std::size_t begin = 0, end = 0;
  if (type == 0x0800 && p.size() >= at + 20) {
    const std::size_t header = static_cast<std::size_t>(p[at] & 15) * 4;
    if (header < 20 || at + header > p.size()) return;
    p[at + 10] = p[at + 11] = 0;
    put_checksum(p.data() + at + 10, wire::sum_slow({p.data() + at, header}));
    source = IpAddress::from_v4(p.data() + at + 12), destination = IpAddress::from_v4(p.data() + at + 16);
    begin = at + header, end = at + load_be16(p.data() + at + 2);
  } else if (type == 0x86dd && p.size() >= at + 40) {
    source = IpAddress::from_v6(p.data() + at + 8), destination = IpAddress::from_v6(p.data() + at + 24);
    begin = at + 40, end = begin + load_be16(p.data() + at + 4);
  }
  if (begin == 0 || end > p.size() || end < begin + 20) return;
  p[begin + 16] = p[begin + 17] = 0;
  const auto bytes = static_cast<std::uint32_t>(end - begin);
  put_checksum(p.data() + begin + 16, wire::pseudo_header_sum(source, destination, 6, bytes) + wire::sum_slow({p.data() + begin, bytes}));
}

void check_round_trip(const wire::Segment& s) {
  std::vector<std::uint8_t> room(wire::kMaxHeaderBytes + s.payload_bytes);
  std::uint8_t* const payload = room.data() + wire::kMaxHeaderBytes;
  if (s.payload_bytes != 0) std::memcpy(payload, s.payload, s.payload_bytes);
  wire::Header h{.source = &s.source, .destination = &s.destination, .source_port = s.source_port, .destination_port = s.destination_port,
                 .seq = s.seq, .ack = s.ack, .window = s.window, .flags = s.flags, .ttl = s.ttl, .traffic_class = s.traffic_class, .options = s.options};
  if (wire::option_bytes(h.options) > wire::kMaxTcpOptionBytes) h.options.sack_count = 0;
  require(s.source.is_v4() == s.destination.is_v4());
  if (s.payload_bytes > 65'535 - 80) return;
  std::uint8_t* const begin = wire::emit(h, payload, s.payload_bytes);
  require(begin >= room.data());
  wire::Segment again;
  require(wire::parse({begin, static_cast<std::size_t>(room.data() + room.size() - begin)}, again) == wire::ParseError::none);
  require(again.source == s.source && again.destination == s.destination && again.seq == s.seq && again.ack == s.ack);
  require(again.flags == s.flags && again.window == s.window && again.payload_bytes == s.payload_bytes);
  require(again.options.mss == s.options.mss && again.options.window_scale == s.options.window_scale);
  require(again.options.has_timestamps == s.options.has_timestamps && again.options.sack_count == h.options.sack_count);
  require(s.payload_bytes == 0 || std::memcmp(again.payload, s.payload, s.payload_bytes) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::vector<std::uint8_t> packet(data + 1, data + size);  // of exactly this size, so that a read past its end is seen
  if ((data[0] & 1) != 0) mend(packet);
  wire::Segment s;
  if (wire::parse(packet, s) == wire::ParseError::none) {
    require(s.payload >= packet.data() && s.payload + s.payload_bytes <= packet.data() + packet.size());
    require(s.options.sack_count <= 4 && s.options.window_scale <= 14);
    check_round_trip(s);
  }
  wire::TcpOptions options;
  wire::parse_options({packet.data(), packet.size()}, options);
  require(options.sack_count <= 4 && options.window_scale >= -1 && options.window_scale <= 14);
  return 0;
}
