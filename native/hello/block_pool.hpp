// Fixed blocks for what clients send before anybody works for them. The addresses of free ones wait in an available storage
// queue; when it is empty nothing is allocated: the caller makes room or does without (H1).
// Thread: owning worker. Implements: H1; I5.
#pragma once

#include <cstdint>
#include <vector>

namespace cutwater::hello {

inline constexpr std::uint32_t kNoBlock = ~0U;

class BlockPool {
 public:
  BlockPool(std::uint32_t blocks, std::uint32_t block_bytes);
  ~BlockPool();
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;

  /// Returns: kNoBlock when none is available.
  std::uint32_t take() noexcept;
  void put(std::uint32_t block) noexcept { available_.push_back(block); }
  [[nodiscard]] std::uint8_t* at(std::uint32_t block) const noexcept { return memory_ + std::size_t{block} * block_bytes_; }
  [[nodiscard]] std::uint32_t block_bytes() const noexcept { return block_bytes_; }
  [[nodiscard]] std::uint32_t available() const noexcept {
    return static_cast<std::uint32_t>(available_.size()) + capacity_ - used_;
  }
  [[nodiscard]] std::uint32_t in_use() const noexcept { return capacity_ - available(); }

 private:
  std::uint8_t* memory_ = nullptr;
  std::uint32_t capacity_, block_bytes_, used_ = 0;  // blocks from used_ on were never touched
  std::vector<std::uint32_t> available_;             // the last one put is the next one taken: its lines are still warm
};

}  // namespace cutwater::hello
