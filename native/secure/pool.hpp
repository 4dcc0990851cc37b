// The secure processors: threads that run OpenSSL handshakes and nothing else. A TLS object lives from `start` until
// `established` or `failed`; keys leave by value, the object is freed.
// Thread: configure() and close() by the control thread; a Link by its worker. Implements: A5, H4, H9.
#pragma once

#include <functional>

#include "base/result.hpp"
#include "base/spsc_ring.hpp"
#include "secure/job.hpp"

namespace cutwater::secure {

enum class ClientAuth : std::uint8_t { none, optional, required };

/// One certificate with its key, as PEM text already read by the control plane (private key files are read once).
struct CertificatePem {
  std::string name;             // for messages: the file name
  std::string chain_pem;
  std::string key_pem;
};

/// TLS options of one service (H9).
struct ServiceTls {
  std::string name;
  bool allow_tls12 = true, allow_tls13 = true;
  std::vector<CertificatePem> certificates;     // chosen by SNI and signature scheme; the first is the default
  std::vector<std::string> protocols;           // ALPN, in our order of preference; empty: the extension is ignored
  std::vector<std::uint16_t> suites;            // IANA numbers in our order; empty: all
  ClientAuth client_auth = ClientAuth::none;
  std::string client_ca_pem;
  bool require_known_name = false;              // an SNI that names no certificate is refused (unrecognized_name)
  std::uint32_t session_lifetime_s = 7200;
  std::uint32_t tickets = 2;                    // TLS 1.3 tickets after a full handshake
};

/// Checks what configure() would refuse. Returns: an empty string, or what is wrong ("shop.key: does not match shop.crt").
std::string check(const ServiceTls& service);

inline constexpr std::size_t kLinkDepth = 4096;

/// A worker's end: requests out, replies in.
class Link {
 public:
  /// Returns: false when the processors are backlogged; the request is untouched and the caller decides.
  bool post(std::unique_ptr<Request>&& request) noexcept { return to_.push(std::move(request)); }
  /// Returns: the next reply, or nullptr.
  std::unique_ptr<Reply> poll() noexcept {
    std::unique_ptr<Reply> reply;
    from_.pop(reply);
    return reply;
  }
  [[nodiscard]] std::size_t backlog() const noexcept { return to_.size(); }

 private:
  friend class Pool;
  SpscRing<std::unique_ptr<Request>, kLinkDepth> to_;
  SpscRing<std::unique_ptr<Reply>, kLinkDepth> from_;
};

struct PoolConfig {
  std::uint32_t threads = 1;      // 0: no threads; the caller runs run_pending() (simulator, tests)
  std::uint32_t links = 1;        // one per worker
  int first_cpu = -1;             // -1: let the scheduler choose
  std::uint32_t max_handshakes = 65'536;  // TLS objects alive at once, over all threads
  std::function<Tick()> clock;    // for deadlines; the same clock as the workers'
  std::function<void(std::uint32_t link)> wake;  // called after replies were pushed for that link; may be empty
  std::string key_log_path;       // SSLKEYLOGFILE-style output, only when configured
};

struct PoolStats {
  std::uint64_t handshakes = 0, resumed = 0, failed = 0, alive = 0;
};

class Pool {
 public:
  explicit Pool(PoolConfig config);
  ~Pool();  // stops and joins
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  /// Puts (or replaces) the context of service `index`. Handshakes under way keep the old one.
  /// Returns: an empty string, or what is wrong; then nothing has changed.
  std::string configure(std::uint32_t index, const ServiceTls& service);
  /// Worker `index`'s end. A handshake stays on the thread that started it.
  Link& link(std::uint32_t index) noexcept;
  /// Runs everything that waits, on this thread. Requires: threads == 0.
  void run_pending();
  [[nodiscard]] PoolStats stats() const noexcept;
  /// Tells sleeping threads that requests were posted. Cheap when they are awake.
  void notify() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cutwater::secure
