#include "secure/processor_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>
#include <utility>

#include "secure/frame_socket.hpp"
#include "secure/hand_off.hpp"
#include "secure/processor_server.hpp"

namespace cutwater::secure {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kVerdictPatience{30'000};  // a thousand key files on a slow disk
constexpr milliseconds kWatchEvery{50};
constexpr milliseconds kFirstPause{20}, kLongestPause{5'000};  // before it is started again; doubles while it does not stay up
constexpr milliseconds kStaysUp{10'000};
constexpr int kFirstSourceFile = 100;  // above every number the process gets its files under

/// Both ends of a connection, closed unless given away.
struct Pair {
  int ours = -1, theirs = -1;
  Pair() {
    int both[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) != 0) return;
    ours = both[0];
    theirs = ::fcntl(both[1], F_DUPFD_CLOEXEC, kFirstSourceFile);
    ::close(both[1]);
  }
  Pair(Pair&& other) noexcept : ours(std::exchange(other.ours, -1)), theirs(std::exchange(other.theirs, -1)) {}
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  ~Pair() {
    if (ours >= 0) ::close(ours);
    if (theirs >= 0) ::close(theirs);
  }
  int take_ours() noexcept { return std::exchange(ours, -1); }
};

/// What posix_spawn is told about files: nothing but the connections and the error output.
class FileActions {
 public:
  FileActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  void put(int from, int to) { ::posix_spawn_file_actions_adddup2(&actions_, from, to); }
  void put_nothing(int to, int how) { ::posix_spawn_file_actions_addopen(&actions_, to, "/dev/null", how, 0); }
  [[nodiscard]] const posix_spawn_file_actions_t* get() const noexcept { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

}  // namespace

struct ProcessorProcess::Impl {
  explicit Impl(ProcessorProcessConfig given) : config(std::move(given)), stop_file(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~Impl();

  std::string launch();
  std::string spawn(std::vector<Pair>& pairs);
  std::string greet();
  std::string ask(const std::function<void(SecretBuffer&)>& question);
  void end_process() noexcept;
  void watch();
  bool has_ended() noexcept;
  void start_again(steady_clock::time_point started);
  [[nodiscard]] bool pause(milliseconds time) const noexcept;

  ProcessorProcessConfig config;
  int stop_file;
  std::atomic<bool> is_stopping{false};
  std::atomic<std::uint64_t> restarts{0};
  std::atomic<int> pid{0};
  std::thread watcher;
  milliseconds next_pause = kFirstPause;
  std::mutex mutex;  // guards what follows
  FrameSocket control;
  std::map<std::uint32_t, ServiceTls> services;
  std::vector<std::uint8_t> sealed_tickets;  // nothing in this process can open them
};

ProcessorProcess::Impl::~Impl() {
  is_stopping.store(true, std::memory_order_release);
  ::eventfd_write(stop_file, 1);
  if (watcher.joinable()) watcher.join();
  end_process();
  ::close(stop_file);
}

std::string ProcessorProcess::Impl::launch() {
  std::vector<Pair> pairs(config.threads + 1);
  if (std::any_of(pairs.begin(), pairs.end(), [](const Pair& pair) { return pair.theirs < 0; })) {
    return "no socket for the secure processor: " + std::string{std::strerror(errno)};
  }
  if (std::string failure = spawn(pairs); !failure.empty()) return failure;
  control = FrameSocket(pairs[0].take_ours(), kMaxControlFrameBytes);
  if (std::string failure = greet(); !failure.empty()) return failure;
  for (const auto& [index, service] : services) {
    // A key file that was changed meanwhile costs its service alone; the next apply() says what is wrong with it.
    (void)ask([&, at = index, &tls = service](SecretBuffer& out) { write_configure(out, at, tls); });
  }
  for (std::size_t i = 0; i < config.threads; ++i) config.connect(i, pairs[i + 1].take_ours());
  return {};
}

std::string ProcessorProcess::Impl::spawn(std::vector<Pair>& pairs) {
  FileActions files;
  files.put_nothing(STDIN_FILENO, O_RDONLY);
  files.put_nothing(STDOUT_FILENO, O_WRONLY);
  for (std::size_t i = 0; i < pairs.size(); ++i) files.put(pairs[i].theirs, kControlFile + static_cast<int>(i));
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  ::sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  // A process group of its own: what a terminal sends to the dataplane's ends the dataplane in good order, and it this.
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> words{"cutwater-secure", std::to_string(config.threads)};
  words.insert(words.end(), config.arguments.begin(), config.arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  char* const no_environment[] = {nullptr};
  pid_t child = 0;
  const int error = ::posix_spawn(&child, config.program.c_str(), files.get(), &attributes, argv.data(), no_environment);
  ::posix_spawnattr_destroy(&attributes);
  if (error != 0) return config.program + ": " + std::strerror(error);
  pid.store(child, std::memory_order_release);
  for (Pair& pair : pairs) ::close(std::exchange(pair.theirs, -1));
  return {};
}

std::string ProcessorProcess::Impl::greet() {
  const Greeting greeting{.lanes = config.lanes, .max_handshakes = config.max_handshakes, .key_log_path = config.key_log_path, .sealed_tickets = sealed_tickets};
  return ask([&](SecretBuffer& out) { write(out, greeting); });
}

/// One question, one answer. Requires: the lock.
std::string ProcessorProcess::Impl::ask(const std::function<void(SecretBuffer&)>& question) {
  constexpr const char* kGone = "the secure processor ended";
  if (!control.is_open()) return "the secure processor does not run";
  question(control.out());
  Verdict verdict;
  bool is_answered = false;
  const auto take = [&](FrameKind kind, Bytes body) {
    FrameReader in(body);
    is_answered = kind == FrameKind::verdict && read(in, verdict);
    return is_answered;
  };
  const auto until = steady_clock::now() + kVerdictPatience;
  while (!is_answered) {
    const auto left = std::chrono::duration_cast<milliseconds>(until - steady_clock::now());
    if (left.count() <= 0) return control.close(), "the secure processor does not answer";
    if (!control.flush()) return control.close(), kGone;
    pollfd file{control.file(), static_cast<short>(POLLIN | (control.has_unsent() ? POLLOUT : 0)), 0};
    if (::poll(&file, 1, static_cast<int>(left.count())) > 0 && (file.revents & ~POLLOUT) != 0 && !control.receive(take)) {
      if (!is_answered) return control.close(), kGone;
    }
  }
  if (!verdict.sealed_tickets.empty()) sealed_tickets = std::move(verdict.sealed_tickets);
  return verdict.failure;
}

void ProcessorProcess::Impl::end_process() noexcept {
  const int child = pid.exchange(0, std::memory_order_acq_rel);
  if (child <= 0) return;
  ::kill(child, SIGKILL);  // it holds nothing that a gentler end would save
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
}

bool ProcessorProcess::Impl::has_ended() noexcept {
  const int child = pid.load(std::memory_order_acquire);
  if (child <= 0) return true;
  if (::waitpid(child, nullptr, WNOHANG) == 0) return false;
  pid.store(0, std::memory_order_release);
  return true;
}

/// Returns: false when the keeper is to stop.
bool ProcessorProcess::Impl::pause(milliseconds time) const noexcept {
  pollfd file{stop_file, POLLIN, 0};
  return ::poll(&file, 1, static_cast<int>(time.count())) == 0 && !is_stopping.load(std::memory_order_acquire);
}

void ProcessorProcess::Impl::watch() {
  pthread_setname_np(pthread_self(), "cw-keeper");
  auto started = steady_clock::now();
  while (pause(kWatchEvery)) {
    const bool is_gone = has_ended();
    if (!is_gone && !config.is_stuck()) continue;
    start_again(started);
    started = steady_clock::now();
  }
}

void ProcessorProcess::Impl::start_again(steady_clock::time_point started) {
  next_pause = steady_clock::now() - started > kStaysUp ? kFirstPause : std::min(next_pause * 2, kLongestPause);
  end_process();
  if (!pause(next_pause)) return;
  const std::lock_guard lock(mutex);
  restarts.fetch_add(1, std::memory_order_relaxed);
  control.close();
  if (!launch().empty()) end_process();  // the next look tries again, after a longer pause
}

ProcessorProcess::ProcessorProcess(ProcessorProcessConfig config) : impl_(std::make_unique<Impl>(std::move(config))) {}

ProcessorProcess::~ProcessorProcess() = default;

std::string ProcessorProcess::start() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (std::string failure = impl_->launch(); !failure.empty()) return failure;
  }
  impl_->watcher = std::thread([this] { impl_->watch(); });
  return {};
}

std::string ProcessorProcess::check(const ServiceTls& service) {
  const std::lock_guard lock(impl_->mutex);
  return impl_->ask([&](SecretBuffer& out) { write_check(out, service); });
}

std::string ProcessorProcess::configure(std::uint32_t index, const ServiceTls& service) {
  const std::lock_guard lock(impl_->mutex);
  std::string verdict = impl_->ask([&](SecretBuffer& out) { write_configure(out, index, service); });
  if (verdict.empty()) impl_->services.insert_or_assign(index, service);
  return verdict;
}

std::uint64_t ProcessorProcess::restarts() const noexcept { return impl_->restarts.load(std::memory_order_relaxed); }

int ProcessorProcess::pid() const noexcept { return impl_->pid.load(std::memory_order_acquire); }

}  // namespace cutwater::secure
