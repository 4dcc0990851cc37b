// Keep-alive requests on a fixed number of connections, one outstanding on each; the latency of every one is kept. With
// --reconnect a connection that ends is opened again: `closed` counts those that ended as announced ("Connection: close"), `lost`
// those that ended under a request.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "stream.hpp"

namespace load {
namespace {

/// Sends a request, reads the answer by its Content-Length, again.
class Requester : public Task {
 public:
  Requester(const Options& options, Tls& tls, const Loop& loop, std::uint32_t index)
      : options_(options), tls_(tls), loop_(loop), index_(index),
        request_("GET " + options.path + " HTTP/1.1\r\nHost: " + options.server_name + "\r\n\r\n") {
    open();
  }
  int fd() const override { return stream_->fd(); }

  void advance() override {
    if (is_failed) return;
    if (!is_established) {
      const Io io = stream_->establish();
      if (io == Io::again) return;
      if (io != Io::ok) return fail();
      is_established = true;
    }
    while (!is_failed && !is_stopped) {
      if (!is_waiting_ && !send()) return;
      if (!receive()) return;
    }
  }

  std::uint64_t requests = 0, bytes = 0, closed = 0, lost = 0;
  Latencies times;
  bool is_established = false, is_failed = false, is_stopped = false;
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  bool send() {
    std::size_t put = 0;
    if (sent_ == 0) started_ = Clock::now();
    const Io io = stream_->write(std::span<const char>(request_).subspan(sent_), put);
    if (io == Io::again) return false;
    if (io != Io::ok) return fail(), false;
    sent_ += put;
    if (sent_ < request_.size()) return true;
    is_waiting_ = true;
    head_.clear();
    left_ = 0;
    return true;
  }

  /// Returns: whether there may be more to do now.
  bool receive() {
    char buffer[32'768];
    std::size_t got = 0;
    const Io io = stream_->read(buffer, got);
    if (io == Io::again) return false;
    if (io != Io::ok) return fail(), false;
    bytes += got;
    std::size_t body = got;
    if (left_ == 0) {
      head_.append(buffer, got);
      const auto end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return true;
      const auto length = head_.find("ontent-");  // case differs between servers
      const auto field = head_.find("ength: ", length);
      if (field == std::string::npos || field > end) return fail(), false;
      left_ = std::strtoull(head_.c_str() + field + 7, nullptr, 10);
      body = head_.size() - end - 4;
    }
    left_ -= body;
    if (left_ == 0) {
      requests += 1;
      times.add(Clock::now() - started_);
      is_waiting_ = false;
      sent_ = 0;
      if (options_.is_reconnecting && head_.find("onnection: close\r\n") != std::string::npos) {
        closed += 1;
        open();
        return false;
      }
    }
    return true;
  }
  void fail() {
    failure_ = stream_->failure();
    if (!options_.is_reconnecting) {
      is_failed = true;
      return;
    }
    lost += 1;
    open();
  }
  void open() {
    stream_ = std::make_unique<Stream>(options_, tls_, index_);
    is_established = is_waiting_ = false;
    sent_ = 0;
    left_ = 0;
    loop_.add(*this, stream_->fd());
  }

  const Options& options_;
  Tls& tls_;
  const Loop& loop_;
  std::uint32_t index_;
  std::unique_ptr<Stream> stream_;
  std::string request_, head_, failure_;
  std::size_t sent_ = 0;
  std::uint64_t left_ = 0;
  bool is_waiting_ = false;
  Clock::time_point started_;
};

}  // namespace

int run_requests(const Options& options) {
  Tls tls(options);
  Loop loop;
  std::vector<std::unique_ptr<Requester>> all;
  for (std::uint32_t i = 0; i < options.connections; ++i) all.push_back(std::make_unique<Requester>(options, tls, loop, i));
  const auto start = Clock::now();
  while (seconds_since(start) < options.seconds) loop.run_once(100);
  const double elapsed = seconds_since(start);
  std::uint64_t requests = 0, bytes = 0, failures = 0, closed = 0, lost = 0;
  Latencies times;
  std::string failure;
  for (auto& r : all) {
    r->is_stopped = true;
    requests += r->requests;
    bytes += r->bytes;
    closed += r->closed;
    lost += r->lost;
    if (r->is_failed || r->requests == 0) failures += 1;
    if (!r->failure().empty()) failure = r->failure();
    times.us.insert(times.us.end(), r->times.us.begin(), r->times.us.end());
  }
  std::printf("{\"requests\":%llu,\"perSecond\":%.1f,\"bytes\":%llu,\"failures\":%llu,\"closed\":%llu,\"lost\":%llu,\"p50Us\":%u,\"p99Us\":%u,\"failure\":\"%s\"}\n",
              static_cast<unsigned long long>(requests), static_cast<double>(requests) / elapsed,
              static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(failures), static_cast<unsigned long long>(closed),
              static_cast<unsigned long long>(lost), times.at(0.5), times.at(0.99),
              failure.c_str());
  return failures == 0 ? 0 : 1;
}

}  // namespace load
