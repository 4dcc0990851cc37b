// The receiving half's out-of-order store: the first copy of a byte wins, and the newest block is told first (RFC 2018 4).
// Thread: one run, one thread. Used by: tcp_endpoint.
#pragma once

#include <map>
#include <vector>

#include "sim/byte_queue.hpp"

namespace cutwater::sim {

struct Range {
  std::uint64_t begin = 0, end = 0;
};

class Reassembly {
 public:
  /// Takes bytes at `begin`, all beyond the in-order point.
  void insert(std::uint64_t begin, Bytes bytes);
  /// Moves what continues `next` to `out`. Returns: the new in-order point.
  std::uint64_t drain(std::uint64_t next, ByteQueue& out);
  /// Merged ranges held, most recently touched first.
  [[nodiscard]] const std::vector<Range>& blocks() const noexcept { return blocks_; }
  [[nodiscard]] bool holds(std::uint64_t begin, std::uint64_t end) const noexcept;

 private:
  std::map<std::uint64_t, std::vector<std::uint8_t>> pieces_;  // never overlapping
  std::vector<Range> blocks_;
};

}  // namespace cutwater::sim
