// Bytes in, bytes out, always in one piece: what a socket buffer holds.
// Thread: one run, one thread.
#pragma once

#include <algorithm>
#include <vector>

#include "base/bytes.hpp"

namespace cutwater::sim {

class ByteQueue {
 public:
  void push(Bytes bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
  void pop(std::size_t bytes) {
    head_ += bytes;
    if (head_ == bytes_.size()) {
      bytes_.clear();
      head_ = 0;
    } else if (head_ > 65'536) {  // moves at most as much as was taken out since the last move
      bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(head_));
      head_ = 0;
    }
  }
  [[nodiscard]] Bytes view() const noexcept { return Bytes{bytes_}.subspan(head_); }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size() - head_; }
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }

 private:
  std::vector<std::uint8_t> bytes_;
  std::size_t head_ = 0;
};

}  // namespace cutwater::sim
