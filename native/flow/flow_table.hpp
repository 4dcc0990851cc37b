// Finds a flow by the addresses of a packet: open addressing, linear probing, 8 bytes an entry, fixed capacity (I5).
// A flow has two entries, one as its client is seen and one as its server is seen. Keyed hash: entropy comes from outside (C9).
// Not here: what a flow is. Thread: owning worker.
#pragma once

#include <vector>

#include "base/ip_address.hpp"

namespace cutwater::flow {

struct FlowKey {
  IpAddress remote, local;  // remote: the end the packet came from; local: where it was going
  std::uint16_t remote_port = 0, local_port = 0;
  std::uint32_t side = 0;   // 0 client, 1 server
  bool operator==(const FlowKey&) const = default;
};

using FlowIndex = std::uint32_t;
inline constexpr FlowIndex kNoFlow = ~0U;

class FlowTable {
 public:
  FlowTable(std::uint32_t max_entries, const std::uint64_t seed[2]);

  [[nodiscard]] std::uint32_t hash(const FlowKey& key) const noexcept;
  /// Calls `same(index)` for each entry with this hash until it says true. Returns: that index, or kNoFlow.
  template <class Same>
  [[nodiscard]] FlowIndex find(std::uint32_t hash, Same&& same) const noexcept {
    for (std::uint32_t at = hash & mask_; entries_[at].index != kNoFlow; at = (at + 1) & mask_) {
      if (entries_[at].hash == hash && same(entries_[at].index)) return entries_[at].index;
    }
    return kNoFlow;
  }
  /// Returns: false when the table is full.
  bool insert(std::uint32_t hash, FlowIndex index) noexcept;
  void erase(std::uint32_t hash, FlowIndex index) noexcept;
  [[nodiscard]] std::uint32_t size() const noexcept { return size_; }

 private:
  struct Entry {
    std::uint32_t hash = 0;
    FlowIndex index = kNoFlow;
  };
  std::vector<Entry> entries_;
  std::uint32_t mask_ = 0, size_ = 0, limit_ = 0;
  std::uint64_t seed_[2];
};

}  // namespace cutwater::flow
