// One non-blocking connection, TLS or plain, and the loop that drives many of them.
// Thread: one; the load tool has no others, so that it fits on the core it is given.
#pragma once

#include <arpa/inet.h>
#include <openssl/ssl.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace load {

using Clock = std::chrono::steady_clock;

/// IPv4 addresses of a prefix, used in turn.
struct AddressRange {
  std::uint32_t first = 0, mask = 0;  // host order; mask: the bits that change
  [[nodiscard]] in_addr at(std::uint64_t index) const { return {htonl(first | (static_cast<std::uint32_t>(index) & mask))}; }
};
/// "10.64.0.0/12". Exits when it is no such thing.
AddressRange parse_range(const std::string& text);

/// What the command line said. Read-only after parsing.
struct Options {
  std::string mode;
  std::string connect = "127.0.0.1";       // address literal
  std::string server_name = "bench.test";  // SNI and Host
  std::uint16_t port = 443;
  std::vector<std::string> bind;           // client addresses, used in turn
  std::string bind_range;                  // the same as an IPv4 prefix: arrivals, flood
  std::string gateway;                     // flood: whom its packets go to
  double rate = 100;                       // arrivals, flood: clients a second
  double most = 0;                         // syns: packets a second at most; 0: as many as go out
  double patience = 5;                     // arrivals: seconds
  bool is_plain = false;
  bool is_resuming = false;
  bool is_hashing = false;
  bool is_reconnecting = false;            // requests
  bool is_reading_ahead = false;           // takes from the socket what is there, as browsers do; else what a record says, as OpenSSL does by itself
  std::string tls = "1.3";                 // "1.2" | "1.3"
  std::string suite;                       // "" = the library's order
  std::string congestion;                  // congestion control by its Linux name, "" = the machine's
  std::string path = "/1k";
  std::string direction = "down";          // bulk
  std::uint32_t connections = 1;
  std::uint64_t bytes = 0;                 // bulk: per connection; 0 = until the time is up
  double seconds = 3;
  std::string device, mac;                 // flood, syns: where they go out; syns: to whom
};

/// What a read or write came to.
enum class Io : std::uint8_t { ok, again, end, failed };

/// The TLS context for every connection of a run. Certificates are not checked: the load is the point, tests check elsewhere.
struct Tls {
  explicit Tls(const Options& options);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;
  SSL_CTX* context = nullptr;
  SSL_SESSION* session = nullptr;  // the newest one the server gave
};

/// A connection. Closes in its destructor.
class Stream {
 public:
  Stream(const Options& options, Tls& tls, std::uint32_t index);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  /// Connects and shakes hands as far as it can now. ok: done.
  Io establish();
  Io read(std::span<char> into, std::size_t& got);
  Io write(std::span<const char> from, std::size_t& put);
  /// Sends close_notify and FIN.
  void finish();
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] bool was_resumed() const { return ssl_ != nullptr && SSL_session_reused(ssl_) == 1; }
  [[nodiscard]] std::string suite() const { return ssl_ == nullptr ? "plain" : SSL_get_cipher_name(ssl_); }
  [[nodiscard]] std::string failure() const { return failure_; }

 private:
  Io classify(int result);
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  bool is_connected_ = false;
  std::string failure_;
};

/// Something the loop drives: called whenever its descriptor may have become ready.
class Task {
 public:
  virtual ~Task() = default;
  virtual int fd() const = 0;
  virtual void advance() = 0;
};

/// Edge-triggered epoll.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  void add(Task& task, int fd) const;
  void run_once(int wait_ms) const;

 private:
  int epoll_ = -1;
};

/// Distribution of a measured time.
struct Latencies {
  std::vector<std::uint32_t> us;
  void add(Clock::duration d) {
    us.push_back(static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count()));
  }
  std::uint32_t at(double quantile);
};

/// Sets the congestion control of a socket; exits with the reason when the kernel refuses, for a measurement would lie.
void set_congestion(int fd, const std::string& name);

double seconds_since(Clock::time_point start);

/// One whole request, so that the tickets that follow the handshake are read. Returns: whether there is a session now.
bool learn_session(const Options& options, Tls& tls);

int run_arrivals(const Options& options);
int run_flood(const Options& options);
int run_handshakes(const Options& options);
int run_requests(const Options& options);
int run_bulk(const Options& options);
int run_hold(const Options& options);
int run_sink(const Options& options);
int run_syns(const Options& options);

}  // namespace load
