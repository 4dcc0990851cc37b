#include "engine/worker.hpp"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/clock.hpp"
#include "path/owner.hpp"

namespace cutwater::engine {
namespace {
constexpr std::uint64_t kLongestSleepUs = 100'000;  // a wake-up lost to a race costs at most this
// While a secure processor works on the core that is the worker's too, packets gather for this long: each wake-up takes the
// core from a signature, which made full handshakes a sixth fewer. What cards call interrupt moderation.
constexpr std::uint64_t kGatherUs = 250;
constexpr std::uint64_t kPublishTurns = 256;
constexpr std::size_t kHandoverLimit = 256;

void add(std::atomic<std::uint64_t>& cell, std::uint64_t n) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);  // one writer
}
}  // namespace

Worker::Worker(const WorkerConfig& config, WorkerParts parts)
    : config_(config), parts_(std::move(parts)), wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  parts_.path->set_events(this);
}

Worker::~Worker() {
  stop();
  if (wake_fd_ >= 0) ::close(wake_fd_);
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
  pthread_setname_np(thread_.native_handle(), ("cw-worker-" + std::to_string(config_.index)).substr(0, 15).c_str());
  if (config_.cpu < 0) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<unsigned>(config_.cpu), &cpus);
  pthread_setaffinity_np(thread_.native_handle(), sizeof cpus, &cpus);
}

void Worker::stop() {
  if (!thread_.joinable()) return;
  is_stopping_.store(true, std::memory_order_release);
  wake();
  thread_.join();
}

bool Worker::post(Command command) {
  auto boxed = std::make_unique<Command>(std::move(command));
  if (!mailbox_.push(std::move(boxed))) return false;
  wake();
  return true;
}

void Worker::wake() noexcept {
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with sleep(): what was pushed before is seen, or we wake it
  if (!is_asleep_.load(std::memory_order_relaxed)) return;
  const std::uint64_t one = 1;
  (void)!::write(wake_fd_, &one, sizeof one);
}

const Counters& Worker::counters() const noexcept { return parts_.path->counters(); }
const Counters& Worker::server_tls_counters() const noexcept { return parts_.path->server_tls_counters(); }

void Worker::trace(bool on) {
  (void)post([this, on](path::Path& path, Tick) { path.set_trace(on ? this : nullptr); });
}

void Worker::run() noexcept {
  Tick now = clock_now();
  last_work_ = busy_since_ = now;
  while (!is_stopping_.load(std::memory_order_acquire)) {
    const std::size_t worked = turn(now);
    const Tick after = clock_now();
    publish(after, worked);
    if (worked != 0) {
      add(gauges_.busy_us, after - now);
      last_work_ = after;
    } else if (has_polled_enough(after)) {
      sleep(after);
    }
    now = clock_now();
  }
  parts_.path->reset_flows(~0U, Reset::shutdown, clock_now());
  transmit();
}

bool Worker::has_polled_enough(Tick now) const noexcept {
  if (config_.busy_poll_us == ~0U) return false;
  return yields_to_processor() || now - last_work_ >= config_.busy_poll_us;
}

// Its reply wakes us.
bool Worker::yields_to_processor() const noexcept { return config_.shares_core && parts_.secure->is_working(); }

std::size_t Worker::turn(Tick now) noexcept {
  drain_mailbox(now);
  std::size_t worked = 0;
  if (parts_.server_port) {
    worked += receive(*parts_.client_port, path::Side::client, now);
    worked += receive(*parts_.server_port, path::Side::server, now);
  } else {
    worked += receive_one_arm(now);
  }
  if (config_.workers > 1) worked += take_handover(now);
  parts_.path->drain_secure(now);
  if (parts_.link->backlog() != 0) parts_.secure->notify();
  if (parts_.path->next_deadline() <= now) parts_.path->expire(now);
  transmit();
  return worked;
}

std::size_t Worker::receive(port::Port& port, path::Side side, Tick now) noexcept {
  std::array<port::Packet, port::kBurst> packets;
  const std::size_t n = port.rx(packets);
  std::span<port::Packet> burst(packets.data(), n);
  if (config_.workers > 1) keep_own(side, burst);
  if (!burst.empty()) parts_.path->run(side, burst, now);
  return n;
}

// One device plays both sides: a packet to a service is a client's, anything else steered here is a server's.
std::size_t Worker::receive_one_arm(Tick now) noexcept {
  std::array<port::Packet, port::kBurst> packets;
  const std::size_t n = parts_.client_port->rx(packets);
  for (std::size_t begin = 0; begin < n;) {
    const path::Side side = parts_.path->side_of(packets[begin].view());
    std::size_t end = begin + 1;
    while (end < n && parts_.path->side_of(packets[end].view()) == side) ++end;
    std::span<port::Packet> burst(packets.data() + begin, end - begin);
    if (config_.workers > 1) keep_own(side, burst);
    if (!burst.empty()) parts_.path->run(side, burst, now);
    begin = end;
  }
  return n;
}

// Hands what belongs to others over, and closes the burst up over the rest. Each owner is woken once a burst.
void Worker::keep_own(path::Side side, std::span<port::Packet>& burst) noexcept {
  std::size_t kept = 0;
  std::uint64_t owners = 0;
  for (const port::Packet& packet : burst) {
    const std::uint32_t owner = path::owner_of(side, packet.view(), config_.workers);
    if (owner == config_.index) {
      burst[kept++] = packet;
      continue;
    }
    add(parts_.outbound[owner]->push(side, packet) ? gauges_.handed_over : gauges_.handover_full, 1);
    owners |= std::uint64_t{1} << owner;
    parts_.pool->put(packet.chunk);
  }
  burst = burst.first(kept);
  for (; owners != 0; owners &= owners - 1) peers_[static_cast<std::size_t>(std::countr_zero(owners))]->wake();
}

std::size_t Worker::take_handover(Tick now) noexcept {
  std::size_t taken = 0;
  for (Handover* from : parts_.inbound) {
    if (from == nullptr) continue;
    taken += from->pop(kHandoverLimit, [&](path::Side side, Bytes bytes) {
      auto packet = parts_.pool->take();
      if (!packet) return;  // counted by the port's own refills, which run dry at the same time
      std::memcpy(packet->data, bytes.data(), bytes.size());
      packet->bytes = static_cast<std::uint32_t>(bytes.size());
      parts_.path->run(side, {&*packet, 1}, now);
    });
  }
  return taken;
}

void Worker::transmit() noexcept {
  const auto to_client = parts_.path->tx(path::Side::client);
  if (!to_client.empty()) {
    parts_.client_port->tx(to_client);
    parts_.path->clear_tx(path::Side::client);
  }
  const auto to_server = parts_.path->tx(path::Side::server);
  if (to_server.empty()) return;
  (parts_.server_port ? *parts_.server_port : *parts_.client_port).tx(to_server);
  parts_.path->clear_tx(path::Side::server);
}

void Worker::drain_mailbox(Tick now) noexcept {
  for (std::unique_ptr<Command> command; mailbox_.pop(command);) (*command)(*parts_.path, now);
}

bool Worker::has_waiting() const noexcept {
  if (mailbox_.size() != 0 || parts_.link->has_replies()) return true;
  return std::any_of(parts_.inbound.begin(), parts_.inbound.end(), [](const Handover* from) { return from != nullptr && !from->empty(); });
}

void Worker::sleep(Tick now) noexcept {
  is_asleep_.store(true, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_seq_cst);  // pairs with wake()
  const Tick due = parts_.path->next_deadline();
  const bool gathers = yields_to_processor();
  const std::uint64_t us = due <= now ? 0 : std::min(due - now, gathers ? kGatherUs : kLongestSleepUs);
  pollfd fds[3] = {{wake_fd_, POLLIN, 0},
                   {parts_.client_port->fd(), POLLIN, 0},
                   {parts_.server_port ? parts_.server_port->fd() : -1, POLLIN, 0}};
  const timespec timeout{static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000) * 1000};
  if (!has_waiting() && us != 0) ppoll(fds, gathers ? 1 : 3, &timeout, nullptr);
  is_asleep_.store(false, std::memory_order_relaxed);
  std::uint64_t count;
  (void)!::read(wake_fd_, &count, sizeof count);
}

void Worker::publish(Tick, std::size_t worked) noexcept {
  add(gauges_.turns, 1);
  if (worked != 0 && gauges_.turns.load(std::memory_order_relaxed) % kPublishTurns != 0) return;
  const path::Path::HelloLoad hellos = parts_.path->hello_load();
  gauges_.half_open.store(hellos.half_open, std::memory_order_relaxed);
  gauges_.hellos_waiting.store(hellos.waiting, std::memory_order_relaxed);
  gauges_.hello_blocks.store(hellos.blocks, std::memory_order_relaxed);
  gauges_.live_flows.store(parts_.path->live_flows(), std::memory_order_relaxed);
  gauges_.free_chunks.store(parts_.pool->free_chunks(), std::memory_order_relaxed);
}

void Worker::event(const path::FlowEvent& e) noexcept {
  EventNote note{.event = e};
  if (e.text != nullptr) std::memcpy(note.text.data(), e.text->data(), std::min(e.text->size(), note.text.size() - 1));
  note.event.text = nullptr;
  (void)events_.push(std::move(note));  // full: nobody is listening, and the counters have it
}

void Worker::record(const splice::TraceRecord& entry) noexcept {
  splice::TraceRecord copy = entry;
  (void)trace_.push(std::move(copy));
}

}  // namespace cutwater::engine
