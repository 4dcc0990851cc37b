// Expanded keys of the flows that are busy now; everybody else keeps only the raw 44 bytes. One per worker, bounded.
// Sets of eight slots: a lookup reads one set, a miss expands into the least recently used slot of that set (130 ns).
// Not here: raw keys (the flow's), key changes (the caller's epoch). Thread: owning worker.
#pragma once

#include <memory>

#include "record/aead.hpp"

namespace cutwater::record {

/// Whose key it is. `generation` tells apart flows that use the same place in the flow table one after the other; `epoch`
/// counts key updates of the direction, and may wrap: 65,536 updates later the slot is long gone.
struct KeyId {
  enum class Direction : std::uint8_t { up, down };

  std::uint32_t flow = 0;
  std::uint32_t generation = 0;
  std::uint16_t epoch = 0;
  Direction direction = Direction::up;
  bool operator==(const KeyId&) const = default;
};

class KeyCache {
 public:
  static constexpr std::size_t kWays = 8;  // slots in a set; their IDs are two cache lines

  /// Allocates everything it will ever need: about 1,120 bytes a slot. The capacity is rounded up to whole sets, and
  /// their number to a power of two. `seed` keeps clients from choosing which set a flow falls into.
  KeyCache(const Aead& aead, std::size_t capacity, std::uint64_t seed);
  ~KeyCache();

  /// The expanded key, made from `keys` if it is not there.
  ///
  /// Requires: the same ID always comes with the same suite and keys. Returns: valid until the next at() or erase(),
  /// which may give the slot away: a stream holds no key across calls (OpenStream).
  /// Cost: one set of eight; a miss adds one expansion. No allocation (OpenSSL: only when a slot's cipher changes).
  const ExpandedKey& at(const KeyId& id, const Suite& suite, const TrafficKeys& keys) noexcept {
    if (id != latest_id_) return look_up(id, suite, keys);
    ++hits_;  // it is the newest use of its set: another would have become the latest itself
    return *latest_;
  }

  /// Wipes the key, if it is there: at a key update, and when a flow ends.
  void erase(const KeyId& id) noexcept;

  /// Keys that are expanded now. Cost: looks at every slot; for checks, not for packets.
  [[nodiscard]] std::size_t live() const noexcept;
  [[nodiscard]] std::size_t capacity() const noexcept { return set_count_ * kWays; }
  [[nodiscard]] std::uint64_t hits() const noexcept { return hits_; }
  [[nodiscard]] std::uint64_t misses() const noexcept { return misses_; }

 private:
  struct Set;
  static constexpr KeyId kNobody{.flow = ~0U};
  const ExpandedKey& look_up(const KeyId& id, const Suite& suite, const TrafficKeys& keys) noexcept;
  [[nodiscard]] std::size_t set_of(const KeyId& id) const noexcept;

  const Aead& aead_;
  std::uint64_t seed_;
  std::size_t set_count_;
  std::unique_ptr<Set[]> sets_;
  std::unique_ptr<ExpandedKey[]> keys_;  // kWays for each set
  KeyId latest_id_ = kNobody;  // of the last answer: a burst asks for one key again and again
  const ExpandedKey* latest_ = nullptr;
  std::uint64_t hits_ = 0, misses_ = 0;
};

}  // namespace cutwater::record
