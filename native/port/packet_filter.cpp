// Classic BPF, written by a small assembler. Each address family first brings what it compares into scratch memory,
// from the TCP packet or from the packet an ICMP error quotes, and then runs through one clause per endpoint. A load
// beyond the packet's end rejects it, so lengths need no checks here. Source of the offsets: RFC 791, 792, 8200, 4443,
// 9293.
#include "port/packet_filter.hpp"

#include <cstring>

namespace cutwater::port {
namespace {

constexpr std::uint32_t kAccept = 0x40000;  // bytes to keep: all
constexpr std::uint32_t kReject = 0;
constexpr std::uint32_t kTypeVlan = 0x8100, kTypeV4 = 0x0800, kTypeV6 = 0x86dd;
constexpr std::uint32_t kTcp = 6, kIcmp = 1, kIcmpV6 = 58;
constexpr std::uint32_t kFragmentBits = 0x3fff;         // "more fragments" and the offset
constexpr std::uint32_t kFragmentationNeeded = 0x0304;  // ICMP type and code
constexpr std::uint32_t kPacketTooBig = 2;              // ICMPv6 type
constexpr std::uint32_t kIp = 14;                       // the kernel has taken a VLAN tag off by now
constexpr std::uint32_t kIcmpHeader = 8;

/// What to compare, as slots of scratch memory. An address takes one slot or four.
struct Slots {
  std::uint32_t source, destination, source_port, destination_port;
};
constexpr Slots kV4Slots{0, 1, 2, 3};
constexpr Slots kV6Slots{0, 4, 8, 9};

class Assembler {
 public:
  void load8(std::uint32_t at) { emit(BPF_LD | BPF_B | BPF_ABS, at); }
  void load16(std::uint32_t at) { emit(BPF_LD | BPF_H | BPF_ABS, at); }
  void load32(std::uint32_t at) { emit(BPF_LD | BPF_W | BPF_ABS, at); }
  void load8_x(std::uint32_t at) { emit(BPF_LD | BPF_B | BPF_IND, at); }
  void load16_x(std::uint32_t at) { emit(BPF_LD | BPF_H | BPF_IND, at); }
  void load32_x(std::uint32_t at) { emit(BPF_LD | BPF_W | BPF_IND, at); }
  void load_slot(std::uint32_t slot) { emit(BPF_LD | BPF_MEM, slot); }
  void store_slot(std::uint32_t slot) { emit(BPF_ST, slot); }
  void load_ancillary(int what) { load32(static_cast<std::uint32_t>(SKF_AD_OFF + what)); }
  void x_is_header_bytes(std::uint32_t at) { emit(BPF_LDX | BPF_B | BPF_MSH, at); }  // 4 * (byte & 15)
  void bit_and(std::uint32_t mask) { emit(BPF_ALU | BPF_AND | BPF_K, mask); }
  void shift_left(std::uint32_t bits) { emit(BPF_ALU | BPF_LSH | BPF_K, bits); }
  void add_to_x() {
    emit(BPF_ALU | BPF_ADD | BPF_X, 0);
    emit(BPF_MISC | BPF_TAX, 0);
  }
  void leave(std::uint32_t verdict) { emit(BPF_RET | BPF_K, verdict); }
  void reject_unless(std::uint32_t value) {
    emit(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    leave(kReject);
  }
  void reject_if_any(std::uint32_t bits) {
    emit(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    leave(kReject);
  }
  /// Goes on behind `instructions` more when A is not the value.
  void skip_unless(std::uint32_t value, std::uint8_t instructions) {
    emit(BPF_JMP | BPF_JEQ | BPF_K, value, 0, instructions);
  }

  /// Goes on at what land() names later, when A is not the value.
  std::size_t jump_unless(std::uint32_t value) {
    skip_if(value);
    return jump();
  }
  std::size_t jump() {
    emit(BPF_JMP | BPF_JA, 0);
    return program_.size() - 1;
  }
  void land(std::size_t jump) { program_[jump].k = static_cast<std::uint32_t>(program_.size() - jump - 1); }

  [[nodiscard]] std::vector<sock_filter> take() { return std::move(program_); }

 private:
  void skip_if(std::uint32_t value) { emit(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0); }
  void emit(int code, std::uint32_t k, std::uint8_t jt = 0, std::uint8_t jf = 0) {
    program_.push_back(sock_filter{.code = static_cast<std::uint16_t>(code), .jt = jt, .jf = jf, .k = k});
  }
  std::vector<sock_filter> program_;
};

bool is_any(const IpAddress& address) noexcept { return address == IpAddress{}; }

void endpoint_clause(Assembler& to, const Steer& steer, const Slots& slots, std::size_t address_words) {
  const bool is_destination = steer.match == Steer::Match::destination;
  const std::uint32_t first_slot = is_destination ? slots.destination : slots.source;
  const std::uint8_t* address = steer.address.bytes.data() + (4 - address_words) * 4;
  const bool is_wildcard = is_any(steer.address) || (address_words == 1 && load_be32(address) == 0);
  const std::size_t words = is_wildcard ? 0 : address_words;
  // Behind word i follow the other words (two instructions each), the port (two) and the verdict.
  for (std::size_t i = 0; i < words; ++i) {
    to.load_slot(first_slot + static_cast<std::uint32_t>(i));
    to.skip_unless(load_be32(address + 4 * i), static_cast<std::uint8_t>(2 * (words - i - 1) + 3));
  }
  to.load_slot(is_destination ? slots.destination_port : slots.source_port);
  to.skip_unless(steer.port, 1);
  to.leave(kAccept);
}

void own_clause(Assembler& to, const IpAddress& address, const Slots& slots, std::size_t address_words) {
  const std::uint8_t* bytes = address.bytes.data() + (4 - address_words) * 4;
  for (std::size_t i = 0; i < address_words; ++i) {
    to.load_slot(slots.destination + static_cast<std::uint32_t>(i));
    to.skip_unless(load_be32(bytes + 4 * i), static_cast<std::uint8_t>(2 * (address_words - i - 1) + 1));
  }
  to.leave(kReject);
}

/// To a service first; then what this host has asked for itself is left alone; then what servers say.
void clauses(Assembler& to, std::span<const Steer> endpoints, const Slots& slots, std::size_t address_words) {
  const bool is_v4 = address_words == 1;
  for (const Steer::Match match : {Steer::Match::destination, Steer::Match::own, Steer::Match::source}) {
    for (const Steer& steer : endpoints) {
      const bool is_in_family = steer.address.is_v4() == is_v4 || (is_v4 && is_any(steer.address) && match != Steer::Match::own);
      if (steer.match != match || !is_in_family) continue;
      if (match == Steer::Match::own) own_clause(to, steer.address, slots, address_words);
      else endpoint_clause(to, steer, slots, address_words);
    }
  }
  to.leave(kReject);
}

void v4_section(Assembler& to, std::span<const Steer> endpoints) {
  to.load16(kIp + 6);
  to.reject_if_any(kFragmentBits);
  to.x_is_header_bytes(kIp);
  to.load8(kIp + 9);
  const std::size_t if_not_tcp = to.jump_unless(kTcp);
  to.load32(kIp + 12);
  to.store_slot(kV4Slots.source);
  to.load32(kIp + 16);
  to.store_slot(kV4Slots.destination);
  to.load16_x(kIp);
  to.store_slot(kV4Slots.source_port);
  to.load16_x(kIp + 2);
  to.store_slot(kV4Slots.destination_port);
  const std::size_t to_clauses = to.jump();

  to.land(if_not_tcp);
  constexpr std::uint32_t kQuoted = kIp + kIcmpHeader;  // behind the outer header, whose length is in X
  to.reject_unless(kIcmp);
  to.load16_x(kIp);
  to.reject_unless(kFragmentationNeeded);
  to.load16_x(kQuoted + 6);
  to.reject_if_any(kFragmentBits);
  to.load8_x(kQuoted + 9);
  to.reject_unless(kTcp);
  to.load32_x(kQuoted + 12);  // the quoted packet went the other way: its source is the destination here
  to.store_slot(kV4Slots.destination);
  to.load32_x(kQuoted + 16);
  to.store_slot(kV4Slots.source);
  to.load8_x(kQuoted);
  to.bit_and(0x0f);
  to.shift_left(2);
  to.add_to_x();
  to.load16_x(kQuoted);
  to.store_slot(kV4Slots.destination_port);
  to.load16_x(kQuoted + 2);
  to.store_slot(kV4Slots.source_port);

  to.land(to_clauses);
  clauses(to, endpoints, kV4Slots, 1);
}

/// Copies addresses and ports of the IPv6 packet at `ip` into scratch memory.
void load_v6_ends(Assembler& to, std::uint32_t ip, const Slots& into) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    to.load32(ip + 8 + 4 * i);
    to.store_slot(into.source + i);
    to.load32(ip + 24 + 4 * i);
    to.store_slot(into.destination + i);
  }
  to.load16(ip + 40);
  to.store_slot(into.source_port);
  to.load16(ip + 42);
  to.store_slot(into.destination_port);
}

void v6_section(Assembler& to, std::span<const Steer> endpoints) {
  to.load8(kIp + 6);
  const std::size_t if_not_tcp = to.jump_unless(kTcp);
  load_v6_ends(to, kIp, kV6Slots);
  const std::size_t to_clauses = to.jump();

  to.land(if_not_tcp);
  constexpr std::uint32_t kQuoted = kIp + 40 + kIcmpHeader;
  constexpr Slots kSwapped{kV6Slots.destination, kV6Slots.source, kV6Slots.destination_port, kV6Slots.source_port};
  to.reject_unless(kIcmpV6);
  to.load8(kIp + 40);
  to.reject_unless(kPacketTooBig);
  to.load8(kQuoted + 6);
  to.reject_unless(kTcp);
  load_v6_ends(to, kQuoted, kSwapped);

  to.land(to_clauses);
  clauses(to, endpoints, kV6Slots, 4);
}

}  // namespace

Result<std::vector<sock_filter>, std::string> packet_filter(std::span<const Steer> endpoints, std::uint16_t vlan) {
  Assembler to;
  to.load_ancillary(SKF_AD_PKTTYPE);
  to.reject_unless(0);  // PACKET_HOST
  to.load_ancillary(SKF_AD_VLAN_TAG);
  to.bit_and(0x0fff);
  to.reject_unless(vlan);
  to.load_ancillary(SKF_AD_VLAN_TAG_PRESENT);
  to.skip_unless(1, 3);
  to.load_ancillary(SKF_AD_VLAN_TPID);
  to.reject_unless(kTypeVlan);
  to.load16(12);
  const std::size_t if_not_v4 = to.jump_unless(kTypeV4);
  v4_section(to, endpoints);
  to.land(if_not_v4);
  to.reject_unless(kTypeV6);
  v6_section(to, endpoints);
  auto program = to.take();
  if (program.size() > BPF_MAXINSNS) {
    return Failure{std::to_string(endpoints.size()) +
                   " endpoints are more than a packet port's filter holds; use `port: xsk`"};
  }
  return program;
}

}  // namespace cutwater::port
