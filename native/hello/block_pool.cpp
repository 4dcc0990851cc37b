#include "hello/block_pool.hpp"

#include <sys/mman.h>

#include <new>

namespace cutwater::hello {

BlockPool::BlockPool(std::uint32_t blocks, std::uint32_t block_bytes) : capacity_(blocks), block_bytes_(block_bytes) {
  void* memory = mmap(nullptr, std::size_t{blocks} * block_bytes + 1, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  memory_ = static_cast<std::uint8_t*>(memory);
  available_.reserve(blocks);
}

BlockPool::~BlockPool() { munmap(memory_, std::size_t{capacity_} * block_bytes_ + 1); }

std::uint32_t BlockPool::take() noexcept {
  if (!available_.empty()) {
    const std::uint32_t block = available_.back();
    available_.pop_back();
    return block;
  }
  return used_ == capacity_ ? kNoBlock : used_++;
}

}  // namespace cutwater::hello
