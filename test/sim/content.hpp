// The bytes that applications send: a function of seed, direction and offset, so that a receiver can check each one alone.
// Thread: any.
#pragma once

#include <vector>

#include "base/bytes.hpp"

namespace cutwater::sim {

enum class Direction : std::uint8_t { up, down };

class Content {
 public:
  Content(std::uint64_t seed, Direction direction) noexcept : key_(seed * 2 + (direction == Direction::up ? 0 : 1)) {}

  void fill(std::uint64_t offset, MutableBytes out) const noexcept {
    for (std::size_t i = 0; i < out.size();) {
      const std::uint64_t word = word_at(offset + i);
      for (auto k = (offset + i) % 8; k < 8 && i < out.size(); ++k, ++i) out[i] = static_cast<std::uint8_t>(word >> (8 * k));
    }
  }
  /// Returns: how many of `bytes`, from the first on, are what belongs at `offset`.
  [[nodiscard]] std::size_t matches(std::uint64_t offset, Bytes bytes) const noexcept {
    for (std::size_t i = 0; i < bytes.size();) {
      const std::uint64_t word = word_at(offset + i);
      for (auto k = (offset + i) % 8; k < 8 && i < bytes.size(); ++k, ++i) {
        if (bytes[i] != static_cast<std::uint8_t>(word >> (8 * k))) return i;
      }
    }
    return bytes.size();
  }

 private:
  [[nodiscard]] std::uint64_t word_at(std::uint64_t offset) const noexcept {
    std::uint64_t z = (offset / 8 + 1) * 0x9e3779b97f4a7c15ULL + key_ * 0xd1342543de82ef95ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t key_;
};

}  // namespace cutwater::sim
