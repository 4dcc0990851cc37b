// Packet memory: one mapped region cut into chunks, handed out and taken back one at a time (I5: never more than it was
// made with). The region is also the UMEM of the AF_XDP sockets, so a packet crosses from one port to the other without
// a copy. Not here: descriptors, rings. Thread: owning worker.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/bytes.hpp"

namespace cutwater::port {

using ChunkId = std::uint32_t;
inline constexpr ChunkId kNoChunk = ~0U;

inline constexpr std::size_t kChunkBytes = 4096;    // one page: what a chunk has at least, and the frame of AF_XDP
inline constexpr std::size_t kLargeChunkBytes = 16'384;  // four frames, when the MTU asks for it
inline constexpr std::size_t kHeadroomBytes = 256;  // XDP_PACKET_HEADROOM; we need 32 of it for a longer header
inline constexpr std::size_t kTailroomBytes = 64;   // for a tag
inline constexpr std::size_t kMaxPacketBytes = kChunkBytes - kHeadroomBytes - kTailroomBytes;
inline constexpr std::size_t kLargePacketBytes = kLargeChunkBytes - kHeadroomBytes - kTailroomBytes;
inline constexpr std::uint32_t kLinkHeaderBytes = 14 + 4;  // before the MTU begins: an Ethernet header and one VLAN tag
inline constexpr std::uint32_t kMaxMtu = kLargePacketBytes - kLinkHeaderBytes;

/// The chunks that packets of an MTU need.
constexpr std::size_t chunk_bytes_for(std::uint32_t mtu) noexcept {
  return mtu + kLinkHeaderBytes <= kMaxPacketBytes ? kChunkBytes : kLargeChunkBytes;
}

/// One packet and the chunk it lies in. Owned by exactly one place at a time.
struct Packet {
  std::uint8_t* data = nullptr;
  std::uint32_t bytes = 0;
  ChunkId chunk = kNoChunk;

  [[nodiscard]] MutableBytes view() const noexcept { return {data, bytes}; }
};

class ChunkPool {
 public:
  /// Maps chunks * chunk_bytes, page-aligned. Throws std::bad_alloc when the kernel refuses (set-up only).
  /// Requires: kChunkBytes or kLargeChunkBytes.
  explicit ChunkPool(std::uint32_t chunks, std::size_t chunk_bytes = kChunkBytes);
  ~ChunkPool();
  ChunkPool(const ChunkPool&) = delete;
  ChunkPool& operator=(const ChunkPool&) = delete;

  /// Returns: an empty packet at the default headroom, or nullopt when the pool is dry.
  [[nodiscard]] std::optional<Packet> take() noexcept;
  /// Gives a chunk back. Requires: it was taken and is given back once (checked when assertions are on).
  void put(ChunkId chunk) noexcept;

  [[nodiscard]] std::uint8_t* at(ChunkId chunk) const noexcept { return base_ + (std::size_t{chunk} << shift_); }
  [[nodiscard]] ChunkId chunk_of(const std::uint8_t* p) const noexcept {
    return static_cast<ChunkId>(static_cast<std::size_t>(p - base_) >> shift_);
  }
  [[nodiscard]] std::size_t headroom(const Packet& p) const noexcept {
    return static_cast<std::size_t>(p.data - at(p.chunk));
  }
  [[nodiscard]] std::size_t tailroom(const Packet& p) const noexcept { return chunk_bytes() - headroom(p) - p.bytes; }
  [[nodiscard]] MutableBytes memory() const noexcept { return {base_, std::size_t{chunks_} << shift_}; }
  [[nodiscard]] std::size_t chunk_bytes() const noexcept { return std::size_t{1} << shift_; }
  [[nodiscard]] std::size_t max_packet_bytes() const noexcept { return chunk_bytes() - kHeadroomBytes - kTailroomBytes; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return chunks_; }
  [[nodiscard]] std::uint32_t free_chunks() const noexcept { return static_cast<std::uint32_t>(free_.size()); }

 private:
  std::uint8_t* base_ = nullptr;
  std::uint32_t chunks_ = 0, shift_ = 12;
  std::vector<ChunkId> free_;  // a stack: the chunk used last is the one still in the cache
#ifndef NDEBUG
  std::vector<bool> taken_;
#endif
};

}  // namespace cutwater::port
