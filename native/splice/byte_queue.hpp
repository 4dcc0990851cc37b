// Bytes in custody: a stream kept in chunks of the pool, appended at the end, read anywhere, given back from the front.
// Bounded by its ring of chunks and by the pool (I5). Not here: what the bytes mean. Thread: owning worker.
#pragma once

#include <algorithm>
#include <array>

#include "base/seq_num.hpp"
#include "port/chunk_pool.hpp"

namespace cutwater::splice {

class ByteQueue {
 public:
  static constexpr std::uint32_t kMaxChunks = 256;  // 1 MiB: a 50 ms path at 160 Mb/s
  static constexpr std::uint32_t kMaxBytes = (kMaxChunks - 1) * port::kChunkBytes;

  void start(SeqNum begin) noexcept { begin_ = begin; }
  [[nodiscard]] SeqNum begin() const noexcept { return begin_; }
  [[nodiscard]] SeqNum end() const noexcept { return begin_ + bytes_; }
  [[nodiscard]] std::uint32_t bytes() const noexcept { return bytes_; }

  /// Free space at the end, contiguous, at least one byte; empty at the cap or when the pool is dry.
  [[nodiscard]] MutableBytes space(port::ChunkPool& pool) noexcept {
    const std::uint32_t at = offset_ + bytes_;
    if (at == count_ * port::kChunkBytes) {
      if (count_ == kMaxChunks) return {};
      const auto packet = pool.take();
      if (!packet) return {};
      ring_[(first_ + count_) % kMaxChunks] = packet->chunk;
      ++count_;
    }
    return {byte_at(pool, bytes_), port::kChunkBytes - at % port::kChunkBytes};
  }
  /// Makes `bytes` of space() part of the queue.
  void commit(std::uint32_t bytes) noexcept { bytes_ += bytes; }
  /// True when `bytes` more can surely be appended.
  [[nodiscard]] bool has_room(const port::ChunkPool& pool, std::uint32_t bytes) const noexcept {
    const std::uint32_t end = offset_ + bytes_ + bytes;
    const auto chunks = static_cast<std::uint32_t>((end + port::kChunkBytes - 1) / port::kChunkBytes);
    return chunks <= kMaxChunks && (chunks <= count_ || chunks - count_ <= pool.free_chunks());
  }
  [[nodiscard]] std::uint8_t at(const port::ChunkPool& pool, SeqNum where) const noexcept {
    return *byte_at(pool, static_cast<std::uint32_t>(where - begin_));
  }
  [[nodiscard]] std::uint8_t last(const port::ChunkPool& pool) const noexcept { return *byte_at(pool, bytes_ - 1); }

  /// The bytes from `at` on that lie together in memory. Requires: begin() <= at < end().
  [[nodiscard]] Bytes view(const port::ChunkPool& pool, SeqNum at) const noexcept {
    const auto from = static_cast<std::uint32_t>(at - begin_);
    const std::size_t in_chunk = port::kChunkBytes - (offset_ + from) % port::kChunkBytes;
    return {byte_at(pool, from), std::min<std::size_t>(in_chunk, bytes_ - from)};
  }
  /// Puts bytes in front of all others; begin() moves back by so many. Returns: false when there is no room; then nothing has changed.
  bool prepend(port::ChunkPool& pool, Bytes bytes) noexcept {
    const std::size_t missing = bytes.size() > offset_ ? bytes.size() - offset_ : 0;
    const auto chunks = static_cast<std::uint32_t>((missing + port::kChunkBytes - 1) / port::kChunkBytes);
    if (count_ + chunks > kMaxChunks || chunks > pool.free_chunks()) return false;
    begin_ = begin_ - static_cast<std::uint32_t>(bytes.size());
    bytes_ += static_cast<std::uint32_t>(bytes.size());
    while (!bytes.empty()) {
      if (offset_ == 0) {
        first_ = (first_ + kMaxChunks - 1) % kMaxChunks;
        ring_[first_] = pool.take()->chunk;
        ++count_;
        offset_ = static_cast<std::uint32_t>(port::kChunkBytes);
      }
      const std::size_t n = std::min<std::size_t>(offset_, bytes.size());
      offset_ -= static_cast<std::uint32_t>(n);
      std::memcpy(pool.at(ring_[first_]) + offset_, bytes.data() + bytes.size() - n, n);
      bytes = bytes.first(bytes.size() - n);
    }
    return true;
  }
  /// The same bytes under other numbers, from `begin` on.
  void renumber(SeqNum begin) noexcept { begin_ = begin; }

  /// Copies [at, at + out.size()) out. Requires: it is all here.
  void copy(const port::ChunkPool& pool, SeqNum at, MutableBytes out) const noexcept {
    auto from = static_cast<std::uint32_t>(at - begin_);
    std::size_t done = 0;
    while (done < out.size()) {
      const std::size_t in_chunk = port::kChunkBytes - (offset_ + from) % port::kChunkBytes;
      const std::size_t n = std::min(in_chunk, out.size() - done);
      std::memcpy(out.data() + done, byte_at(pool, from), n);
      done += n;
      from += static_cast<std::uint32_t>(n);
    }
  }
  /// Takes back the newest bytes, so that the queue ends at `end`; they are wiped when asked (plaintext without a verdict).
  enum class Wipe : std::uint8_t { no, yes };
  void cut_back(port::ChunkPool& pool, SeqNum end, Wipe wipe) noexcept {
    while (begin_ + bytes_ != end) {
      if (wipe == Wipe::yes) *byte_at(pool, bytes_ - 1) = 0;
      --bytes_;
    }
    while (count_ != 0 && (count_ - 1) * port::kChunkBytes >= offset_ + bytes_) {
      --count_;
      pool.put(ring_[(first_ + count_) % kMaxChunks]);
    }
  }
  /// Gives back everything before `limit`. Requires: begin() <= limit <= end().
  void drop_before(port::ChunkPool& pool, SeqNum limit) noexcept {
    const auto bytes = static_cast<std::uint32_t>(limit - begin_);
    begin_ = limit;
    bytes_ -= bytes;
    offset_ += bytes;
    while (count_ != 0 && (offset_ >= port::kChunkBytes || bytes_ == 0)) {
      pool.put(ring_[first_]);
      first_ = (first_ + 1) % kMaxChunks;
      --count_;
      offset_ = offset_ >= port::kChunkBytes ? offset_ - static_cast<std::uint32_t>(port::kChunkBytes) : 0;
      if (bytes_ == 0 && count_ == 0) offset_ = 0;
    }
  }
  void clear(port::ChunkPool& pool) noexcept { drop_before(pool, end()); }

 private:
  [[nodiscard]] std::uint8_t* byte_at(const port::ChunkPool& pool, std::uint32_t from_begin) const noexcept {
    const std::uint32_t at = offset_ + from_begin;
    return pool.at(ring_[(first_ + at / port::kChunkBytes) % kMaxChunks]) + at % port::kChunkBytes;
  }
  SeqNum begin_;
  std::uint32_t bytes_ = 0;
  std::uint32_t offset_ = 0;  // of begin_ in the first chunk
  std::uint32_t first_ = 0, count_ = 0;
  std::array<port::ChunkId, kMaxChunks> ring_{};
};

}  // namespace cutwater::splice
