#include "flow/flow_table.hpp"

#include <bit>

namespace cutwater::flow {
namespace {

// Folded 64x64 multiplication: both inputs are masked with secret seeds, so collisions cannot be prepared from outside.
std::uint64_t mix(std::uint64_t a, std::uint64_t b) noexcept {
  const unsigned __int128 product = static_cast<unsigned __int128>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

std::uint64_t word(const std::uint8_t* p) noexcept {
  std::uint64_t v;
  std::memcpy(&v, p, 8);
  return v;
}

}  // namespace

FlowTable::FlowTable(std::uint32_t max_entries, const std::uint64_t seed[2])
    : entries_(std::bit_ceil(std::size_t{max_entries} * 2)),
      mask_(static_cast<std::uint32_t>(entries_.size() - 1)),
      limit_(max_entries),
      seed_{seed[0] | 1, seed[1] | 1} {}

std::uint32_t FlowTable::hash(const FlowKey& key) const noexcept {
  const std::uint64_t tail = (std::uint64_t{key.remote_port} << 32) | (std::uint64_t{key.local_port} << 8) | key.side;
  std::uint64_t h = mix(word(key.remote.bytes.data()) ^ seed_[0], word(key.remote.bytes.data() + 8) ^ seed_[1]);
  h ^= mix(word(key.local.bytes.data()) ^ std::rotl(seed_[0], 23), word(key.local.bytes.data() + 8) ^ std::rotl(seed_[1], 41));
  h = mix(h ^ seed_[0], tail ^ seed_[1]);
  return static_cast<std::uint32_t>(h ^ (h >> 32));
}

bool FlowTable::insert(std::uint32_t hash, FlowIndex index) noexcept {
  if (size_ == limit_) return false;
  std::uint32_t at = hash & mask_;
  while (entries_[at].index != kNoFlow) at = (at + 1) & mask_;
  entries_[at] = {hash, index};
  ++size_;
  return true;
}

// Entries behind the hole move up when their own place allows it, so no tombstones pile up.
void FlowTable::erase(std::uint32_t hash, FlowIndex index) noexcept {
  std::uint32_t hole = hash & mask_;
  while (entries_[hole].index != index || entries_[hole].hash != hash) {
    if (entries_[hole].index == kNoFlow) return;
    hole = (hole + 1) & mask_;
  }
  for (std::uint32_t at = (hole + 1) & mask_; entries_[at].index != kNoFlow; at = (at + 1) & mask_) {
    const std::uint32_t home = entries_[at].hash & mask_;
    if (((at - home) & mask_) >= ((at - hole) & mask_)) {
      entries_[hole] = entries_[at];
      hole = at;
    }
  }
  entries_[hole].index = kNoFlow;
  --size_;
}

}  // namespace cutwater::flow
