// AF_XDP ports: ring work for the worker, and the set-up that shares one UMEM among all of a worker's sockets.
// Ring words: reserve, submit; peek, release. Fill and completion rings carry chunks, rx and tx rings carry packets.
// Thread: the worker, except open_xsk() and the destructor.
#include "port/xsk_port.hpp"

#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>

#include "port/umem.hpp"

namespace cutwater::port {
namespace {

constexpr std::uint32_t kMinPacketBytes =
    14;  // an Ethernet header; the kernel would take less and never give the chunk back
constexpr std::uint32_t kMoreFrames = 1;        // XDP_PKT_CONTD: the packet goes on in the next descriptor
constexpr std::uint16_t kUseFrames = 1U << 4;   // XDP_USE_SG
constexpr std::uint32_t kKernelTxBudget = 32;   // packets the kernel sends per wake-up in copy mode
constexpr std::uint32_t kFillShare =
    2;  // fill rings take at most half of the pool: the other half is in flight or held
constexpr std::uint32_t kMinFillChunks = 64;  // one burst per queue, or rx() stalls
constexpr int kSendBufferBytes =
    8 << 20;                         // copy mode charges a socket for what the driver holds; the default is 90 packets
constexpr int kBusyPollBudget = 64;  // packets the driver handles per poll: one burst
constexpr int kBindAttempts = 25;    // half a second in all
constexpr useconds_t kBindPauseUs = 20'000;

/// Everything of one (device, queue) pair. Its address is known to libxdp, so it stays where it is.
struct Queue {
  std::uint32_t number = 0;
  xsk_ring_prod fill{};
  xsk_ring_cons completion{};
  xsk_ring_cons rx{};
  xsk_ring_prod tx{};
  xsk_socket* socket = nullptr;
  int fd = -1;
  std::uint32_t fill_target = 0;  // chunks that should be with the kernel for reception
  std::uint32_t filled = 0;       // chunks that are
  std::uint32_t uncompleted = 0;  // descriptors submitted and not completed
  Packet partial{};               // a packet of several frames, those that came so far
  bool is_partial_too_long = false;
};

std::string queue_name(const std::string& device, std::uint32_t queue) {
  return device + " queue " + std::to_string(queue);
}

class XskPort final : public Port {
 public:
  XskPort(const XskConfig& config, std::vector<std::unique_ptr<Queue>> queues, std::shared_ptr<Umem> umem)
      : redirect_(config.redirect),
        umem_(std::move(umem)),
        queues_(std::move(queues)),
        is_busy_polling_(config.busy_poll_us != 0),
        max_rx_bytes_(config.redirect->link().mtu + kLinkHeaderBytes) {}
  ~XskPort() override;
  XskPort(const XskPort&) = delete;
  XskPort& operator=(const XskPort&) = delete;

  /// Fills the rings, prepares sleeping, then lets packets come. Requires: the sockets are bound.
  Result<bool, std::string> start();

  std::size_t rx(std::span<Packet> burst) noexcept override;
  std::size_t tx(std::span<const Packet> burst) noexcept override;
  [[nodiscard]] int fd() const noexcept override { return epoll_fd_ >= 0 ? epoll_fd_ : queues_.front()->fd; }
  [[nodiscard]] const PortReport& report() const noexcept override { return report_; }
  [[nodiscard]] PortCounters counters() const noexcept override;

 private:
  std::size_t receive(Queue& queue, std::span<Packet> burst) noexcept;
  bool join(Queue& queue, const Packet& frame, bool is_last, Packet& whole) noexcept;
  void refill(Queue& queue) noexcept;
  void reclaim(Queue& queue) noexcept;
  void wake_tx(Queue& queue) noexcept;
  Result<bool, std::string> open_epoll();
  void write_report();

  std::shared_ptr<XdpRedirect> redirect_;
  std::shared_ptr<Umem> umem_;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::size_t next_queue_ = 0;  // where rx() begins, so that no queue waits for another
  bool is_busy_polling_;
  std::uint32_t max_rx_bytes_;  // what is longer was joined by an offload and never was on a wire
  int epoll_fd_ = -1;           // only with several queues
  PortReport report_;
  PortCounters counters_;
};

XskPort::~XskPort() {
  for (const auto& queue : queues_) redirect_->erase_socket(queue->number);
  if (epoll_fd_ >= 0) ::close(epoll_fd_);
  for (const auto& queue : queues_) {
    xsk_socket__delete(queue->socket);
    if (queue->partial.chunk != kNoChunk) umem_->pool().put(queue->partial.chunk);
  }
}

Result<bool, std::string> XskPort::start() {
  write_report();
  for (const auto& queue : queues_) refill(*queue);
  if (queues_.size() > 1) {
    if (auto done = open_epoll(); !done) return done;
  }
  for (const auto& queue : queues_) {
    if (auto done = redirect_->insert_socket(queue->number, queue->fd); !done) return done;
  }
  return true;
}

std::size_t XskPort::rx(std::span<Packet> burst) noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < queues_.size(); ++i) {
    Queue& queue = *queues_[(next_queue_ + i) % queues_.size()];
    count += receive(queue, burst.subspan(count));
    refill(queue);
    if (queue.uncompleted != 0) {
      reclaim(queue);
      wake_tx(queue);
    }
    if (is_busy_polling_ && count == 0) ::recvfrom(queue.fd, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
  }
  next_queue_ = (next_queue_ + 1) % queues_.size();
  return count;
}

std::size_t XskPort::receive(Queue& queue, std::span<Packet> burst) noexcept {
  std::uint32_t at = 0;
  const std::uint32_t arrived = xsk_ring_cons__peek(&queue.rx, static_cast<std::uint32_t>(burst.size()), &at);
  if (arrived == 0) return 0;
  ChunkPool& pool = umem_->pool();
  std::size_t count = 0;
  for (std::uint32_t i = 0; i < arrived; ++i) {
    const xdp_desc& descriptor = *xsk_ring_cons__rx_desc(&queue.rx, at + i);
    std::uint8_t* data = pool.memory().data() + descriptor.addr;
    const ChunkId chunk = pool.chunk_of(data);
    umem_->regain(chunk);
    Packet packet{.data = data, .bytes = descriptor.len, .chunk = chunk};
    const bool is_last = (descriptor.options & kMoreFrames) == 0;
    if ((!is_last || queue.partial.chunk != kNoChunk) && !join(queue, packet, is_last, packet)) continue;
    if (packet.bytes > max_rx_bytes_) {
      pool.put(packet.chunk);
      ++counters_.rx_oversize;
      continue;
    }
    burst[count++] = packet;
  }
  xsk_ring_cons__release(&queue.rx, arrived);
  queue.filled -= arrived;
  return count;
}

/// Puts a frame behind those of its packet that came before it: a chunk has room for all of them, and the kernel fills the
/// first frame of a chunk only. Returns: true when the packet is whole.
bool XskPort::join(Queue& queue, const Packet& frame, bool is_last, Packet& whole) noexcept {
  ChunkPool& pool = umem_->pool();
  Packet& partial = queue.partial;
  if (partial.chunk == kNoChunk) {
    partial = frame;
    queue.is_partial_too_long = false;
  } else {
    if (partial.bytes + frame.bytes > max_rx_bytes_) queue.is_partial_too_long = true;
    if (!queue.is_partial_too_long) {
      std::memcpy(partial.data + partial.bytes, frame.data, frame.bytes);
      partial.bytes += frame.bytes;
    }
    pool.put(frame.chunk);
  }
  if (!is_last) return false;
  whole = partial;
  partial = Packet{};
  if (!queue.is_partial_too_long) return true;
  pool.put(whole.chunk);
  ++counters_.rx_oversize;
  return false;
}

void XskPort::refill(Queue& queue) noexcept {
  const std::uint32_t wanted = queue.fill_target - queue.filled;
  if (wanted != 0) {
    ChunkPool& pool = umem_->pool();
    const std::uint32_t count = std::min(wanted, pool.free_chunks());
    if (count < wanted) ++counters_.rx_pool_dry;
    std::uint32_t at = 0;
    if (count != 0 && xsk_ring_prod__reserve(&queue.fill, count, &at) == count) {
      for (std::uint32_t i = 0; i < count; ++i) {
        const ChunkId chunk = pool.take()->chunk;
        umem_->lend(chunk);
        *xsk_ring_prod__fill_addr(&queue.fill, at + i) = static_cast<std::uint64_t>(pool.at(chunk) - pool.memory().data());
      }
      xsk_ring_prod__submit(&queue.fill, count);
      queue.filled += count;
    }
  }
  // The driver went to sleep for want of chunks (zero-copy only).
  if (xsk_ring_prod__needs_wakeup(&queue.fill)) ::recvfrom(queue.fd, nullptr, 0, MSG_DONTWAIT, nullptr, nullptr);
}

std::size_t XskPort::tx(std::span<const Packet> burst) noexcept {
  Queue& queue = *queues_.front();
  ChunkPool& pool = umem_->pool();
  reclaim(queue);
  const auto most = static_cast<std::uint32_t>(burst.size() * (pool.chunk_bytes() / kChunkBytes));
  const auto room = std::min(xsk_prod_nb_free(&queue.tx, most), most);
  std::uint32_t at = 0;
  if (room != 0) xsk_ring_prod__reserve(&queue.tx, room, &at);
  std::uint32_t submitted = 0;
  std::size_t admitted = 0;
  for (; admitted < burst.size() && submitted < room; ++admitted) {
    const Packet& packet = burst[admitted];
    if (packet.bytes < kMinPacketBytes || packet.bytes > pool.max_packet_bytes()) {
      pool.put(packet.chunk);
      ++counters_.tx_invalid;
      continue;
    }
    auto from = static_cast<std::uint64_t>(packet.data - pool.memory().data());
    const auto frames = static_cast<std::uint32_t>((from % kChunkBytes + packet.bytes + kChunkBytes - 1) / kChunkBytes);
    if (frames > room - submitted) break;
    umem_->lend(packet.chunk, static_cast<std::uint8_t>(frames));
    for (std::uint32_t left = packet.bytes; left != 0; ++submitted) {  // a descriptor may not cross into the next frame
      const std::uint32_t bytes = std::min(left, static_cast<std::uint32_t>(kChunkBytes - from % kChunkBytes));
      left -= bytes;
      *xsk_ring_prod__tx_desc(&queue.tx, at + submitted) =
          xdp_desc{.addr = from, .len = bytes, .options = left != 0 ? kMoreFrames : 0};
      from += bytes;
    }
  }
  queue.tx.cached_prod -= room - submitted;  // slots reserved for packets that were not valid
  if (submitted != 0) xsk_ring_prod__submit(&queue.tx, submitted);
  queue.uncompleted += submitted;
  for (const Packet& packet : burst.subspan(admitted)) pool.put(packet.chunk);
  counters_.tx_not_admitted += burst.size() - admitted;
  wake_tx(queue);
  return admitted;
}

void XskPort::reclaim(Queue& queue) noexcept {
  std::uint32_t at = 0;
  const std::uint32_t done = xsk_ring_cons__peek(&queue.completion, queue.uncompleted, &at);
  if (done == 0) return;
  ChunkPool& pool = umem_->pool();
  for (std::uint32_t i = 0; i < done; ++i) {
    const ChunkId chunk = pool.chunk_of(pool.memory().data() + *xsk_ring_cons__comp_addr(&queue.completion, at + i));
    if (umem_->regain(chunk)) pool.put(chunk);
  }
  xsk_ring_cons__release(&queue.completion, done);
  queue.uncompleted -= done;
}

/// Has the kernel send what is in the tx ring, when it waits to be asked. In copy mode a wake-up sends a few packets
/// only, so several are needed; what the device does not take now is asked for again by the next rx() or tx().
void XskPort::wake_tx(Queue& queue) noexcept {
  const auto unsent = [&queue] { return queue.tx.cached_prod - __atomic_load_n(queue.tx.consumer, __ATOMIC_ACQUIRE); };
  if (!xsk_ring_prod__needs_wakeup(&queue.tx)) return;
  std::uint32_t before = unsent();
  while (before != 0) {
    const bool is_accepted = ::sendto(queue.fd, nullptr, 0, MSG_DONTWAIT, nullptr, 0) >= 0;
    if (!is_accepted && errno != EAGAIN && errno != EBUSY && errno != ENOBUFS && errno != EINTR)
      return;  // device down: later
    const std::uint32_t after = unsent();
    if (before - after < kKernelTxBudget) return;  // less than it could have sent: done, or the device is full
    before = after;
  }
}

PortCounters XskPort::counters() const noexcept {
  PortCounters counters = counters_;
  for (const auto& queue : queues_) {
    xdp_statistics statistics{};
    socklen_t bytes = sizeof(statistics);
    if (::getsockopt(queue->fd, SOL_XDP, XDP_STATISTICS, &statistics, &bytes) != 0) continue;
    // rx_dropped: every packet the kernel could not hand over, for want of a chunk or because it was too long.
    counters.rx_kernel_drops += statistics.rx_dropped + statistics.rx_ring_full;
    counters.tx_invalid += statistics.tx_invalid_descs;
  }
  return counters;
}

Result<bool, std::string> XskPort::open_epoll() {
  epoll_fd_ = ::epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd_ < 0) return Failure{std::string("epoll: ") + std::strerror(errno)};
  for (const auto& queue : queues_) {
    epoll_event event{};
    event.events = EPOLLIN;
    if (::epoll_ctl(epoll_fd_, EPOLL_CTL_ADD, queue->fd, &event) != 0)
      return Failure{std::string("epoll: ") + std::strerror(errno)};
  }
  return true;
}

void XskPort::write_report() {
  const LinkInfo& link = redirect_->link();
  xdp_options options{};
  socklen_t bytes = sizeof(options);
  const bool is_zero_copy = ::getsockopt(queues_.front()->fd, SOL_XDP, XDP_OPTIONS, &options, &bytes) == 0 &&
                            (options.flags & XDP_OPTIONS_ZEROCOPY) != 0;
  report_ = {.device = link.name,
             .kind = "xsk",
             .attach_mode = redirect_->mode() == AttachMode::driver ? "driver" : "generic",
             .copy_mode = is_zero_copy ? "zero-copy" : "copy",
             .queues = static_cast<std::uint32_t>(queues_.size()),
             .mtu = link.mtu,
             .ifindex = link.ifindex,
             .mac = link.mac};
}

/// One attempt to bind every queue of every config to one UMEM, in one copy mode. A first zero-copy device commits the
/// others to it.
class Opening {
 public:
  Opening(std::span<const XskConfig> configs, ChunkPool& pool, std::uint16_t copy_flag)
      : configs_(configs), pool_(pool), copy_flag_(copy_flag) {}

  Result<std::vector<std::unique_ptr<Port>>, std::string> run();

 private:
  /// Packets of several frames: only who needs them asks for them, since kernels before 6.6 refuse.
  [[nodiscard]] std::uint16_t frames_flag() const noexcept { return pool_.chunk_bytes() != kChunkBytes ? kUseFrames : 0; }
  int bind_once(const XskConfig& config, Queue& queue);
  Result<bool, std::string> bind(const XskConfig& config, Queue& queue);
  Result<bool, std::string> set_busy_poll(const XskConfig& config, const Queue& queue);
  Result<bool, std::string> bind_all(const XskConfig& config, std::vector<std::unique_ptr<Queue>>& queues);

  std::span<const XskConfig> configs_;
  ChunkPool& pool_;
  std::uint16_t copy_flag_;
  std::shared_ptr<Umem> umem_;
};

std::vector<std::uint32_t> queue_numbers(const XskConfig& config) {
  if (!config.queues.empty()) return config.queues;
  std::vector<std::uint32_t> all(config.redirect->link().rx_queues);
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

std::string bind_error(const XskConfig& config, std::uint32_t queue, int error, std::uint16_t copy_flag) {
  const LinkInfo& link = config.redirect->link();
  const std::string name = queue_name(link.name, queue);
  if (error == EBUSY) return name + ": in use by another AF_XDP socket (or the device is down, or being reconfigured)";
  if (error == EINVAL && queue >= link.rx_queues)
    return name + ": the device has only " + std::to_string(link.rx_queues) + " queues";
  if (error == EINVAL && chunk_bytes_for(link.mtu) != kChunkBytes) {
    return name + ": MTU " + std::to_string(link.mtu) + " needs AF_XDP with packets of several frames (Linux 6.6, and a driver that has them); " +
           "use `port: packet`, or an MTU of " + std::to_string(kMaxPacketBytes - kLinkHeaderBytes) + " at most";
  }
  if (error == ENETDOWN) return name + ": the device is down (`ip link set dev " + link.name + " up`)";
  if (error == EPERM) return name + ": no permission for AF_XDP sockets (CAP_NET_RAW and CAP_NET_ADMIN)";
  if (copy_flag == XDP_ZEROCOPY)
    return name + ": driver \"" + link.driver + "\" has no zero-copy: " + std::strerror(error);
  return name + ": cannot be bound: " + std::strerror(error);
}

/// Returns: 0, or the errno. Leaves: no socket; and no UMEM if this was to be its first socket, whose rings it would
/// point to.
int Opening::bind_once(const XskConfig& config, Queue& queue) {
  xsk_socket_config socket_config{};
  socket_config.rx_size = config.ring_entries;
  socket_config.tx_size = config.ring_entries;
  socket_config.libxdp_flags = XSK_LIBXDP_FLAGS__INHIBIT_PROG_LOAD;  // the program is ours and already there
  socket_config.bind_flags = static_cast<std::uint16_t>(XDP_USE_NEED_WAKEUP | copy_flag_ | frames_flag());
  const int error =
      xsk_socket__create_shared(&queue.socket, config.redirect->link().name.c_str(), queue.number, umem_->kernel_side(),
                                &queue.rx, &queue.tx, &queue.fill, &queue.completion, &socket_config);
  if (error != 0) queue.socket = nullptr;
  return -error;
}

Result<bool, std::string> Opening::bind(const XskConfig& config, Queue& queue) {
  const bool is_first = umem_ == nullptr;
  int error = EBUSY;
  // The kernel frees a queue some moments after its last socket was closed: a restarted process has to wait for that.
  for (int attempt = 0; attempt < kBindAttempts && error == EBUSY; ++attempt) {
    if (attempt != 0) ::usleep(kBindPauseUs);
    if (umem_ == nullptr) {
      auto umem = Umem::open(pool_, queue.fill, queue.completion, config.ring_entries);
      if (!umem) return Failure{umem.error()};
      umem_ = *umem;
    }
    error = bind_once(config, queue);
    if (error != 0 && is_first) umem_.reset();
  }
  if (error != 0) return Failure{bind_error(config, queue.number, error, copy_flag_)};
  queue.fd = xsk_socket__fd(queue.socket);
  if (::setsockopt(queue.fd, SOL_SOCKET, SO_SNDBUFFORCE, &kSendBufferBytes, sizeof(kSendBufferBytes)) != 0) {
    ::setsockopt(queue.fd, SOL_SOCKET, SO_SNDBUF, &kSendBufferBytes, sizeof(kSendBufferBytes));
  }
  return config.busy_poll_us == 0 ? Result<bool, std::string>(true) : set_busy_poll(config, queue);
}

Result<bool, std::string> Opening::set_busy_poll(const XskConfig& config, const Queue& queue) {
  const int prefer = 1;
  const auto busy_poll_us = static_cast<int>(config.busy_poll_us);
  if (::setsockopt(queue.fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &prefer, sizeof(prefer)) != 0 ||
      ::setsockopt(queue.fd, SOL_SOCKET, SO_BUSY_POLL, &busy_poll_us, sizeof(busy_poll_us)) != 0 ||
      ::setsockopt(queue.fd, SOL_SOCKET, SO_BUSY_POLL_BUDGET, &kBusyPollBudget, sizeof(kBusyPollBudget)) != 0) {
    return Failure{queue_name(config.redirect->link().name, queue.number) + ": busy polling: " + std::strerror(errno)};
  }
  return true;
}

Result<bool, std::string> Opening::bind_all(const XskConfig& config, std::vector<std::unique_ptr<Queue>>& queues) {
  for (const std::uint32_t number : queue_numbers(config)) {
    queues.push_back(std::make_unique<Queue>());
    queues.back()->number = number;
    if (auto done = bind(config, *queues.back()); !done) {
      for (const auto& queue : queues) {
        if (queue->socket != nullptr) xsk_socket__delete(queue->socket);
      }
      return done;
    }
  }
  return true;
}

Result<std::vector<std::unique_ptr<Port>>, std::string> Opening::run() {
  std::uint32_t queue_count = 0;
  for (const XskConfig& config : configs_) queue_count += static_cast<std::uint32_t>(queue_numbers(config).size());
  const std::uint32_t share = pool_.capacity() / kFillShare / std::max(1U, queue_count);
  if (share < kMinFillChunks) {
    return Failure{std::to_string(pool_.capacity()) + " chunks are too few for " + std::to_string(queue_count) +
                   " queues; at least " + std::to_string(kMinFillChunks * kFillShare * queue_count)};
  }
  std::vector<std::unique_ptr<Port>> ports;
  for (const XskConfig& config : configs_) {
    std::vector<std::unique_ptr<Queue>> queues;
    if (auto done = bind_all(config, queues); !done) return Failure{done.error()};
    for (const auto& queue : queues) queue->fill_target = std::min(config.ring_entries, share);
    auto port = std::make_unique<XskPort>(config, std::move(queues), umem_);
    if (auto done = port->start(); !done) return Failure{done.error()};
    ports.push_back(std::move(port));
  }
  return ports;
}

}  // namespace

Result<std::vector<std::unique_ptr<Port>>, std::string> open_xsk(std::span<const XskConfig> configs, ChunkPool& pool) {
  bool may_zero_copy = true, must_zero_copy = false;
  for (const XskConfig& config : configs) {
    if (!std::has_single_bit(config.ring_entries)) return Failure{std::string("ring_entries must be a power of two")};
    const bool is_generic = config.redirect->mode() == AttachMode::generic;
    if (config.copy == CopyMode::zero_copy && is_generic) {
      return Failure{config.redirect->link().name +
                     ": zero-copy needs driver mode, and the XDP program is attached in generic mode"};
    }
    may_zero_copy &= config.copy != CopyMode::copy && !is_generic;
    must_zero_copy |= config.copy == CopyMode::zero_copy;
  }
  if (must_zero_copy && !may_zero_copy)
    return Failure{std::string("ports of one worker share their memory: all zero-copy or none")};
  if (may_zero_copy) {
    auto ports = Opening(configs, pool, XDP_ZEROCOPY).run();
    if (ports || must_zero_copy) return ports;
  }
  return Opening(configs, pool, XDP_COPY).run();
}

}  // namespace cutwater::port
