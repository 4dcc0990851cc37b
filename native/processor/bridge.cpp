#include "processor/bridge.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

namespace cutwater::processor {
namespace {

constexpr std::size_t kPieceBytes = 16'384, kHeadBytes = 4;
constexpr std::size_t kMostWaiting = 1024 * 1024;  // bytes of one direction of one channel, and all that wait for TLS

/// Bytes on their way. Of a fixed size, so that nothing it held stays behind in memory given back.
class Queue {
 public:
  Queue() { bytes_.reserve(kMostWaiting + kPieceBytes + kHeadBytes); }
  ~Queue() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }
  Queue(Queue&&) = default;
  void add(std::span<const std::uint8_t> more) { bytes_.insert(bytes_.end(), more.begin(), more.end()); }
  [[nodiscard]] std::span<const std::uint8_t> waiting() const { return std::span(bytes_).subspan(sent_); }
  [[nodiscard]] bool has_room() const { return bytes_.size() < kMostWaiting; }
  void drop(std::size_t count) {
    sent_ += count;
    if (sent_ != bytes_.size() && sent_ < kMostWaiting / 2) return;
    const std::size_t left = bytes_.size() - sent_;
    std::memmove(bytes_.data(), bytes_.data() + sent_, left);
    OPENSSL_cleanse(bytes_.data() + left, sent_);
    bytes_.resize(left);
    sent_ = 0;
  }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t sent_ = 0;
};

class Bridge {
 public:
  Bridge(SSL* tls, int file, const std::vector<int>& channels) : tls_(tls), file_(file), channels_(channels), to_channel_(channels.size()) {
    for (const int one : channels_) ::fcntl(one, F_SETFL, ::fcntl(one, F_GETFL) | O_NONBLOCK);
    ::fcntl(file_, F_SETFL, ::fcntl(file_, F_GETFL) | O_NONBLOCK);
    SSL_set_mode(tls_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  ~Bridge() { OPENSSL_cleanse(piece_.data(), piece_.size()); }
  Bridge(const Bridge&) = delete;
  Bridge& operator=(const Bridge&) = delete;

  void run() {
    while (!is_over_) {
      bool has_moved = from_tls();
      for (std::size_t i = 0; i < channels_.size(); ++i) has_moved = to_channel(i) || has_moved;
      for (std::size_t i = 0; i < channels_.size(); ++i) has_moved = from_channel(i) || has_moved;
      has_moved = to_tls() || has_moved;
      if (!has_moved && !is_over_) wait();
    }
  }

 private:
  [[nodiscard]] bool may_read_tls() const {
    return std::all_of(to_channel_.begin(), to_channel_.end(), [](const Queue& queue) { return queue.has_room(); });
  }

  bool from_tls() {
    if (!may_read_tls()) return false;
    std::size_t got = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(tls_, piece_.data(), piece_.size(), &got);
    if (result != 1) return end_unless_waiting(result), false;
    for (std::span<const std::uint8_t> rest(piece_.data(), got); !rest.empty() && !is_over_;) rest = rest.subspan(take(rest));
    return true;
  }

  /// The next bytes of heads and pieces, in whatever cut they come.
  std::size_t take(std::span<const std::uint8_t> bytes) {
    if (head_bytes_ < kHeadBytes) {
      head_[head_bytes_++] = bytes[0];
      if (head_bytes_ < kHeadBytes) return 1;
      piece_left_ = std::size_t{head_[1]} << 16 | std::size_t{head_[2]} << 8 | head_[3];
      is_over_ = head_[0] >= channels_.size() || piece_left_ == 0 || piece_left_ > kPieceBytes;
      return 1;
    }
    const std::size_t part = std::min(piece_left_, bytes.size());
    to_channel_[head_[0]].add(bytes.first(part));
    piece_left_ -= part;
    if (piece_left_ == 0) head_bytes_ = 0;
    return part;
  }

  bool to_channel(std::size_t i) {
    const auto waiting = to_channel_[i].waiting();
    if (waiting.empty()) return false;
    const ssize_t put = ::send(channels_[i], waiting.data(), waiting.size(), MSG_NOSIGNAL);
    if (put < 0) return is_over_ = is_over_ || errno != EAGAIN, false;
    to_channel_[i].drop(static_cast<std::size_t>(put));
    return true;
  }

  bool from_channel(std::size_t i) {
    if (!to_tls_.has_room()) return false;
    const ssize_t got = ::recv(channels_[i], piece_.data(), kPieceBytes, 0);
    if (got < 0) return is_over_ = is_over_ || errno != EAGAIN, false;
    if (got == 0) return is_over_ = true, false;
    const auto bytes = static_cast<std::size_t>(got);
    const std::array<std::uint8_t, kHeadBytes> head{static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(bytes >> 16),
                                                    static_cast<std::uint8_t>(bytes >> 8), static_cast<std::uint8_t>(bytes)};
    to_tls_.add(head);
    to_tls_.add(std::span<const std::uint8_t>(piece_.data(), bytes));
    return true;
  }

  bool to_tls() {
    const auto waiting = to_tls_.waiting();
    if (waiting.empty()) return false;
    std::size_t put = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(tls_, waiting.data(), waiting.size(), &put);
    if (result != 1) return end_unless_waiting(result), false;
    to_tls_.drop(put);
    return true;
  }

  void end_unless_waiting(int result) {
    const int error = SSL_get_error(tls_, result);
    is_over_ = is_over_ || (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE);
  }

  void wait() {
    std::vector<pollfd> files;
    const auto events = [](bool reads, bool writes) { return static_cast<short>((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)); };
    files.push_back({file_, events(may_read_tls(), !to_tls_.waiting().empty()), 0});
    for (std::size_t i = 0; i < channels_.size(); ++i) {
      files.push_back({channels_[i], events(to_tls_.has_room(), !to_channel_[i].waiting().empty()), 0});
    }
    ::poll(files.data(), files.size(), -1);
  }

  SSL* tls_;
  int file_;
  std::vector<int> channels_;
  std::vector<Queue> to_channel_;
  Queue to_tls_;
  std::array<std::uint8_t, kPieceBytes> piece_{};
  std::array<std::uint8_t, kHeadBytes> head_{};
  std::size_t head_bytes_ = 0, piece_left_ = 0;
  bool is_over_ = false;
};

}  // namespace

void carry(SSL* tls, int file, const std::vector<int>& channels) { Bridge(tls, file, channels).run(); }

}  // namespace cutwater::processor
