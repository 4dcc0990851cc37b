// The secure processors: threads that run OpenSSL handshakes and nothing else. A TLS object lives from `start` until
// `established` or `failed`; keys leave by value, the object is freed.
// Thread: configure() and close() by the control thread; a Link by its worker. Implements: A5, H4, H9.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/spsc_ring.hpp"
#include "secure/job.hpp"
#include "secure/service_tls.hpp"

namespace cutwater::secure {

inline constexpr std::size_t kLinkDepth = 4096;  // per lane

/// What one worker and one processor thread share: a ring each way.
struct Lane {
  SpscRing<std::unique_ptr<Request>, kLinkDepth> to;
  SpscRing<std::unique_ptr<Reply>, kLinkDepth> from;
};

/// A worker's end: requests out, replies in. One lane per processor thread; a flow always takes the same one.
class Link {
 public:
  explicit Link(std::uint32_t lanes = 1);
  /// Returns: false when the processors are backlogged; the request is untouched and the caller decides.
  bool post(std::unique_ptr<Request>&& request) noexcept {
    Lane& lane = *lanes_[request->token.flow % lanes_.size()];
    return lane.to.push(std::move(request));
  }
  /// Returns: the next reply, or nullptr. Replies of one flow come in order.
  std::unique_ptr<Reply> poll() noexcept;
  /// Whether poll() would give something. The worker asks before it sleeps.
  [[nodiscard]] bool has_replies() const noexcept;
  /// Requests that no thread has taken yet. A snapshot.
  [[nodiscard]] std::size_t backlog() const noexcept;
  /// For who answers: the rings of one lane.
  [[nodiscard]] Lane& lane(std::size_t index) noexcept { return *lanes_[index]; }

 private:
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::size_t next_ = 0;  // where poll() looks first
};

/// Where handshakes are worked on, and private keys are.
enum class Place : std::uint8_t {
  thread,   // threads of this process
  process,  // threads of another process, which alone reads the key files
};

struct PoolConfig {
  std::uint32_t threads = 1;                          // 0: no threads; the caller runs run_pending() (simulator, tests)
  std::uint32_t links = 1;                            // one per worker
  int first_cpu = -1;                                 // -1: let the scheduler choose
  std::uint32_t max_handshakes = 8'192;               // TLS objects alive at once, over all threads; some 20 kB each
  std::function<Tick()> clock = {};                   // for deadlines; the same clock as the workers'
  std::function<void(std::uint32_t link)> wake = {};  // called after replies were pushed for that link; may be empty
  std::string key_log_path = {};                      // SSLKEYLOGFILE-style output, only when configured
  Place place = Place::thread;
  std::string program = {};                           // of cutwater-secure, for Place::process
  std::vector<std::string> arguments = {};            // that it is started with besides its number of threads
  std::uint64_t process_patience_us = 5'000'000;      // a process that owes an answer for so long hangs, and is ended
};

struct PoolStats {
  std::uint64_t handshakes = 0;  // established, resumed ones included
  std::uint64_t resumed = 0, failed = 0;
  std::uint64_t alive = 0;     // TLS objects now
  std::uint64_t restarts = 0;  // of the processors' process
};

class Pool {
 public:
  /// Starts the threads, and the process where they work elsewhere. What went wrong is failure().
  explicit Pool(PoolConfig config);
  ~Pool();  // stops and joins
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Puts (or replaces) the context of service `index`. Handshakes under way keep the old one.
  /// Returns: an empty string, or what is wrong; then nothing has changed.
  std::string configure(std::uint32_t index, const ServiceTls& service);
  /// Whether configure() would take these options: an empty string, or what is wrong. In Place::process the key files are read
  /// there, and `service` holds their names alone.
  std::string check(const ServiceTls& service);
  /// Why it cannot work: a key log file that cannot be opened, a process that does not start. Empty when it can.
  [[nodiscard]] const std::string& failure() const noexcept;
  /// The processors' process; 0: they are threads of this one, or it does not run now.
  [[nodiscard]] int process_id() const noexcept;
  /// Worker `index`'s end. A handshake stays on the thread that started it.
  Link& link(std::uint32_t index) noexcept;
  /// Runs everything that waits, on this thread. Requires: threads == 0.
  void run_pending();
  [[nodiscard]] PoolStats stats() const noexcept;
  /// Whether a processor thread is awake: a worker on the same core asks before it polls on that thread's time. Any thread.
  [[nodiscard]] bool is_working() const noexcept;
  /// Tells sleeping threads that requests were posted. Any worker; one atomic step a thread when they are awake.
  void notify() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cutwater::secure
