// A flood of SYNs, as fast as one core sends: each from another address and port, straight onto the device. Nobody answers what
// comes back. Sources are random in 10.0.0.0/8 and 2001:db8:f::/48, which nobody has.
#include <arpa/inet.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <random>
#include <vector>

#include "raw_packet.hpp"
#include "stream.hpp"

namespace load {
namespace {

constexpr std::size_t kBatch = 128;
constexpr std::size_t kMaxPacketBytes = 128;
// MSS 1460, SACK permitted, timestamps (1, 0), window scale 7: what a Linux client asks for (RFC 9293, 2018, 7323).
constexpr std::array<std::uint8_t, 20> kSynOptions = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 7};
constexpr std::size_t kTcpBytes = 20 + kSynOptions.size();

void put16(std::uint8_t* at, std::uint32_t value) {
  at[0] = static_cast<std::uint8_t>(value >> 8);
  at[1] = static_cast<std::uint8_t>(value);
}
void put32(std::uint8_t* at, std::uint32_t value) {
  put16(at, value >> 16);
  put16(at + 2, value & 0xffff);
}

void put_checksum(std::uint8_t* at, std::uint32_t s) {
  const std::uint16_t folded = fold(s);
  std::memcpy(at, &folded, 2);
}

std::uint32_t next(std::mt19937& random) { return static_cast<std::uint32_t>(random()); }

volatile std::sig_atomic_t is_stopped = 0;
void stop(int) { is_stopped = 1; }

/// One SYN to the target; `renew` gives it another source.
class Syn {
 public:
  Syn(const Options& options, const std::array<std::uint8_t, 6>& from, const std::array<std::uint8_t, 6>& to) {
    is_v6_ = options.connect.find(':') != std::string::npos;
    std::memcpy(bytes_.data(), to.data(), 6);
    std::memcpy(bytes_.data() + 6, from.data(), 6);
    put16(bytes_.data() + 12, is_v6_ ? ETHERTYPE_IPV6 : ETHERTYPE_IP);
    std::uint8_t* ip = bytes_.data() + 14;
    if (is_v6_) {
      ip[0] = 0x60;
      put16(ip + 4, kTcpBytes);
      ip[6] = IPPROTO_TCP;
      ip[7] = 64;
      const std::array<std::uint8_t, 6> prefix = {0x20, 0x01, 0x0d, 0xb8, 0, 0x0f};
      std::memcpy(ip + 8, prefix.data(), prefix.size());
      is_good_ = ::inet_pton(AF_INET6, options.connect.c_str(), ip + 24) == 1;
    } else {
      ip[0] = 0x45;
      put16(ip + 2, 20 + kTcpBytes);
      put16(ip + 6, 0x4000);  // not to be fragmented
      ip[8] = 64;
      ip[9] = IPPROTO_TCP;
      is_good_ = ::inet_pton(AF_INET, options.connect.c_str(), ip + 16) == 1;
    }
    std::uint8_t* tcp = ip + ip_bytes();
    put16(tcp + 2, options.port);
    tcp[12] = static_cast<std::uint8_t>(kTcpBytes / 4 << 4);
    tcp[13] = 2;
    put16(tcp + 14, 64'240);
    std::memcpy(tcp + 20, kSynOptions.data(), kSynOptions.size());
  }

  void renew(std::mt19937& random) {
    std::uint8_t* ip = bytes_.data() + 14;
    std::uint8_t* tcp = ip + ip_bytes();
    const std::uint32_t host = next(random);
    if (is_v6_) {
      put32(ip + 16, next(random));
      put32(ip + 20, host);
    } else {
      put32(ip + 12, 0x0a00'0000U | (host & 0x00ff'ffffU));
      put16(ip + 10, 0);
      put_checksum(ip + 10, sum(ip, 20));
    }
    const std::uint32_t port = next(random);
    put16(tcp, 1024 + port % 64'000);
    put32(tcp + 4, next(random));
    put16(tcp + 16, 0);
    const std::size_t address_bytes = is_v6_ ? 32 : 8;
    const std::uint32_t addresses = sum(ip + (is_v6_ ? 8 : 12), address_bytes, IPPROTO_TCP + kTcpBytes);
    put_checksum(tcp + 16, sum(tcp, kTcpBytes, addresses));
  }

  bool is_good() const { return is_good_; }
  std::uint8_t* data() { return bytes_.data(); }
  std::size_t size() const { return 14 + ip_bytes() + kTcpBytes; }

 private:
  std::size_t ip_bytes() const { return is_v6_ ? 40 : 20; }
  std::array<std::uint8_t, kMaxPacketBytes> bytes_{};
  bool is_v6_ = false, is_good_ = false;
};

bool parse_mac(const std::string& text, std::array<std::uint8_t, 6>& mac) {
  return std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) == 6;
}

}  // namespace

int run_syns(const Options& options) {
  constexpr useconds_t kPauseUs = 100;
  std::array<std::uint8_t, 6> from{}, to{};
  const int fd = open_device(options.device, from);
  if (fd < 0 || !parse_mac(options.mac, to)) {
    std::fprintf(stderr, "syns needs --device and --mac: %s\n", std::strerror(errno));
    return 1;
  }
  std::vector<Syn> syns(kBatch, Syn(options, from, to));
  if (!syns.front().is_good()) {
    std::fprintf(stderr, "%s is no address\n", options.connect.c_str());
    return 1;
  }
  std::array<mmsghdr, kBatch> messages{};
  std::array<iovec, kBatch> pieces{};
  for (std::size_t i = 0; i < kBatch; ++i) {
    pieces[i] = {syns[i].data(), syns[i].size()};
    messages[i].msg_hdr.msg_iov = &pieces[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  std::mt19937 random(std::random_device{}());
  std::uint64_t sent = 0;
  const auto start = Clock::now();
  std::signal(SIGTERM, stop);  // who has seen enough still gets the result
  while (is_stopped == 0 && seconds_since(start) < options.seconds) {
    if (options.most > 0 && static_cast<double>(sent) > options.most * seconds_since(start)) {
      ::usleep(kPauseUs);
      continue;
    }
    for (Syn& syn : syns) syn.renew(random);
    const int n = ::sendmmsg(fd, messages.data(), kBatch, 0);
    if (n > 0) sent += static_cast<std::uint64_t>(n);
    else if (errno != ENOBUFS && errno != EAGAIN) break;  // a full queue is what a flood is about
  }
  const double elapsed = seconds_since(start);
  ::close(fd);
  std::printf("{\"syns\":%llu,\"seconds\":%.2f,\"perSecond\":%.0f}\n", static_cast<unsigned long long>(sent), elapsed,
              static_cast<double>(sent) / elapsed);
  return sent > 0 ? 0 : 1;
}

}  // namespace load
