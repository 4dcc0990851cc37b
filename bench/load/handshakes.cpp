// Full or resumed handshakes, as many as fit into the time. Each connection closes in good order before the next begins.
#include <cstdio>

#include "stream.hpp"

namespace load {
namespace {

/// Connect, shake hands, close, wait for the other side's end, again.
class Repeater : public Task {
 public:
  Repeater(const Options& options, Tls& tls, const Loop& loop, std::uint32_t index)
      : options_(options), tls_(tls), loop_(loop), index_(index) {
    start();
  }
  int fd() const override { return stream_->fd(); }

  void advance() override {
    if (is_stopped) return;
    if (!is_established_) {
      const Io io = stream_->establish();
      if (io == Io::again) return;
      if (io == Io::ok) {
        handshakes += 1;
        resumed += stream_->was_resumed() ? 1 : 0;
        times.add(Clock::now() - started_);
        is_established_ = true;
        stream_->finish();
      } else {
        fail();
        return;
      }
    }
    char rest[4096];
    std::size_t got = 0;
    Io io = Io::ok;
    while ((io = stream_->read(rest, got)) == Io::ok) {
    }
    if (io != Io::again) start();
  }

  void start() {
    stream_ = std::make_unique<Stream>(options_, tls_, index_);
    is_established_ = false;
    started_ = Clock::now();
    loop_.add(*this, stream_->fd());
  }

  std::uint64_t handshakes = 0, resumed = 0, failures = 0;
  std::string last_failure;
  Latencies times;
  bool is_stopped = false;

 private:
  void fail() {
    failures += 1;
    last_failure = stream_->failure();
    start();
  }
  const Options& options_;
  Tls& tls_;
  const Loop& loop_;
  std::uint32_t index_;
  std::unique_ptr<Stream> stream_;
  bool is_established_ = false;
  Clock::time_point started_;
};

}  // namespace

bool learn_session(const Options& options, Tls& tls) {
  Stream stream(options, tls, 0);
  const auto start = Clock::now();
  const std::string request =
      "GET " + options.path + " HTTP/1.1\r\nHost: " + options.server_name + "\r\nConnection: close\r\n\r\n";
  std::size_t put = 0;
  char answer[4096];
  std::size_t got = 0;
  while (seconds_since(start) < 5) {
    const Io established = stream.establish();
    if (established == Io::failed) return false;
    if (established == Io::again) continue;
    if (put == 0) stream.write(request, put);
    const Io io = stream.read(answer, got);
    if (io == Io::end || io == Io::failed || tls.session != nullptr) break;  // not every server closes when asked
  }
  stream.finish();  // OpenSSL takes sessions of connections that were broken off for bad
  return tls.session != nullptr;
}

int run_handshakes(const Options& options) {
  Tls tls(options);
  if (options.is_resuming && !learn_session(options, tls)) {
    std::fprintf(stderr, "the server gave no session\n");
    return 1;
  }
  Loop loop;
  std::vector<std::unique_ptr<Repeater>> repeaters;
  for (std::uint32_t i = 0; i < options.connections; ++i) {
    repeaters.push_back(std::make_unique<Repeater>(options, tls, loop, i));
  }
  const auto start = Clock::now();
  while (seconds_since(start) < options.seconds) loop.run_once(100);
  const double elapsed = seconds_since(start);
  std::uint64_t handshakes = 0, resumed = 0, failures = 0;
  Latencies all;
  std::string failure;
  for (auto& r : repeaters) {
    r->is_stopped = true;
    handshakes += r->handshakes;
    resumed += r->resumed;
    failures += r->failures;
    if (!r->last_failure.empty()) failure = r->last_failure;
    all.us.insert(all.us.end(), r->times.us.begin(), r->times.us.end());
  }
  std::printf("{\"handshakes\":%llu,\"perSecond\":%.1f,\"resumed\":%llu,\"failures\":%llu,\"p50Us\":%u,\"p99Us\":%u,\"failure\":\"%s\"}\n",
              static_cast<unsigned long long>(handshakes), static_cast<double>(handshakes) / elapsed,
              static_cast<unsigned long long>(resumed), static_cast<unsigned long long>(failures), all.at(0.5), all.at(0.99),
              failure.c_str());
  return handshakes > 0 ? 0 : 1;
}

}  // namespace load
