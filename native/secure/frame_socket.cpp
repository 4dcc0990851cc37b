#include "secure/frame_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace cutwater::secure {

namespace {

constexpr std::size_t kReadBytes = 64 * 1024;

bool is_only_busy() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

}  // namespace

FrameSocket::FrameSocket(int file, std::size_t max_frame_bytes) noexcept : file_(file), max_frame_bytes_(max_frame_bytes) {
  if (file_ >= 0) ::fcntl(file_, F_SETFL, ::fcntl(file_, F_GETFL) | O_NONBLOCK);
}

FrameSocket::FrameSocket(FrameSocket&& other) noexcept { *this = std::move(other); }

FrameSocket& FrameSocket::operator=(FrameSocket&& other) noexcept {
  if (this == &other) return *this;
  close();
  file_ = std::exchange(other.file_, -1);
  max_frame_bytes_ = other.max_frame_bytes_;
  std::swap(in_, other.in_);
  std::swap(out_, other.out_);
  return *this;
}

FrameSocket::~FrameSocket() { close(); }

bool FrameSocket::flush() noexcept {
  while (is_open() && !out_->empty()) {
    const ssize_t sent = ::send(file_, out_->view().data(), out_->size(), MSG_NOSIGNAL);
    if (sent < 0) return is_only_busy();
    out_->drop(static_cast<std::size_t>(sent));
  }
  return is_open();
}

bool FrameSocket::receive(const std::function<bool(FrameKind, Bytes)>& take) {
  if (!is_open()) return false;
  const MutableBytes room = in_->reserve(kReadBytes);
  const ssize_t got = ::recv(file_, room.data(), room.size(), 0);
  if (got < 0) return is_only_busy();
  if (got == 0) return false;
  in_->commit(static_cast<std::size_t>(got));
  return show(take);
}

bool FrameSocket::show(const std::function<bool(FrameKind, Bytes)>& take) {
  while (in_->size() >= kFrameHeaderBytes) {
    const std::size_t body_bytes = load_be32(in_->view().data());
    if (body_bytes > max_frame_bytes_) return false;
    if (in_->size() < kFrameHeaderBytes + body_bytes) return true;
    const auto kind = static_cast<FrameKind>(in_->view()[4]);
    if (!take(kind, in_->view().subspan(kFrameHeaderBytes, body_bytes))) return false;
    in_->drop(kFrameHeaderBytes + body_bytes);
  }
  return true;
}

void FrameSocket::close() noexcept {
  if (file_ >= 0) ::close(std::exchange(file_, -1));
  in_->clear();
  out_->clear();
}

}  // namespace cutwater::secure
