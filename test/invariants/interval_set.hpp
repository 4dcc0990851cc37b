// Half-open ranges of stream positions, merged.
// Thread: one run, one thread. Used by: half_stream.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

namespace cutwater::invariants {

class IntervalSet {
 public:
  void insert(std::uint64_t begin, std::uint64_t end) {
    if (begin >= end) return;
    auto next = ranges_.upper_bound(begin);
    if (next != ranges_.begin() && std::prev(next)->second >= begin) {
      --next;
      begin = next->first;
      end = std::max(end, next->second);
      next = ranges_.erase(next);
    }
    while (next != ranges_.end() && next->first <= end) {
      end = std::max(end, next->second);
      next = ranges_.erase(next);
    }
    ranges_.emplace(begin, end);
  }
  [[nodiscard]] bool contains(std::uint64_t begin, std::uint64_t end) const {
    if (begin >= end) return true;
    auto next = ranges_.upper_bound(begin);
    return next != ranges_.begin() && std::prev(next)->second >= end;
  }
  /// Returns: the end of the range that begins at zero.
  [[nodiscard]] std::uint64_t prefix() const { return !ranges_.empty() && ranges_.begin()->first == 0 ? ranges_.begin()->second : 0; }
  [[nodiscard]] const std::map<std::uint64_t, std::uint64_t>& ranges() const noexcept { return ranges_; }

 private:
  std::map<std::uint64_t, std::uint64_t> ranges_;
};

}  // namespace cutwater::invariants
