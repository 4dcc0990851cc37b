// Packet memory: one anonymous mapping, populated at set-up so that no packet pays for a page fault.
// Thread: owning worker.
#include "port/chunk_pool.hpp"

#include <sys/mman.h>

#include <bit>
#include <cassert>
#include <new>

namespace cutwater::port {

ChunkPool::ChunkPool(std::uint32_t chunks, std::size_t chunk_bytes)
    : chunks_(chunks), shift_(static_cast<std::uint32_t>(std::countr_zero(chunk_bytes))) {
  assert(chunk_bytes == kChunkBytes || chunk_bytes == kLargeChunkBytes);
  if (chunks == 0 || chunks == kNoChunk) throw std::bad_alloc();
  void* region = ::mmap(nullptr, std::size_t{chunks} << shift_, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (region == MAP_FAILED) throw std::bad_alloc();
  base_ = static_cast<std::uint8_t*>(region);
  try {
    free_.reserve(chunks);
#ifndef NDEBUG
    taken_.assign(chunks, false);
#endif
  } catch (...) {
    ::munmap(region, std::size_t{chunks} << shift_);
    throw;
  }
  for (ChunkId chunk = chunks; chunk-- > 0;) free_.push_back(chunk);  // lowest on top
}

ChunkPool::~ChunkPool() { ::munmap(base_, std::size_t{chunks_} << shift_); }

std::optional<Packet> ChunkPool::take() noexcept {
  if (free_.empty()) return std::nullopt;
  const ChunkId chunk = free_.back();
  free_.pop_back();
#ifndef NDEBUG
  assert(!taken_[chunk]);
  taken_[chunk] = true;
#endif
  return Packet{.data = at(chunk) + kHeadroomBytes, .bytes = 0, .chunk = chunk};
}

void ChunkPool::put(ChunkId chunk) noexcept {
  assert(chunk < chunks_ && "not a chunk of this pool");
#ifndef NDEBUG
  assert(taken_[chunk] && "chunk given back twice");
  taken_[chunk] = false;
#endif
  free_.push_back(chunk);  // never grows: capacity was reserved and each chunk is in here at most once
}

}  // namespace cutwater::port
