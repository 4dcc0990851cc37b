// One direction of a TCP connection as a tap sees it: which positions have passed, and, where asked, every byte that ever did.
// Position 0 is the first byte behind the SYN; a FIN takes a position like a byte.
// Thread: one run, one thread. Used by: flow_audit.
#pragma once

#include <optional>
#include <vector>

#include "invariants/interval_set.hpp"
#include "sim/frame.hpp"

namespace cutwater::invariants {

enum class Keep : std::uint8_t { positions, bytes };

class HalfStream {
 public:
  explicit HalfStream(Keep keep) : keep_(keep) {}

  /// Takes a segment of this direction. Returns: the first position at which a byte differs from what passed there before.
  std::optional<std::uint64_t> see(const sim::Segment& segment);
  /// Position 0 has this number. Requires: nothing has passed.
  void begin_at(std::uint32_t number) noexcept { first_ = number; }
  /// The position that a number names. Requires: the SYN was seen.
  [[nodiscard]] std::int64_t position(std::uint32_t number) const noexcept;

  [[nodiscard]] bool has_syn() const noexcept { return first_.has_value(); }
  /// All positions below have passed.
  [[nodiscard]] std::uint64_t prefix() const noexcept { return seen_.prefix(); }
  [[nodiscard]] bool has_passed(std::uint64_t begin, std::uint64_t end) const { return seen_.contains(begin, end); }
  /// Whether exactly these bytes have passed there. Requires: bytes are kept.
  [[nodiscard]] bool has_carried(std::uint64_t begin, Bytes bytes) const {
    return has_passed(begin, begin + bytes.size()) && begin + bytes.size() <= bytes_.size() &&
           std::equal(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin));
  }
  [[nodiscard]] std::optional<std::uint64_t> fin_at() const noexcept { return fin_at_; }
  /// The bytes of the prefix, the FIN's position excluded.
  [[nodiscard]] Bytes bytes() const noexcept { return Bytes{bytes_}.first(std::min<std::size_t>(prefix(), bytes_.size())); }
  [[nodiscard]] std::uint64_t highest() const noexcept { return highest_; }

 private:
  std::optional<std::uint64_t> store(std::uint64_t begin, Bytes bytes);

  Keep keep_;
  std::optional<std::uint32_t> first_;  // number of position 0
  std::optional<std::uint64_t> fin_at_;
  std::uint64_t highest_ = 0;
  IntervalSet seen_;
  std::vector<std::uint8_t> bytes_;
};

}  // namespace cutwater::invariants
