// A byte queue for what may hold secrets: what has been taken, and what a growing buffer leaves behind, is wiped.
// Thread: the owner's. Bounded by its user: it grows as it is told to.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace cutwater {

class SecretBuffer {
 public:
  SecretBuffer() noexcept = default;
  SecretBuffer(const SecretBuffer&) = delete;
  SecretBuffer& operator=(const SecretBuffer&) = delete;
  ~SecretBuffer() { wipe(bytes_.get(), room_); }

  [[nodiscard]] Bytes view() const noexcept { return {bytes_.get() + begin_, end_ - begin_}; }
  [[nodiscard]] std::size_t size() const noexcept { return end_ - begin_; }
  [[nodiscard]] bool empty() const noexcept { return begin_ == end_; }

  void append(Bytes bytes) {
    if (bytes.empty()) return;
    const MutableBytes room = reserve(bytes.size());
    std::memcpy(room.data(), bytes.data(), bytes.size());
    commit(bytes.size());
  }
  /// At least `bytes` of free space behind the end; valid until the next call that is not commit().
  MutableBytes reserve(std::size_t bytes) {
    if (room_ - end_ < bytes) make_room(bytes);
    return {bytes_.get() + end_, room_ - end_};
  }
  /// Requires: reserved.
  void commit(std::size_t bytes) noexcept { end_ += bytes; }
  /// Overwrites bytes that are there already. Requires: at + bytes.size() <= size().
  void replace(std::size_t at, Bytes bytes) noexcept { std::memcpy(bytes_.get() + begin_ + at, bytes.data(), bytes.size()); }
  /// Takes bytes off the front. Requires: bytes <= size().
  void drop(std::size_t bytes) noexcept {
    wipe(bytes_.get() + begin_, bytes);
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  void clear() noexcept { drop(size()); }

 private:
  void make_room(std::size_t bytes) {
    constexpr std::size_t kFirstBytes = 4096;
    const std::size_t used = size();
    const std::size_t room = std::max({room_ * (used + bytes > room_ ? 2 : 1), used + bytes, kFirstBytes});
    auto grown = std::make_unique<std::uint8_t[]>(room);
    if (used != 0) std::memcpy(grown.get(), bytes_.get() + begin_, used);
    wipe(bytes_.get(), room_);
    bytes_ = std::move(grown);
    room_ = room;
    begin_ = 0;
    end_ = used;
  }
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::size_t room_ = 0, begin_ = 0, end_ = 0;
};

}  // namespace cutwater
