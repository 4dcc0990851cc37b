#include "sim/frame.hpp"

#include <arpa/inet.h>

#include <algorithm>

namespace cutwater::sim {
namespace {

constexpr std::size_t kEthernet = 14, kIpv4 = 20, kIpv6 = 40, kTcp = 20;

void append16(Frame& out, std::uint32_t v) {
  out.push_back(static_cast<std::uint8_t>(v >> 8));
  out.push_back(static_cast<std::uint8_t>(v));
}
void append32(Frame& out, std::uint32_t v) {
  append16(out, v >> 16);
  append16(out, v & 0xffff);
}

std::uint32_t sum16(Bytes bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += i % 2 == 0 ? static_cast<std::uint32_t>(bytes[i]) << 8 : bytes[i];
  return sum;
}
std::uint16_t folded(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

/// The checksum over pseudo-header and upper-layer bytes. Zero when what is there is right.
std::uint16_t upper_checksum(Bytes ip, bool v4, std::uint8_t protocol, Bytes upper) {
  std::uint32_t sum = v4 ? sum16(ip.subspan(12, 8), 0) : sum16(ip.subspan(8, 32), 0);
  sum += protocol + static_cast<std::uint32_t>(upper.size());
  return folded(sum16(upper, sum));
}

Frame options_bytes(const TcpOptions& o) {
  Frame out;
  if (o.mss) {
    out.insert(out.end(), {2, 4});
    append16(out, *o.mss);
  }
  if (o.sack_permitted) out.insert(out.end(), {4, 2});
  if (o.timestamps) {
    out.insert(out.end(), {8, 10});
    append32(out, o.timestamps->value);
    append32(out, o.timestamps->echo);
  }
  if (o.window_scale) out.insert(out.end(), {3, 3, *o.window_scale});
  for (const auto kind : o.other_kinds) out.insert(out.end(), {kind, 4, 0xde, 0xad});
  if (o.sack_count > 0) {
    out.insert(out.end(), {5, static_cast<std::uint8_t>(2 + 8 * o.sack_count)});
    for (std::size_t i = 0; i < o.sack_count; ++i) {
      append32(out, o.sacks[i].begin);
      append32(out, o.sacks[i].end);
    }
  }
  while (out.size() % 4 != 0) out.push_back(1);
  return out;
}

bool read_options(Bytes in, TcpOptions& o) {
  std::size_t i = 0;
  while (i < in.size()) {
    const auto kind = in[i];
    if (kind == 0) return true;
    if (kind == 1) {
      ++i;
      continue;
    }
    if (i + 1 >= in.size() || in[i + 1] < 2 || i + in[i + 1] > in.size()) return false;
    const std::size_t length = in[i + 1];
    const auto* p = in.data() + i;
    if (kind == 2 && length == 4) o.mss = load_be16(p + 2);
    else if (kind == 3 && length == 3) o.window_scale = p[2];
    else if (kind == 4 && length == 2) o.sack_permitted = true;
    else if (kind == 8 && length == 10) o.timestamps = Timestamps{load_be32(p + 2), load_be32(p + 6)};
    else if (kind == 5 && length % 8 == 2 && length <= 34) {
      for (std::size_t k = 2; k < length; k += 8) o.sacks[o.sack_count++] = {load_be32(p + k), load_be32(p + k + 4)};
    } else {
      o.other_kinds.push_back(kind);
    }
    i += length;
  }
  return true;
}

void append_ethernet(Frame& out, const MacAddress& target, const MacAddress& source, bool v4) {
  out.insert(out.end(), target.begin(), target.end());
  out.insert(out.end(), source.begin(), source.end());
  append16(out, v4 ? 0x0800 : 0x86dd);
}

void append_ip(Frame& out, const IpAddress& source, const IpAddress& target, std::uint8_t protocol, std::size_t upper_bytes,
               std::uint8_t ecn, std::uint8_t hops) {
  const auto at = out.size();
  if (source.is_v4()) {
    out.insert(out.end(), {0x45, ecn});
    append16(out, static_cast<std::uint32_t>(kIpv4 + upper_bytes));
    append32(out, 0x00004000);  // no identification, DF
    out.insert(out.end(), {hops, protocol, 0, 0});
    out.insert(out.end(), source.v4(), source.v4() + 4);
    out.insert(out.end(), target.v4(), target.v4() + 4);
    store_be16(out.data() + at + 10, folded(sum16(Bytes{out}.subspan(at, kIpv4), 0)));
  } else {
    append32(out, 0x60000000U | (static_cast<std::uint32_t>(ecn) << 20));
    append16(out, static_cast<std::uint32_t>(upper_bytes));
    out.insert(out.end(), {protocol, hops});
    out.insert(out.end(), source.bytes.begin(), source.bytes.end());
    out.insert(out.end(), target.bytes.begin(), target.bytes.end());
  }
}

struct IpView {
  bool v4 = false;
  std::uint8_t protocol = 0;
  std::size_t header = 0, total = 0;
};

/// Shape only; checksums are the callers'.
std::optional<IpView> read_ip(Bytes ip) {
  if (ip.size() >= kIpv4 && ip[0] >> 4 == 4) {
    const IpView v{true, ip[9], static_cast<std::size_t>(ip[0] & 15) * 4, load_be16(ip.data() + 2)};
    if (v.header < kIpv4 || v.total < v.header || v.header > ip.size()) return std::nullopt;
    return v;
  }
  if (ip.size() >= kIpv6 && ip[0] >> 4 == 6) return IpView{false, ip[6], kIpv6, kIpv6 + load_be16(ip.data() + 4)};
  return std::nullopt;
}

IpAddress source_of(Bytes ip, bool v4) { return v4 ? IpAddress::from_v4(ip.data() + 12) : IpAddress::from_v6(ip.data() + 8); }
IpAddress target_of(Bytes ip, bool v4) { return v4 ? IpAddress::from_v4(ip.data() + 16) : IpAddress::from_v6(ip.data() + 24); }

void decode_tcp(Bytes ip, const IpView& view, Decoded& out) {
  const Bytes upper = ip.subspan(view.header);
  out.kind = Decoding::malformed;
  if (upper.size() < kTcp) return;
  const std::size_t header = static_cast<std::size_t>(upper[12] >> 4) * 4;
  if (header < kTcp || header > upper.size()) return;
  if (upper_checksum(ip, view.v4, 6, upper) != 0) {
    out.kind = Decoding::bad_checksum;
    return;
  }
  Segment& s = out.segment;
  s.source = source_of(ip, view.v4);
  s.target = target_of(ip, view.v4);
  s.source_port = load_be16(upper.data());
  s.target_port = load_be16(upper.data() + 2);
  s.seq = load_be32(upper.data() + 4);
  s.ack = load_be32(upper.data() + 8);
  s.flags = upper[13];
  s.window = load_be16(upper.data() + 14);
  s.ecn = view.v4 ? ip[1] & 3 : (ip[1] >> 4) & 3;
  s.hops = view.v4 ? ip[8] : ip[7];
  if (!read_options(upper.subspan(kTcp, header - kTcp), s.options)) return;
  s.payload = upper.subspan(header);
  out.kind = Decoding::tcp;
}

void decode_icmp(Bytes ip, const IpView& view, Decoded& out) {
  const Bytes upper = ip.subspan(view.header);
  if (upper.size() < 8) return;
  const std::uint16_t sum = view.v4 ? folded(sum16(upper, 0)) : upper_checksum(ip, false, 58, upper);
  if (sum != 0) {
    out.kind = Decoding::bad_checksum;
    return;
  }
  const bool is_too_big = view.v4 ? upper[0] == 3 && upper[1] == 4 : upper[0] == 2;
  const auto quoted_bytes = upper.subspan(8);
  const auto quoted = read_ip(quoted_bytes);
  if (!is_too_big || !quoted || quoted->protocol != 6 || quoted_bytes.size() < quoted->header + 8) return;
  const auto* tcp = quoted_bytes.data() + quoted->header;
  out.too_big = {.source = source_of(ip, view.v4), .target = target_of(ip, view.v4),
                 .quoted_source = source_of(quoted_bytes, quoted->v4), .quoted_target = target_of(quoted_bytes, quoted->v4),
                 .quoted_source_port = load_be16(tcp), .quoted_target_port = load_be16(tcp + 2), .quoted_seq = load_be32(tcp + 4),
                 .mtu = view.v4 ? load_be16(upper.data() + 6) : load_be32(upper.data() + 4)};
  out.kind = Decoding::too_big;
}

}  // namespace

Frame encode(const Segment& s, Padding padding) {
  const Frame options = options_bytes(s.options);
  const std::size_t upper_bytes = kTcp + options.size() + s.payload.size();
  const bool v4 = s.source.is_v4();
  Frame out;
  out.reserve(kEthernet + kIpv6 + upper_bytes + 46);
  append_ethernet(out, s.target_mac, s.source_mac, v4);
  append_ip(out, s.source, s.target, 6, upper_bytes, s.ecn, s.hops);
  const auto at = out.size();
  append16(out, s.source_port);
  append16(out, s.target_port);
  append32(out, s.seq);
  append32(out, s.ack);
  out.push_back(static_cast<std::uint8_t>((kTcp + options.size()) / 4 << 4));
  out.push_back(s.flags);
  append16(out, s.window);
  append32(out, 0);
  out.insert(out.end(), options.begin(), options.end());
  out.insert(out.end(), s.payload.begin(), s.payload.end());
  const Bytes all{out};
  store_be16(out.data() + at + 16, upper_checksum(all.subspan(kEthernet), v4, 6, all.subspan(at)));
  if (padding == Padding::to_60 && out.size() < 60) out.resize(60, 0xa5);  // not zero: nobody may rely on it
  return out;
}

Decoded decode(Bytes frame) {
  Decoded out;
  if (frame.size() < kEthernet + kIpv4) return out;
  const auto ether_type = load_be16(frame.data() + 12);
  Bytes ip = frame.subspan(kEthernet);
  const auto view = read_ip(ip);
  if (!view || (ether_type != 0x0800 && ether_type != 0x86dd)) return out;
  if (view->v4 != (ether_type == 0x0800) || view->total > ip.size()) {
    out.kind = Decoding::malformed;
    return out;
  }
  ip = ip.first(view->total);
  out.ip_bytes = ip.size();
  if (view->v4 && folded(sum16(ip.first(view->header), 0)) != 0) {
    out.kind = Decoding::bad_checksum;
    return out;
  }
  std::copy_n(frame.begin(), 6, out.segment.target_mac.begin());
  std::copy_n(frame.begin() + 6, 6, out.segment.source_mac.begin());
  if (view->protocol == 6) decode_tcp(ip, *view, out);
  else if (view->protocol == (view->v4 ? 1 : 58)) decode_icmp(ip, *view, out);
  return out;
}

Frame encode_too_big(Bytes frame, const Host& router, const MacAddress& to, std::uint32_t mtu) {
  const Bytes ip = frame.subspan(kEthernet);
  const bool v4 = ip[0] >> 4 == 4;
  const std::size_t quoted = std::min<std::size_t>(ip.size(), v4 ? 28 : 1200);
  Frame out;
  append_ethernet(out, to, router.mac, v4);
  append_ip(out, router.address, source_of(ip, v4), v4 ? 1 : 58, 8 + quoted, 0, 64);
  const auto ip_at = kEthernet, at = out.size();
  out.insert(out.end(), {static_cast<std::uint8_t>(v4 ? 3 : 2), static_cast<std::uint8_t>(v4 ? 4 : 0), 0, 0});
  append32(out, mtu);
  out.insert(out.end(), ip.begin(), ip.begin() + static_cast<std::ptrdiff_t>(quoted));
  const Bytes all{out};
  store_be16(out.data() + at + 2, v4 ? folded(sum16(all.subspan(at), 0)) : upper_checksum(all.subspan(ip_at), false, 58, all.subspan(at)));
  return out;
}

void mend_checksums(Frame& frame) {
  const auto view = read_ip(Bytes{frame}.subspan(kEthernet));
  if (!view || view->total > frame.size() - kEthernet) return;
  if (view->v4) {
    store_be16(frame.data() + kEthernet + 10, 0);
    store_be16(frame.data() + kEthernet + 10, folded(sum16(Bytes{frame}.subspan(kEthernet, view->header), 0)));
  }
  if (view->protocol != 6) return;
  const auto at = kEthernet + view->header;
  store_be16(frame.data() + at + 16, 0);
  const Bytes ip = Bytes{frame}.subspan(kEthernet, view->total);
  store_be16(frame.data() + at + 16, upper_checksum(ip, view->v4, 6, ip.subspan(view->header)));
}

std::string to_string(const IpAddress& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.is_v4()) inet_ntop(AF_INET, address.v4(), text.data(), text.size());
  else inet_ntop(AF_INET6, address.bytes.data(), text.data(), text.size());
  return text.data();
}

std::string flag_names(std::uint8_t flags) {
  static constexpr std::string_view kLetters = "FSRPAUEC";
  std::string out;
  for (std::size_t i = 0; i < kLetters.size(); ++i) {
    if (flags & (1U << i)) out += kLetters[i];
  }
  return out.empty() ? "-" : out;
}

}  // namespace cutwater::sim
