// A stream socket that carries frames, never waiting: what cannot be written yet is kept, what is not whole yet is not shown.
// Not here: what frames say (hand_off.hpp), who waits (pool.cpp, processor_server.cpp). Thread: the owner's.
#pragma once

#include <functional>

#include "secure/frame.hpp"

namespace cutwater::secure {

inline constexpr std::size_t kMaxDataFrameBytes = 512 * 1024;          // more than any client's input in one go
inline constexpr std::size_t kMaxControlFrameBytes = 64 * 1024 * 1024;  // a thousand certificate chains

class FrameSocket {
 public:
  FrameSocket() noexcept = default;
  /// Takes the file over and makes it non-blocking. -1: not connected.
  FrameSocket(int file, std::size_t max_frame_bytes) noexcept;
  FrameSocket(FrameSocket&& other) noexcept;
  FrameSocket& operator=(FrameSocket&& other) noexcept;
  ~FrameSocket();

  [[nodiscard]] int file() const noexcept { return file_; }
  [[nodiscard]] bool is_open() const noexcept { return file_ >= 0; }
  [[nodiscard]] bool has_unsent() const noexcept { return !out_->empty(); }
  [[nodiscard]] std::size_t unsent_bytes() const noexcept { return out_->size(); }
  /// Where frames are written; flush() sends them.
  SecretBuffer& out() noexcept { return *out_; }

  /// Sends what the socket takes. Returns: false when the connection is gone.
  bool flush() noexcept;
  /// Reads what is there, a bounded amount, and shows whole frames in order. `take` says false to what is not well-formed.
  /// Returns: false when the connection is gone, or the other end broke the protocol.
  bool receive(const std::function<bool(FrameKind, Bytes body)>& take);
  void close() noexcept;

 private:
  bool show(const std::function<bool(FrameKind, Bytes)>& take);
  int file_ = -1;
  std::size_t max_frame_bytes_ = 0;
  std::unique_ptr<SecretBuffer> in_ = std::make_unique<SecretBuffer>(), out_ = std::make_unique<SecretBuffer>();
};

}  // namespace cutwater::secure
