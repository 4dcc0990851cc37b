// Downloads or uploads on several connections at once. With --bytes each moves exactly that many and may hash them;
// without, they run until the time is up.
#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "pattern.hpp"
#include "stream.hpp"

namespace load {
namespace {

class Transfer : public Task {
 public:
  Transfer(const Options& options, Tls& tls, const Loop& loop, std::uint32_t index)
      : options_(options), stream_(options, tls, index), is_up_(options.direction == "up") {
    const std::uint64_t size = options.bytes == 0 ? kEndless : options.bytes;
    head_ = is_up_ ? "POST " + options.path + " HTTP/1.1\r\nHost: " + options.server_name +
                         "\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n"
                   : "GET " + options.path + " HTTP/1.1\r\nHost: " + options.server_name + "\r\n\r\n";
    left_to_send_ = is_up_ ? size : 0;
    loop.add(*this, stream_.fd());
  }
  int fd() const override { return stream_.fd(); }

  void advance() override {
    if (is_done || is_failed) return;
    if (!is_established_) {
      const Io io = stream_.establish();
      if (io == Io::again) return;
      if (io != Io::ok) return fail();
      is_established_ = true;
      established_at = Clock::now();
    }
    while (send()) {
    }
    while (!is_done && !is_failed && receive()) {
    }
  }

  /// The body as it came (down), or the server's word on what it got (up).
  [[nodiscard]] std::string digest() { return is_up_ ? answer_ : hash_.hex(); }
  [[nodiscard]] std::string failure() const { return stream_.failure(); }
  std::uint64_t moved = 0;
  Clock::time_point established_at{}, done_at{};
  bool is_done = false, is_failed = false;

 private:
  static constexpr std::uint64_t kEndless = 1ULL << 50;

  bool send() {
    std::size_t put = 0;
    if (head_sent_ < head_.size()) {
      const Io io = stream_.write(std::span<const char>(head_).subspan(head_sent_), put);
      if (io == Io::failed) fail();
      if (io != Io::ok) return false;
      head_sent_ += put;
      return true;
    }
    if (left_to_send_ == 0) return false;
    const auto piece = pattern_at(moved, std::min<std::uint64_t>(left_to_send_, kPieceBytes));
    const Io io = stream_.write(piece, put);
    if (io == Io::failed) fail();
    if (io != Io::ok) return false;
    moved += put;
    left_to_send_ -= put;
    return true;
  }

  bool receive() {
    static char buffer[65'536];
    std::size_t got = 0;
    const Io io = stream_.read(buffer, got);
    if (io == Io::again) return false;
    if (io != Io::ok) return fail(), false;
    std::span<const char> data(buffer, got);
    if (!is_in_body_) {
      answer_head_.append(buffer, got);
      const auto end = answer_head_.find("\r\n\r\n");
      if (end == std::string::npos) return true;
      const auto field = answer_head_.find("ength: ");
      left_ = field < end ? std::strtoull(answer_head_.c_str() + field + 7, nullptr, 10) : 0;
      is_in_body_ = true;
      data = data.last(answer_head_.size() - end - 4);
    }
    left_ -= data.size();
    if (is_up_) {
      answer_.append(data.data(), data.size());
    } else {
      moved += data.size();
      if (options_.is_hashing) hash_.add(data);
    }
    if (left_ == 0) {
      is_done = true;
      done_at = Clock::now();
    }
    return true;
  }
  void fail() { is_failed = true; }

  const Options& options_;
  Stream stream_;
  bool is_up_;
  std::string head_, answer_head_, answer_;
  std::size_t head_sent_ = 0;
  std::uint64_t left_to_send_ = 0, left_ = 0;
  bool is_established_ = false, is_in_body_ = false;
  Hash hash_;
};

}  // namespace

int run_bulk(const Options& options) {
  Tls tls(options);
  Loop loop;
  std::vector<std::unique_ptr<Transfer>> all;
  for (std::uint32_t i = 0; i < options.connections; ++i) all.push_back(std::make_unique<Transfer>(options, tls, loop, i));
  const auto start = Clock::now();
  const auto is_over = [&] {
    return std::all_of(all.begin(), all.end(), [](const auto& t) { return t->is_done || t->is_failed; });
  };
  std::string second_bytes;
  std::uint64_t counted = 0;
  const auto count_second = [&](double seconds) {
    std::uint64_t moved = 0;
    for (const auto& t : all) moved += t->moved;
    second_bytes += (second_bytes.empty() ? "" : ",") + std::to_string(static_cast<std::uint64_t>(static_cast<double>(moved - counted) / seconds));
    counted = moved;
  };
  double second = 0;
  while (seconds_since(start) < options.seconds && !is_over()) {
    loop.run_once(100);
    const double now = seconds_since(start);
    if (now - second >= 1) count_second(now - second), second = now;
  }
  const double elapsed = seconds_since(start);
  std::uint64_t bytes = 0, done = 0, failures = 0;
  std::string failure, digests, established_ms, transfer_ms;
  const auto list_ms = [](std::string& list, Clock::duration d) {
    list += (list.empty() ? "" : ",") + std::to_string(std::chrono::duration_cast<std::chrono::microseconds>(d).count() / 1000);
  };
  for (auto& t : all) {
    bytes += t->moved;
    done += t->is_done ? 1 : 0;
    failures += t->is_failed ? 1 : 0;
    if (t->is_failed) failure = t->failure();
    if (t->is_done) {
      list_ms(established_ms, t->established_at - start);
      list_ms(transfer_ms, t->done_at - t->established_at);
    }
    if (options.bytes != 0 || options.is_hashing) {
      const std::string digest = t->digest();
      digests += (digests.empty() ? "" : ",") + (digest.starts_with("{") ? digest : "\"" + digest + "\"");
    }
  }
  std::printf("{\"bytes\":%llu,\"seconds\":%.4f,\"gbps\":%.4f,\"done\":%llu,\"failures\":%llu,\"failure\":\"%s\",\"digests\":[%s],"
              "\"establishedMs\":[%s],\"transferMs\":[%s],\"bytesPerSecond\":[%s]}\n",
              static_cast<unsigned long long>(bytes), elapsed, static_cast<double>(bytes) * 8e-9 / elapsed,
              static_cast<unsigned long long>(done), static_cast<unsigned long long>(failures), failure.c_str(), digests.c_str(),
              established_ms.c_str(), transfer_ms.c_str(), second_bytes.c_str());
  return failures == 0 ? 0 : 1;
}

}  // namespace load
