#include "record/key_cache.hpp"

#include <algorithm>

namespace cutwater::record {

/// IDs and ages of eight keys. `last_use` counts uses of the set, 0 means the slot is free, so the smallest is the one to
/// give away; 2^64 uses never come.
struct KeyCache::Set {
  std::array<KeyId, kWays> ids{};
  std::array<std::uint64_t, kWays> last_use{};
  std::uint64_t uses = 0;

  [[nodiscard]] std::size_t find(const KeyId& id) const noexcept {
    std::size_t way = 0;
    while (way < kWays && !(last_use[way] != 0 && ids[way] == id)) ++way;
    return way;
  }
  [[nodiscard]] std::size_t oldest() const noexcept {
    return static_cast<std::size_t>(std::min_element(last_use.begin(), last_use.end()) - last_use.begin());
  }
};

KeyCache::KeyCache(const Aead& aead, std::size_t capacity, std::uint64_t seed)
    : aead_(aead),
      seed_(seed),
      set_count_(std::bit_ceil(std::max<std::size_t>(1, (capacity + kWays - 1) / kWays))),
      sets_(std::make_unique<Set[]>(set_count_)),
      keys_(std::make_unique<ExpandedKey[]>(set_count_ * kWays)) {}

KeyCache::~KeyCache() = default;

const ExpandedKey& KeyCache::look_up(const KeyId& id, const Suite& suite, const TrafficKeys& keys) noexcept {
  const std::size_t index = set_of(id);
  Set& set = sets_[index];
  std::size_t way = set.find(id);
  if (way != kWays) {
    ++hits_;
  } else {
    ++misses_;
    way = set.oldest();
    aead_.expand(suite, keys, keys_[index * kWays + way]);
    set.ids[way] = id;
  }
  set.last_use[way] = ++set.uses;
  latest_id_ = id;
  latest_ = &keys_[index * kWays + way];
  return *latest_;
}

void KeyCache::erase(const KeyId& id) noexcept {
  if (id == latest_id_) latest_id_ = kNobody;
  const std::size_t index = set_of(id);
  Set& set = sets_[index];
  const std::size_t way = set.find(id);
  if (way == kWays) return;
  keys_[index * kWays + way].clear();
  set.ids[way] = {};
  set.last_use[way] = 0;
}

std::size_t KeyCache::live() const noexcept {
  std::size_t count = 0;
  for (std::size_t i = 0; i < set_count_; ++i) {
    count += static_cast<std::size_t>(std::count_if(sets_[i].last_use.begin(), sets_[i].last_use.end(), [](std::uint64_t use) { return use != 0; }));
  }
  return count;
}

// A multiply-and-fold hash: the flow index alone would spread well, the seed and the fold keep it from being predictable.
std::size_t KeyCache::set_of(const KeyId& id) const noexcept {
  constexpr std::uint64_t kOdd = 0x9E37'79B9'7F4A'7C15;  // 2^64 / golden ratio
  const std::uint64_t who = (static_cast<std::uint64_t>(id.flow) << 32 | id.generation) ^ seed_;
  const std::uint64_t what = static_cast<std::uint64_t>(id.epoch) << 1 | static_cast<std::uint64_t>(id.direction);
  std::uint64_t h = (who + what * kOdd) * kOdd;
  h ^= h >> 32;
  h *= kOdd ^ seed_ << 1;
  return static_cast<std::size_t>(h >> 32) & (set_count_ - 1);
}

}  // namespace cutwater::record
