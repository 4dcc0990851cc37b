// Consistent hashing: a table from hash values to servers that every node computes alike from the same list, without a
// word between them. When a server comes or goes, few values change hands. Weights decide how much of the table is whose.
// Source: Eisenbud et al., "Maglev: A Fast and Reliable Software Network Load Balancer" (NSDI 2016), 3.4.
// Thread: immutable after construction. Implements: A8.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace cutwater::balance {

class Maglev {
 public:
  /// One server as the table sees it: `identity` is its own, the same on every node.
  struct Entry {
    std::uint64_t identity = 0;
    std::uint32_t weight = 1;  // 0: owns nothing
  };

  /// Cost: some milliseconds, once a configuration. The order of entries does not matter.
  explicit Maglev(std::span<const Entry> entries);

  static constexpr std::uint32_t kSlots = 65'537;  // prime; a hundred times a few hundred servers, so shares are even within 1 %
  static constexpr std::uint16_t kNobody = 0xffff;

  /// Returns: an index into `entries`, or kNobody when no entry has weight.
  [[nodiscard]] std::uint16_t at(std::uint64_t hash) const noexcept { return slots_[hash % kSlots]; }

 private:
  std::vector<std::uint16_t> slots_;
};

}  // namespace cutwater::balance
