// The server side of transfers: a plain HTTP/1.1 server that swallows uploads and tells their length and hash, and gives the
// pattern for GET /bytes/N (?pace=N: at most so many bytes a second). Light on purpose: the core it shares with the client is
// not what is measured.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>

#include "pattern.hpp"
#include "stream.hpp"

namespace load {
namespace {

class Peer : public Task {
 public:
  /// `over`: where it puts itself when it is done.
  Peer(int fd, bool is_hashing, std::vector<Peer*>& over) : fd_(fd), is_hashing_(is_hashing), over_(over) {}
  ~Peer() override { ::close(fd_); }
  int fd() const override { return fd_; }
  std::size_t place = 0;  // in the list of all

  void advance() override {
    if (is_over_) return;
    while (!is_over_ && (flush() && read_some())) {
    }
    if (is_over_) over_.push_back(this);
  }

 private:
  /// Returns: whether everything owed was sent.
  bool flush() {
    while (!out_.empty() || body_left_ > 0) {
      const auto piece = out_.empty() ? pattern_at(body_sent_, std::min(body_left_, kPieceBytes)) : std::span<const char>(out_);
      const ssize_t n = ::send(fd_, piece.data(), piece.size(), MSG_NOSIGNAL);
      if (n < 0) {
        if (errno != EAGAIN) is_over_ = true;
        return false;
      }
      const auto put = static_cast<std::size_t>(n);
      if (!out_.empty()) {
        out_.erase(0, put);
      } else {
        body_sent_ += put;
        body_left_ -= put;
      }
    }
    return true;
  }

  bool read_some() {
    static char buffer[262'144];
    const ssize_t n = ::recv(fd_, buffer, sizeof buffer, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN)) is_over_ = true;
    if (n <= 0) return false;
    std::span<const char> data(buffer, static_cast<std::size_t>(n));
    while (!data.empty()) data = upload_left_ > 0 ? swallow(data) : parse(data);
    return true;
  }

  std::span<const char> swallow(std::span<const char> data) {
    const auto part = data.first(std::min<std::size_t>(data.size(), upload_left_));
    if (is_hashing_) hash_->add(part);
    upload_left_ -= part.size();
    if (upload_left_ == 0) finish_upload();
    return data.subspan(part.size());
  }

  void finish_upload() {
    const std::string body = "{\"bytes\":" + std::to_string(upload_bytes_) + ",\"sha256\":\"" + (is_hashing_ ? hash_->hex() : "") + "\"}";
    out_ += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::span<const char> parse(std::span<const char> data) {
    const std::size_t before = head_.size();
    head_.append(data.data(), data.size());
    const auto end = head_.find("\r\n\r\n");
    if (end == std::string::npos) {
      if (head_.size() > 16'384) is_over_ = true;
      return {};
    }
    const auto rest = data.subspan(end + 4 - before);
    const std::string head = head_.substr(0, end);
    head_.clear();
    answer(head);
    return rest;
  }

  void answer(const std::string& head) {
    if (head.starts_with("POST ") || head.starts_with("PUT ")) {
      const auto field = head.find("ontent-");
      const auto length = field == std::string::npos ? field : head.find("ength: ", field);
      upload_left_ = upload_bytes_ = length == std::string::npos ? 0 : std::strtoull(head.c_str() + length + 7, nullptr, 10);
      hash_ = std::make_unique<Hash>();
      if (upload_bytes_ == 0) finish_upload();
      return;
    }
    const auto bytes = head.find("/bytes/");
    body_left_ = bytes == std::string::npos ? 1024 : std::strtoull(head.c_str() + bytes + 7, nullptr, 10);
    body_sent_ = 0;
    if (const auto pace = head.find("?pace="); pace != std::string::npos) {
      const std::uint64_t bytes_per_second = std::strtoull(head.c_str() + pace + 6, nullptr, 10);
      ::setsockopt(fd_, SOL_SOCKET, SO_MAX_PACING_RATE, &bytes_per_second, sizeof bytes_per_second);
    }
    out_ += "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body_left_) + "\r\n\r\n";
  }

  int fd_;
  bool is_hashing_, is_over_ = false;
  std::vector<Peer*>& over_;
  std::string head_, out_;
  std::uint64_t upload_left_ = 0, upload_bytes_ = 0, body_left_ = 0, body_sent_ = 0;
  std::unique_ptr<Hash> hash_;
};

class Listener : public Task {
 public:
  Listener(const Options& options, const Loop& loop) : loop_(loop), is_hashing_(options.is_hashing) {
    fd_ = ::socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK, 0);
    const int one = 1, zero = 0;
    ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    ::setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    set_congestion(fd_, options.congestion);  // what is accepted inherits it
    sockaddr_in6 any{};
    any.sin6_family = AF_INET6;
    any.sin6_port = htons(options.port);
    if (::bind(fd_, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 || ::listen(fd_, 65'535) != 0) {
      std::perror("listen");
      std::exit(1);
    }
    loop.add(*this, fd_);
  }
  int fd() const override { return fd_; }
  void advance() override {
    for (;;) {
      const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_NONBLOCK);
      if (fd < 0) return;
      const int one = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
      peers_.push_back(std::make_unique<Peer>(fd, is_hashing_, over_));
      peers_.back()->place = peers_.size() - 1;
      loop_.add(*peers_.back(), fd);
    }
  }
  /// Frees those that are done: the last one takes each one's place.
  void clear() {
    for (const Peer* peer : over_) {
      auto& place = peers_[peer->place];
      peers_.back()->place = peer->place;
      std::swap(place, peers_.back());
      peers_.pop_back();
    }
    over_.clear();
  }

 private:
  std::vector<std::unique_ptr<Peer>> peers_;
  std::vector<Peer*> over_;
  const Loop& loop_;
  bool is_hashing_;
  int fd_ = -1;
};

}  // namespace

int run_sink(const Options& options) {
  Loop loop;
  Listener listener(options, loop);
  std::printf("{\"event\":\"ready\"}\n");
  std::fflush(stdout);
  for (;;) {
    loop.run_once(1000);
    listener.clear();
  }
}

}  // namespace load
