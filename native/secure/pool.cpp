#include "secure/pool.hpp"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "secure/carrier.hpp"
#include "secure/processor.hpp"
#include "secure/processor_process.hpp"

namespace cutwater::secure {

namespace {

constexpr std::size_t kBudget = 32;  // requests a lane gets before the next one's turn

Tick steady_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Tick{static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count())};
}

/// A sleeping place for one thread that others can ring at.
class Bell {
 public:
  Bell() : event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Bell() { ::close(event_); }
  Bell(const Bell&) = delete;
  Bell& operator=(const Bell&) = delete;

  /// Any thread, after its push. The exchange meets the one in sleep(): either that one comes later and its `is_idle`
  /// sees the push, or this one sees that the thread is about to sleep and rings.
  void ring() noexcept {
    if (is_asleep_.exchange(false, std::memory_order_acq_rel)) ::eventfd_write(event_, 1);
  }
  [[nodiscard]] bool is_asleep() const noexcept { return is_asleep_.load(std::memory_order_relaxed); }
  /// The owner. `is_idle` is asked after the intention to sleep is visible.
  template <class IsIdle>
  void sleep(int timeout_ms, LaneServer::Source source, IsIdle is_idle) noexcept {
    is_asleep_.exchange(true, std::memory_order_acq_rel);
    if (is_idle()) {
      pollfd waits[] = {{event_, POLLIN, 0}, {source.file, source.events, 0}};
      ::poll(waits, 2, timeout_ms);
    }
    is_asleep_.exchange(false, std::memory_order_acq_rel);
    eventfd_t rings;
    ::eventfd_read(event_, &rings);
  }

 private:
  int event_;
  std::atomic<bool> is_asleep_{false};
};

}  // namespace

Link::Link(std::uint32_t lanes) {
  for (std::uint32_t i = 0; i < std::max(lanes, 1U); ++i) lanes_.push_back(std::make_unique<Lane>());
}

std::unique_ptr<Reply> Link::poll() noexcept {
  std::unique_ptr<Reply> reply;
  for (std::size_t n = 0; n < lanes_.size(); ++n) {
    Lane& lane = *lanes_[next_];
    if (++next_ == lanes_.size()) next_ = 0;
    if (lane.from.pop(reply)) break;
  }
  return reply;
}

bool Link::has_replies() const noexcept {
  return std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->from.size() != 0; });
}

std::size_t Link::backlog() const noexcept {
  std::size_t requests = 0;
  for (const auto& lane : lanes_) requests += lane->to.size();
  return requests;
}

struct Pool::Impl {
  struct Thread {
    explicit Thread(std::unique_ptr<LaneServer> given) : server(std::move(given)) {}
    std::unique_ptr<LaneServer> server;
    Carrier* carrier = nullptr;  // the server, where it is one
    Bell bell;
    std::thread thread;
  };

  explicit Impl(PoolConfig given);
  ~Impl();
  std::vector<Lane*> lanes_of(std::size_t thread) const;
  void make_thread(std::size_t index);
  std::string start_process();
  void run(Thread& thread);
  void start(Thread& thread, std::size_t index);

  PoolConfig config;
  std::unique_ptr<KeyLog> key_log;
  std::string failure;
  std::shared_ptr<Resumption> resumption;
  ProcessorShared shared;
  std::vector<std::unique_ptr<Link>> links;
  std::vector<std::unique_ptr<Thread>> threads;  // one without a thread when threads == 0
  std::unique_ptr<ProcessorProcess> process;     // Place::process
  std::atomic<bool> is_stopping{false};
};

Pool::Impl::Impl(PoolConfig given) : config(std::move(given)) {
  start_openssl();
  if (!config.clock) config.clock = steady_now;
  if (!config.key_log_path.empty() && config.place == Place::thread) {
    key_log = std::make_unique<KeyLog>(config.key_log_path);
    failure = key_log->error();
  }
  resumption = std::make_shared<Resumption>(config.clock);
  shared.clock = config.clock;
  shared.max_handshakes = config.max_handshakes;
  shared.key_log = key_log.get();
  const std::uint32_t lanes = std::max(config.threads, 1U);
  for (std::uint32_t i = 0; i < config.links; ++i) links.push_back(std::make_unique<Link>(lanes));
  for (std::size_t i = 0; i < lanes; ++i) make_thread(i);
  for (std::size_t i = 0; i < config.threads; ++i) start(*threads[i], i);
  if (config.place == Place::process) failure = start_process();
}

void Pool::Impl::make_thread(std::size_t index) {
  if (config.place == Place::thread) {
    threads.push_back(std::make_unique<Thread>(std::make_unique<Processor>(shared, lanes_of(index))));
    return;
  }
  auto carrier = std::make_unique<Carrier>(shared, lanes_of(index));
  Carrier* const known = carrier.get();
  threads.push_back(std::make_unique<Thread>(std::move(carrier)));
  threads.back()->carrier = known;
}

std::string Pool::Impl::start_process() {
  process = std::make_unique<ProcessorProcess>(ProcessorProcessConfig{
      .program = config.program,
      .arguments = config.arguments,
      .threads = static_cast<std::uint32_t>(threads.size()),
      .lanes = config.links,
      .max_handshakes = config.max_handshakes,
      .key_log_path = config.key_log_path,
      .connect = [this](std::size_t thread, int file) {
        threads[thread]->carrier->connect(file);
        threads[thread]->bell.ring();
      },
      .is_stuck = [this] {
        const Tick now = config.clock();
        return std::any_of(threads.begin(), threads.end(),
                           [&](const auto& thread) { return thread->carrier->is_stuck(now, config.process_patience_us); });
      }});
  return process->start();
}

Pool::Impl::~Impl() {
  process.reset();  // its keeper offers connections to the threads: it goes first
  is_stopping.store(true, std::memory_order_release);  // pairs with run()
  for (const auto& thread : threads) thread->bell.ring();
  for (const auto& thread : threads) {
    if (thread->thread.joinable()) thread->thread.join();
  }
}

std::vector<Lane*> Pool::Impl::lanes_of(std::size_t thread) const {
  std::vector<Lane*> lanes;
  for (const auto& link : links) lanes.push_back(&link->lane(thread));
  return lanes;
}

void Pool::Impl::start(Thread& thread, std::size_t index) {
  thread.thread = std::thread([this, &thread] { run(thread); });
  const pthread_t handle = thread.thread.native_handle();
  pthread_setname_np(handle, ("cw-secure-" + std::to_string(index % 1000)).c_str());
  if (config.first_cpu < 0) return;
  cpu_set_t cpus;
  CPU_ZERO(&cpus);
  CPU_SET(static_cast<std::size_t>(config.first_cpu) + index, &cpus);
  pthread_setaffinity_np(handle, sizeof cpus, &cpus);  // a core that does not exist leaves the choice to the scheduler
}

void Pool::Impl::run(Thread& thread) {
  LaneServer& server = *thread.server;
  const auto is_idle = [&] { return !server.has_requests() && !is_stopping.load(std::memory_order_acquire); };
  while (!is_stopping.load(std::memory_order_acquire)) {
    server.reap();  // first: run() tells the workers of its replies too
    if (server.run(kBudget, config.wake)) continue;
    thread.bell.sleep(server.sleep_ms(), server.source(), is_idle);
  }
}

Pool::Pool(PoolConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}

Pool::~Pool() = default;

std::string Pool::configure(std::uint32_t index, const ServiceTls& service) {
  if (impl_->process != nullptr) return impl_->process->configure(index, service);
  auto built = ServiceContext::build(service, impl_->resumption);
  if (!built) return built.error();
  impl_->shared.services.put(index, std::move(*built));
  return {};
}

std::string Pool::check(const ServiceTls& service) {
  return impl_->process != nullptr ? impl_->process->check(service) : secure::check(service);
}

const std::string& Pool::failure() const noexcept { return impl_->failure; }

int Pool::process_id() const noexcept { return impl_->process == nullptr ? 0 : impl_->process->pid(); }

Link& Pool::link(std::uint32_t index) noexcept { return *impl_->links[index]; }

void Pool::run_pending() {
  LaneServer& server = *impl_->threads.front()->server;
  server.reap();
  while (server.run(kBudget, impl_->config.wake)) {
  }
}

PoolStats Pool::stats() const noexcept {
  const ProcessorShared& shared = impl_->shared;
  constexpr auto relaxed = std::memory_order_relaxed;
  return {.handshakes = shared.handshakes.load(relaxed),
          .resumed = shared.resumed.load(relaxed),
          .failed = shared.failed.load(relaxed),
          .alive = shared.alive.load(relaxed),
          .restarts = impl_->process == nullptr ? 0 : impl_->process->restarts()};
}

bool Pool::is_working() const noexcept {
  const auto& threads = impl_->threads;
  return std::any_of(threads.begin(), threads.end(), [](const auto& thread) { return !thread->bell.is_asleep(); });
}

void Pool::notify() noexcept {
  for (const auto& thread : impl_->threads) thread->bell.ring();
}

}  // namespace cutwater::secure
