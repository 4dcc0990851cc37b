// The blocks of one worker in three sizes: nearly every hello fits the middle one, post-quantum key shares and long tickets
// need the long one, and an answer that waits for its acknowledgement the short one. One number names a block of any size.
// Thread: owning worker. Implements: H1; I5.
#pragma once

#include <array>

#include "hello/block_pool.hpp"

namespace cutwater::hello {

inline constexpr std::uint32_t kAnswerBlockBytes = 320;   // a HelloRetryRequest with its cookie
inline constexpr std::uint32_t kHelloBlockBytes = 2048;   // a browser's hello with a post-quantum key share
inline constexpr std::uint32_t kLongBlockBytes = 16'384;  // the longest hello that is read at all

/// How many blocks a worker has.
struct HelloBlocksConfig {
  std::uint32_t answers = 65'536;
  std::uint32_t hellos = 8'192;
  std::uint32_t long_hellos = 512;
};

class HelloBlocks {
 public:
  explicit HelloBlocks(const HelloBlocksConfig& config)
      : pools_{BlockPool(config.answers, kAnswerBlockBytes), BlockPool(config.hellos, kHelloBlockBytes),
               BlockPool(config.long_hellos, kLongBlockBytes)} {}

  /// A block for `bytes`. Returns: kNoBlock when those of that size are used up.
  std::uint32_t take(std::size_t bytes) noexcept {
    const std::uint32_t size = bytes <= kAnswerBlockBytes ? 0 : bytes <= kHelloBlockBytes ? 1 : 2;
    const std::uint32_t block = pools_[size].take();
    return block == kNoBlock ? kNoBlock : size << kSizeShift | block;
  }
  void put(std::uint32_t block) noexcept { pools_[block >> kSizeShift].put(block & kIndexMask); }
  [[nodiscard]] std::uint8_t* at(std::uint32_t block) const noexcept { return pools_[block >> kSizeShift].at(block & kIndexMask); }
  [[nodiscard]] std::uint32_t block_bytes(std::uint32_t block) const noexcept { return pools_[block >> kSizeShift].block_bytes(); }
  /// Blocks that hold hellos now.
  [[nodiscard]] std::uint32_t hellos_in_use() const noexcept { return pools_[1].in_use() + pools_[2].in_use(); }

 private:
  static constexpr std::uint32_t kSizeShift = 28, kIndexMask = (1U << kSizeShift) - 1;
  std::array<BlockPool, 3> pools_;
};

}  // namespace cutwater::hello
