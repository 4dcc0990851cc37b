// Packets for port tests, written from the RFCs' drawings and not with the code under test.
#pragma once

#include <arpa/inet.h>

#include <cstring>
#include <string>

#include "base/ip_address.hpp"
#include "native/port/test_net.hpp"

namespace cutwater::port::test {

inline IpAddress ip(const std::string& text) {
  std::uint8_t raw[16];
  if (::inet_pton(AF_INET, text.c_str(), raw) == 1) return IpAddress::from_v4(raw);
  if (::inet_pton(AF_INET6, text.c_str(), raw) == 1) return IpAddress::from_v6(raw);
  throw std::string("not an address: " + text);
}

struct TestEnds {
  MacAddress source_mac{}, destination_mac{};
  IpAddress source, destination;
  std::uint16_t source_port = 0, destination_port = 0;
};

struct TestPacket {
  TestEnds ends;
  std::uint8_t flags = 0x02;   // SYN
  std::uint16_t vlan = 0;      // 0: untagged
  std::uint16_t fragment = 0;  // IPv4: flags and offset field as on the wire
  std::uint8_t protocol = 6;   // TCP
  Frame payload;
};

inline void append16(Frame& to, std::uint32_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value));
}
inline void append32(Frame& to, std::uint32_t value) {
  append16(to, value >> 16);
  append16(to, value & 0xffff);
}
inline void append(Frame& to, const std::uint8_t* bytes, std::size_t count) {
  to.insert(to.end(), bytes, bytes + count);
}

/// RFC 1071, the slow way.
inline std::uint16_t slow_checksum(const Frame& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i] << 8) | (i + 1 < bytes.size() ? bytes[i + 1] : 0U);
  }
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

inline Frame pseudo_header(const TestEnds& ends, std::uint8_t protocol, std::size_t bytes) {
  Frame pseudo;
  if (ends.source.is_v4()) {
    append(pseudo, ends.source.v4(), 4);
    append(pseudo, ends.destination.v4(), 4);
    append16(pseudo, protocol);
    append16(pseudo, static_cast<std::uint32_t>(bytes));
  } else {
    append(pseudo, ends.source.bytes.data(), 16);
    append(pseudo, ends.destination.bytes.data(), 16);
    append32(pseudo, static_cast<std::uint32_t>(bytes));
    append32(pseudo, protocol);
  }
  return pseudo;
}

inline std::uint16_t transport_checksum(const TestEnds& ends, std::uint8_t protocol, const Frame& segment) {
  Frame all = pseudo_header(ends, protocol, segment.size());
  append(all, segment.data(), segment.size());
  return slow_checksum(all);
}

inline Frame tcp_segment(const TestPacket& packet) {
  Frame tcp;
  append16(tcp, packet.ends.source_port);
  append16(tcp, packet.ends.destination_port);
  append32(tcp, 1000);
  append32(tcp, 0);
  tcp.push_back(0x50);
  tcp.push_back(packet.flags);
  append16(tcp, 65535);
  append32(tcp, 0);
  append(tcp, packet.payload.data(), packet.payload.size());
  store_be16(tcp.data() + 16, transport_checksum(packet.ends, 6, tcp));
  return tcp;
}

/// An IP packet around any transport bytes, without Ethernet.
inline Frame ip_packet(const TestPacket& packet, const Frame& transport) {
  Frame out;
  if (packet.ends.source.is_v4()) {
    append16(out, 0x4500);
    append16(out, static_cast<std::uint32_t>(20 + transport.size()));
    append16(out, 7);
    append16(out, packet.fragment);
    out.push_back(64);
    out.push_back(packet.protocol);
    append16(out, 0);
    append(out, packet.ends.source.v4(), 4);
    append(out, packet.ends.destination.v4(), 4);
    store_be16(out.data() + 10, slow_checksum(out));
  } else {
    append32(out, 0x60000000);
    append16(out, static_cast<std::uint32_t>(transport.size()));
    out.push_back(packet.protocol);
    out.push_back(64);
    append(out, packet.ends.source.bytes.data(), 16);
    append(out, packet.ends.destination.bytes.data(), 16);
  }
  append(out, transport.data(), transport.size());
  return out;
}

inline Frame with_ethernet(const TestPacket& packet, const Frame& ip_bytes) {
  Frame out;
  append(out, packet.ends.destination_mac.data(), 6);
  append(out, packet.ends.source_mac.data(), 6);
  if (packet.vlan != 0) {
    append16(out, 0x8100);
    append16(out, packet.vlan);
  }
  append16(out, packet.ends.source.is_v4() ? 0x0800 : 0x86dd);
  append(out, ip_bytes.data(), ip_bytes.size());
  return out;
}

inline Frame tcp_packet(const TestPacket& packet) {
  return with_ethernet(packet, ip_packet(packet, tcp_segment(packet)));
}

/// "Fragmentation needed" or "packet too big", from the packet's source to its destination, quoting `quoted` (an IP
/// packet).
inline Frame too_big_packet(TestPacket packet, const Frame& quoted) {
  Frame icmp;
  const bool is_v4 = packet.ends.source.is_v4();
  append16(icmp, is_v4 ? 0x0304 : 0x0200);
  append16(icmp, 0);
  append32(icmp, 1300);
  append(icmp, quoted.data(), quoted.size());
  packet.protocol = is_v4 ? 1 : 58;
  store_be16(icmp.data() + 2, is_v4 ? slow_checksum(icmp) : transport_checksum(packet.ends, 58, icmp));
  return with_ethernet(packet, ip_packet(packet, icmp));
}

/// Where the TCP header of an untagged packet begins, 0 if it is none.
inline std::size_t tcp_offset(const Frame& packet) {
  if (packet.size() < 54) return 0;
  const auto type = load_be16(packet.data() + 12);
  if (type == 0x0800 && packet[23] == 6) return 14U + (packet[14] & 0xfU) * 4U;
  if (type == 0x86dd && packet[20] == 6 && packet.size() >= 74) return 54;
  return 0;
}

/// A reset that answers a segment sent to `port`: the kernel's word that it saw the segment and has no such connection.
inline auto is_reset_from(std::uint16_t port) {
  return [port](const Frame& packet) {
    const std::size_t at = tcp_offset(packet);
    return at != 0 && packet.size() >= at + 20 && load_be16(packet.data() + at) == port &&
           (packet[at + 13] & 0x04) != 0;
  };
}

}  // namespace cutwater::port::test
