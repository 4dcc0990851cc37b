#include "sim/reassembly.hpp"

namespace cutwater::sim {

void Reassembly::insert(std::uint64_t begin, Bytes bytes) {
  const std::uint64_t end = begin + bytes.size();
  std::uint64_t at = begin;
  auto next = pieces_.upper_bound(begin);
  if (next != pieces_.begin()) {
    const auto& before = *std::prev(next);
    at = std::max(at, before.first + before.second.size());
  }
  while (at < end) {
    const std::uint64_t stop = next == pieces_.end() ? end : std::min(end, next->first);
    if (at < stop) {
      const auto piece = bytes.subspan(at - begin, stop - at);
      pieces_.emplace(at, std::vector<std::uint8_t>(piece.begin(), piece.end()));
    }
    if (next == pieces_.end()) break;
    at = std::max(at, next->first + next->second.size());
    ++next;
  }
  Range merged{begin, end};
  std::erase_if(blocks_, [&](const Range& r) {
    if (r.end < merged.begin || r.begin > merged.end) return false;
    merged = {std::min(r.begin, merged.begin), std::max(r.end, merged.end)};
    return true;
  });
  // What the first pass merged may now touch a block it had already kept.
  std::erase_if(blocks_, [&](const Range& r) {
    if (r.end < merged.begin || r.begin > merged.end) return false;
    merged = {std::min(r.begin, merged.begin), std::max(r.end, merged.end)};
    return true;
  });
  blocks_.insert(blocks_.begin(), merged);
}

std::uint64_t Reassembly::drain(std::uint64_t next, ByteQueue& out) {
  while (!pieces_.empty() && pieces_.begin()->first <= next) {
    const auto& [begin, bytes] = *pieces_.begin();
    if (begin + bytes.size() > next) {
      out.push(Bytes{bytes}.subspan(next - begin));
      next = begin + bytes.size();
    }
    pieces_.erase(pieces_.begin());
  }
  std::erase_if(blocks_, [&](const Range& r) { return r.end <= next; });
  return next;
}

bool Reassembly::holds(std::uint64_t begin, std::uint64_t end) const noexcept {
  for (const auto& r : blocks_) {
    if (r.begin <= begin && end <= r.end) return true;
  }
  return false;
}

}  // namespace cutwater::sim
