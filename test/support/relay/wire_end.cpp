#include "wire_end.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace relay {
namespace {
constexpr int kReceiveBytes = 64 << 20;  // many senders may burst while another program has our core
}

WireEnd::WireEnd(const std::string& device) : memory_(kBurst * kMaxPacketBytes) {
  const unsigned index = if_nametoindex(device.c_str());
  if (index == 0) throw std::runtime_error("no device " + device);
  fd_ = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);  // protocol 0: nothing comes before bind()
  if (fd_ < 0) throw std::runtime_error(std::string("packet socket: ") + std::strerror(errno));
  const int one = 1;
  setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBytes, sizeof kReceiveBytes);
  setsockopt(fd_, SOL_SOCKET, SO_SNDBUFFORCE, &kReceiveBytes, sizeof kReceiveBytes);
  packet_mreq all{};
  all.mr_ifindex = static_cast<int>(index);
  all.mr_type = PACKET_MR_PROMISC;
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(index);
  if (setsockopt(fd_, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) != 0 ||
      setsockopt(fd_, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0 ||
      bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const std::string why = std::strerror(errno);
    close(fd_);
    throw std::runtime_error("packet socket on " + device + ": " + why);
  }
}

WireEnd::~WireEnd() { close(fd_); }

std::span<const std::span<const std::uint8_t>> WireEnd::rx() {
  std::array<iovec, kBurst> parts{};
  std::array<mmsghdr, kBurst> messages{};
  for (unsigned i = 0; i < kBurst; ++i) {
    parts[i] = {memory_.data() + i * kMaxPacketBytes, kMaxPacketBytes};
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  const int count = recvmmsg(fd_, messages.data(), kBurst, MSG_DONTWAIT, nullptr);
  burst_.clear();
  for (int i = 0; i < count; ++i) {
    const auto& message = messages[static_cast<unsigned>(i)];
    if ((message.msg_hdr.msg_flags & MSG_TRUNC) != 0) ++missed_;
    else burst_.emplace_back(static_cast<const std::uint8_t*>(message.msg_hdr.msg_iov->iov_base), message.msg_len);
  }
  return burst_;
}

void WireEnd::tx(std::span<const std::uint8_t> packet) {
  if (send(fd_, packet.data(), packet.size(), MSG_DONTWAIT) < 0) ++missed_;
}

std::uint64_t WireEnd::missed() {
  tpacket_stats stats{};
  socklen_t bytes = sizeof stats;
  if (getsockopt(fd_, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes) == 0) missed_ += stats.tp_drops;  // read once, then zero
  return missed_;
}

}  // namespace relay
