// Clients that only cost: each finishes its TCP handshake, sends a sound TLS 1.3 hello of its own, and is never heard of again.
// Packets are made here and sent past the kernel's TCP (packet(7)), so a client costs this side two packets and no memory, and
// comes from an address of its own; the network must lead answers to --device, and no host may own the addresses.
// With --resume its hello offers a session, too, with a ticket that nobody made.
// Not repeated: a SYN or hello that gets lost. The result says how many hellos were sent; what became of them the device knows.
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>

#include "raw_packet.hpp"
#include "stream.hpp"

namespace load {
namespace {

constexpr std::size_t kBatch = 64, kHeadBytes = sizeof(ether_header) + sizeof(ip) + sizeof(tcphdr), kMostPacketBytes = 1514;
constexpr std::uint16_t kMss = 1460;

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// The hello that OpenSSL sends here, as a record; and where it differs from client to client.
struct Hello {
  std::vector<std::uint8_t> record;
  std::vector<std::size_t> fields{11};  // of 32 bytes each: random; in TLS 1.3 session ID, key share, the ticket's beginning

  explicit Hello(const Options& options) {
    Tls tls(options);
    if (options.is_resuming && !learn_session(options, tls)) std::fputs("flood: the server gave no session\n", stderr), std::exit(1);
    SSL* ssl = SSL_new(tls.context);
    if (options.is_resuming) SSL_set_session(ssl, tls.session);
    BIO* out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), out);
    SSL_set_connect_state(ssl);
    SSL_set_tlsext_host_name(ssl, options.server_name.c_str());
    SSL_set1_groups_list(ssl, "X25519:P-256");
    SSL_do_handshake(ssl);
    char* data = nullptr;
    const long bytes = BIO_get_mem_data(out, &data);
    record.assign(data, data + bytes);
    SSL_free(ssl);
    if (options.tls == "1.2") return;
    fields.push_back(44);
    // key_share: type 51, two lengths, group x25519, length 32 (RFC 8446 4.2.8)
    constexpr std::array<std::uint8_t, 10> kShare{0, 51, 0, 38, 0, 36, 0, 29, 0, 32};
    const auto found = std::search(record.begin(), record.end(), kShare.begin(), kShare.end());
    if (found == record.end() || record.size() > kMostPacketBytes - kHeadBytes) std::fputs("flood: not the hello that was expected\n", stderr), std::exit(1);
    fields.push_back(static_cast<std::size_t>(found - record.begin()) + kShare.size());
    if (!options.is_resuming) return;
    const unsigned char* ticket = nullptr;
    std::size_t ticket_bytes = 0;
    SSL_SESSION_get0_ticket(tls.session, &ticket, &ticket_bytes);
    const auto offer = std::search(record.begin(), record.end(), ticket, ticket + std::min<std::size_t>(ticket_bytes, 32));
    if (offer == record.end()) std::fputs("flood: the session was not offered\n", stderr), std::exit(1);
    fields.push_back(static_cast<std::size_t>(offer - record.begin()));
  }
  void renew(std::uint8_t* at, std::mt19937_64& dice) const {
    for (const std::size_t field : fields) {
      for (std::size_t i = 0; i < 32; i += 8) {
        const std::uint64_t word = dice();
        std::memcpy(at + field + i, &word, 8);
      }
    }
  }
};

/// Packets that go out together.
class Batch {
 public:
  explicit Batch(int fd) : fd_(fd) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      parts_[i].iov_base = packets_[i].data();
      messages_[i].msg_hdr.msg_iov = &parts_[i];
      messages_[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::uint8_t* next() {
    if (used_ == kBatch) flush();
    return packets_[used_].data();
  }
  void push(std::size_t bytes) { parts_[used_++].iov_len = bytes; }
  void flush() {
    for (std::size_t sent = 0; sent < used_;) {
      const int n = ::sendmmsg(fd_, &messages_[sent], static_cast<unsigned>(used_ - sent), 0);
      if (n > 0) sent += static_cast<std::size_t>(n);
      else if (errno == ENOBUFS || errno == EAGAIN) ++sent;  // the device is full: one is lost, as on a wire
      else die("flood: send");
    }
    used_ = 0;
  }

 private:
  int fd_;
  std::size_t used_ = 0;
  std::array<std::array<std::uint8_t, kMostPacketBytes>, kBatch> packets_{};
  std::array<iovec, kBatch> parts_{};
  std::array<mmsghdr, kBatch> messages_{};
};

class Flood {
 public:
  explicit Flood(const Options& options) : hello_(options), fd_(open(options)), out_(fd_), port_(htons(options.port)) {
    if (inet_pton(AF_INET, options.connect.c_str(), &target_) != 1) std::fputs("flood: --connect takes an IPv4 address\n", stderr), std::exit(2);
    sources_ = parse_range(options.bind_range);
    learn_gateway(options);
    listen_for_answers();
  }

  void call() {
    ip& i = begin(sources_.at(clients++), static_cast<std::uint16_t>(1024 + dice_() % 60'000));
    tcphdr& t = tcp_of(i);
    t.syn = 1;
    t.seq = static_cast<std::uint32_t>(dice_());
    const std::uint8_t mss[4] = {2, 4, kMss >> 8, kMss & 0xff};
    std::memcpy(reinterpret_cast<std::uint8_t*>(&t + 1), mss, sizeof mss);
    t.doff = 6;
    end(i, t, sizeof mss);
  }

  /// Greets everyone who was answered meanwhile.
  void greet() {
    std::array<std::uint8_t, 128> packet;
    for (ssize_t n; (n = ::recv(fd_, packet.data(), packet.size(), MSG_DONTWAIT)) >= static_cast<ssize_t>(kHeadBytes);) {
      const auto& from = *reinterpret_cast<const ip*>(packet.data() + sizeof(ether_header));
      const auto& answer = *reinterpret_cast<const tcphdr*>(packet.data() + sizeof(ether_header) + sizeof(ip));
      ip& i = begin(from.ip_dst, ntohs(answer.dest));
      tcphdr& t = tcp_of(i);
      t.ack = t.psh = 1;
      t.seq = answer.ack_seq;
      t.ack_seq = htonl(ntohl(answer.seq) + 1);
      auto* payload = reinterpret_cast<std::uint8_t*>(&t + 1);
      std::memcpy(payload, hello_.record.data(), hello_.record.size());
      hello_.renew(payload, dice_);
      end(i, t, hello_.record.size());
      ++hellos;
    }
  }
  void flush() { out_.flush(); }
  [[nodiscard]] int fd() const { return fd_; }
  std::uint64_t clients = 0, hellos = 0;

 private:
  int open(const Options& options) {
    std::array<std::uint8_t, 6> own{};
    const int fd = open_device(options.device, own), bytes = 8 << 20;
    if (fd < 0) die("flood: --device");
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    std::memcpy(ether_.ether_shost, own.data(), own.size());
    return fd;
  }

  void learn_gateway(const Options& options) {
    arpreq ask{};
    auto& gateway = reinterpret_cast<sockaddr_in&>(ask.arp_pa);
    gateway.sin_family = AF_INET;
    if (inet_pton(AF_INET, options.gateway.c_str(), &gateway.sin_addr) != 1) std::fputs("flood: --gateway takes an IPv4 address\n", stderr), std::exit(2);
    std::snprintf(ask.arp_dev, sizeof ask.arp_dev, "%s", options.device.c_str());
    const int asker = ::socket(AF_INET, SOCK_DGRAM, 0);
    const auto has_answered = [&] { return ::ioctl(asker, SIOCGARP, &ask) == 0 && (ask.arp_flags & ATF_COM) != 0; };
    for (int tries = 0; !has_answered() && tries < 100; ++tries) {  // the kernel asks for us when we send something
      sockaddr_in discard = gateway;
      discard.sin_port = htons(9);
      (void)::sendto(asker, "", 0, 0, reinterpret_cast<const sockaddr*>(&discard), sizeof discard);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ::close(asker);
    if ((ask.arp_flags & ATF_COM) == 0) std::fputs("flood: the gateway does not answer\n", stderr), std::exit(1);
    std::memcpy(ether_.ether_dhost, ask.arp_ha.sa_data, ETH_ALEN);
    ether_.ether_type = htons(ETHERTYPE_IP);
  }

  /// Only SYN-ACKs of the target to our range are for us; the kernel throws the rest away.
  void listen_for_answers() {
    constexpr std::uint32_t kIp = sizeof(ether_header), kTcp = kIp + sizeof(ip);
    std::array<sock_filter, 12> program{{
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 9),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, kIp),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x45, 0, 7),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIp + 12),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ntohl(target_.s_addr), 0, 5),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, kIp + 16),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, ~sources_.mask),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, sources_.first, 0, 2),
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, kTcp + 12),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x0002, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, 0),
    }};
    std::vector<sock_filter> whole(program.begin(), program.end());
    whole.push_back(BPF_STMT(BPF_RET | BPF_K, 128));
    const sock_fprog filter{static_cast<unsigned short>(whole.size()), whole.data()};
    if (::setsockopt(fd_, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0) die("flood: filter");
    sockaddr_ll link{};
    socklen_t bytes = sizeof link;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&link), &bytes);
    link.sll_protocol = htons(ETH_P_IP);  // from now on
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&link), sizeof link) != 0) die("flood: listen");
  }

  static tcphdr& tcp_of(ip& i) { return *reinterpret_cast<tcphdr*>(&i + 1); }
  ip& begin(in_addr from, std::uint16_t port) {
    std::uint8_t* packet = out_.next();
    std::memset(packet, 0, kHeadBytes);
    std::memcpy(packet, &ether_, sizeof ether_);
    ip& i = *reinterpret_cast<ip*>(packet + sizeof ether_);
    i.ip_v = 4;
    i.ip_hl = 5;
    i.ip_ttl = 64;
    i.ip_p = IPPROTO_TCP;
    i.ip_src = from;
    i.ip_dst = target_;
    tcphdr& t = tcp_of(i);
    t.source = htons(port);
    t.dest = port_;
    t.doff = 5;
    t.window = htons(64'240);
    return i;
  }
  void end(ip& i, tcphdr& t, std::size_t payload_bytes) {
    const std::size_t tcp_bytes = sizeof t + payload_bytes;
    i.ip_len = htons(static_cast<std::uint16_t>(sizeof i + tcp_bytes));
    i.ip_sum = fold(sum(&i, sizeof i));
    t.check = fold(sum(&t, tcp_bytes, sum(&i.ip_src, 8, static_cast<std::uint32_t>(IPPROTO_TCP + tcp_bytes))));
    out_.push(sizeof ether_ + sizeof i + tcp_bytes);
  }

  Hello hello_;
  ether_header ether_{};  // before fd_: open() learns our address
  int fd_;
  Batch out_;
  std::uint16_t port_;
  in_addr target_{};
  AddressRange sources_;
  std::mt19937_64 dice_{20'261'122};
};

}  // namespace

int run_flood(const Options& options) {
  Flood flood(options);
  std::printf("{\"event\":\"ready\"}\n");
  std::fflush(stdout);
  const auto start = Clock::now();
  std::uint64_t behind = 0;
  for (double now = 0; (now = seconds_since(start)) < options.seconds;) {
    const auto due = static_cast<std::uint64_t>(options.rate * now);
    // Who was late does not catch up with a burst: at most 20 ms at once.
    const auto most = static_cast<std::uint64_t>(options.rate * 0.02) + 1;
    if (due - flood.clients - behind > most) behind = due - flood.clients - most;
    while (flood.clients + behind < due) flood.call();
    flood.greet();
    flood.flush();
    pollfd answers{flood.fd(), POLLIN, 0};
    ::poll(&answers, 1, 1);
  }
  const double elapsed = seconds_since(start);
  std::printf("{\"hellos\":%llu,\"perSecond\":%.1f,\"syns\":%llu,\"seconds\":%.3f,\"failures\":0,\"failure\":\"\"}\n",
              static_cast<unsigned long long>(flood.hellos), static_cast<double>(flood.hellos) / elapsed,
              static_cast<unsigned long long>(flood.clients), elapsed);
  return flood.hellos > 0 ? 0 : 1;
}

}  // namespace load
