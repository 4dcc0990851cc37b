#include "secure/processor_server.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <thread>

#include "record/hmac.hpp"
#include "secure/frame_socket.hpp"
#include "secure/hand_off.hpp"
#include "secure/processor.hpp"

namespace cutwater::secure {

namespace {

constexpr std::size_t kMaxKeyFileBytes = 1024 * 1024;
constexpr std::size_t kMaxUnsentBytes = 4 * 1024 * 1024;  // past it nothing more is read: the dataplane has stopped taking
constexpr int kReapEveryMs = 100;

Tick steady_now() {
  const auto since = std::chrono::steady_clock::now().time_since_epoch();
  return Tick{static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(since).count())};
}

void wait_for(const FrameSocket& socket, int stop_file, int timeout_ms, bool may_read) noexcept {
  const auto events = static_cast<short>((may_read ? POLLIN : 0) | (socket.has_unsent() ? POLLOUT : 0));
  pollfd files[] = {{socket.file(), events, 0}, {stop_file, POLLIN, 0}};
  ::poll(files, 2, timeout_ms);
}

/// Returns: an empty string, or why the key could not be read.
std::string read_key_file(CertificatePem& certificate, const std::string& folder) {
  const std::string& name = certificate.key_name;
  // Who is on another host says which key, not which file of this one.
  const std::string path = folder.empty() ? name : folder + "/" + name.substr(name.rfind('/') + 1);
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return path + ": " + std::strerror(errno);
  struct stat about {};
  std::string failure;
  if (::fstat(file, &about) != 0 || !S_ISREG(about.st_mode)) {
    failure = path + ": is no file";
  } else if (static_cast<std::size_t>(about.st_size) > kMaxKeyFileBytes) {
    failure = path + ": too large for a private key";
  } else {
    certificate.key_pem.resize(static_cast<std::size_t>(about.st_size));
    const ssize_t got = ::read(file, certificate.key_pem.data(), certificate.key_pem.size());
    if (got != about.st_size) failure = path + ": cannot be read";
  }
  ::close(file);
  return failure;
}

/// The keys of one set of options, in memory only as long as the contexts are made from them.
class WithKeys {
 public:
  WithKeys(ServiceTls& service, const std::string& folder) : service_(service) {
    service_.each_certificate([&](CertificatePem& certificate) {
      if (failure_.empty()) failure_ = read_key_file(certificate, folder);
    });
  }
  WithKeys(const WithKeys&) = delete;
  WithKeys& operator=(const WithKeys&) = delete;
  ~WithKeys() {
    service_.each_certificate([](CertificatePem& certificate) { wipe(certificate.key_pem.data(), certificate.key_pem.size()); });
  }
  [[nodiscard]] const std::string& failure() const noexcept { return failure_; }

 private:
  ServiceTls& service_;
  std::string failure_;
};

/// One thread: its connection, and the lanes of all workers that come over it.
class Service {
 public:
  Service(ProcessorShared& shared, std::uint32_t lanes, int file, int stop_file)
      : shared_(shared), stop_file_(stop_file), socket_(file, kMaxDataFrameBytes) {
    std::vector<Lane*> all;
    for (std::uint32_t i = 0; i < lanes; ++i) {
      lanes_.push_back(std::make_unique<Lane>());
      all.push_back(lanes_.back().get());
    }
    processor_ = std::make_unique<Processor>(shared, std::move(all));
  }

  void run(const std::atomic<bool>& is_stopping) {
    const auto send = [this](std::uint32_t lane) { send_replies(lane); };
    const auto take = [this](FrameKind kind, Bytes body) { return take_request(kind, body); };
    while (!is_stopping.load(std::memory_order_acquire)) {
      const bool may_read = socket_.unsent_bytes() < kMaxUnsentBytes;
      wait_for(socket_, stop_file_, processor_->has_handshakes() ? kReapEveryMs : -1, may_read);
      if (may_read && !socket_.receive(take)) return;
      processor_->reap();
      while (processor_->run(1, send)) {  // one of each worker, so that an answer goes out before the next is worked on
        send_taken();
      }
      if (!socket_.flush()) return;
    }
  }

 private:
  bool take_request(FrameKind kind, Bytes body) {
    if (kind != FrameKind::request) return false;
    FrameReader in(body);
    std::uint32_t lane = 0;
    auto request = std::make_unique<Request>();
    if (!read(in, lane, *request, shared_.clock()) || lane >= lanes_.size()) return false;
    ++taken_;
    return lanes_[lane]->to.push(std::move(request));  // a dataplane that keeps to its window never fills it
  }
  /// What has been read but waits for its turn must not be told as served yet.
  std::uint32_t served() noexcept {
    std::uint32_t waiting = 0;
    for (const auto& lane : lanes_) waiting += static_cast<std::uint32_t>(lane->to.size());
    return std::exchange(taken_, waiting) - waiting;
  }
  void send_replies(std::uint32_t lane) {
    for (std::unique_ptr<Reply> reply; lanes_[lane]->from.pop(reply);) write(socket_.out(), lane, served(), *reply);
    (void)socket_.flush();  // a broken connection shows at the next read
  }
  void send_taken() {
    if (const std::uint32_t served_now = served(); served_now != 0) write_taken(socket_.out(), served_now);
    (void)socket_.flush();
  }

  ProcessorShared& shared_;
  int stop_file_;
  FrameSocket socket_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::unique_ptr<Processor> processor_;
  std::uint32_t taken_ = 0;  // requests read that the dataplane has not been told to be served
};

/// Ticket keys from one process to the next, by way of an appliance that must not know them: with them it could pretend to be the
/// server towards every client that comes back. They are sealed with what only a process that reads the private keys can tell.
class TicketHeritage {
 public:
  explicit TicketHeritage(TicketKeys& keys) : keys_(keys) {}
  void inherit(std::vector<std::uint8_t> sealed) { inherited_ = std::move(sealed); }
  /// The first service's first key seals, before and after. Requires: the key is in `service`.
  void use_key_of(std::uint32_t index, const ServiceTls& service) {
    if (index != service_.value_or(index) || service.certificates.empty()) return;
    const std::string_view pem = service.certificates.front().key_pem;
    const record::Digest key = record::hmac(record::Hash::sha256, {kPurpose, sizeof kPurpose},
                                            {reinterpret_cast<const std::uint8_t*>(pem.data()), pem.size()});
    seal_key_.assign(key.expose());
    // Only once, and before any ticket was sealed: a key file that was changed meanwhile costs full handshakes.
    if (!service_ && !inherited_.empty()) (void)keys_.restore(inherited_, seal_key_);
    inherited_.clear();
    service_ = index;
  }
  [[nodiscard]] std::vector<std::uint8_t> sealed() const { return service_ ? keys_.seal(seal_key_) : std::vector<std::uint8_t>{}; }

 private:
  static constexpr std::uint8_t kPurpose[] = "cutwater seals ticket keys";
  TicketKeys& keys_;
  std::vector<std::uint8_t> inherited_;
  std::optional<std::uint32_t> service_;
  SealKey seal_key_;
};

/// The control connection: greeting, options, their verdicts.
class Control {
 public:
  Control(int file, const std::vector<int>& data_files, const std::string& keys)
      : socket_(file, kMaxControlFrameBytes), data_files_(data_files), keys_(keys), stop_file_(::eventfd(0, EFD_CLOEXEC)) {
    shared_.clock = steady_now;
  }
  ~Control() {
    is_stopping_.store(true, std::memory_order_release);
    ::eventfd_write(stop_file_, 1);
    for (std::thread& thread : threads_) thread.join();
    ::close(stop_file_);
  }
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  int run() {
    const auto take = [this](FrameKind kind, Bytes body) { return take_frame(kind, body); };
    for (;;) {
      wait_for(socket_, -1, -1, true);
      if (!socket_.receive(take)) return is_greeted_ ? 0 : 1;
      if (!socket_.flush()) return 0;
    }
  }

 private:
  bool take_frame(FrameKind kind, Bytes body) {
    FrameReader in(body);
    if (!is_greeted_) return kind == FrameKind::hello && greet(in);
    if (kind != FrameKind::check && kind != FrameKind::configure) return false;
    std::uint32_t index = 0;
    ServiceTls service;
    if (!read_service(in, index, service)) return false;
    std::string failure = kind == FrameKind::check ? judge(service) : configure(index, service);
    write(socket_.out(), Verdict{std::move(failure), heritage_.sealed()});
    return true;
  }

  bool greet(FrameReader& in) {
    Greeting greeting;
    if (!read(in, greeting)) return false;
    if (greeting.version != kHandOffVersion) {
      write(socket_.out(), Verdict{"speaks hand-off version " + std::to_string(kHandOffVersion), {}});
      (void)socket_.flush();
      return false;
    }
    if (!keys_.empty() && !greeting.key_log_path.empty()) {
      write(socket_.out(), Verdict{"keyLog: not with processors on another host", {}});
      (void)socket_.flush();
      return false;
    }
    is_greeted_ = true;
    shared_.max_handshakes = greeting.max_handshakes;
    heritage_.inherit(std::move(greeting.sealed_tickets));
    if (!greeting.key_log_path.empty()) key_log_ = std::make_unique<KeyLog>(greeting.key_log_path);
    shared_.key_log = key_log_.get();
    write(socket_.out(), Verdict{key_log_ == nullptr ? std::string{} : key_log_->error(), {}});
    for (const int file : data_files_) {
      services_.push_back(std::make_unique<Service>(shared_, greeting.lanes, file, stop_file_));
      threads_.emplace_back([this, service = services_.back().get()] { service->run(is_stopping_); });
      pthread_setname_np(threads_.back().native_handle(), ("cw-secure-" + std::to_string(threads_.size() - 1)).substr(0, 15).c_str());
    }
    return true;
  }

  std::string judge(ServiceTls& service) const {
    const WithKeys keys(service, keys_);
    return keys.failure().empty() ? check(service) : keys.failure();
  }

  std::string configure(std::uint32_t index, ServiceTls& service) {
    constexpr std::uint32_t kMaxServices = 65'536;
    if (index >= kMaxServices) return service.name + ": more services than there can be";
    const WithKeys keys(service, keys_);
    if (!keys.failure().empty()) return keys.failure();
    auto built = ServiceContext::build(service, resumption_);
    if (!built) return built.error();
    heritage_.use_key_of(index, service);
    shared_.services.put(index, std::move(*built));
    return {};
  }

  FrameSocket socket_;
  std::vector<int> data_files_;
  std::string keys_;
  int stop_file_;
  bool is_greeted_ = false;
  std::atomic<bool> is_stopping_{false};
  std::unique_ptr<KeyLog> key_log_;
  std::shared_ptr<Resumption> resumption_ = std::make_shared<Resumption>(steady_now);
  TicketHeritage heritage_{resumption_->ticket_keys};
  ProcessorShared shared_;
  std::vector<std::unique_ptr<Service>> services_;
  std::vector<std::thread> threads_;
};

}  // namespace

int serve_processor(int control_file, const std::vector<int>& data_files, const std::string& keys) {
  start_openssl();
  Control control(control_file, data_files, keys);
  return control.run();
}

}  // namespace cutwater::secure
