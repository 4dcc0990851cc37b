// The chunk pool registered with the kernel as the packet memory of AF_XDP sockets, and the record of which chunks the
// kernel holds. That record is what gives them back when the sockets close: rings of a driver cannot be read back. Used
// by: xsk_port.cpp. Thread: owning worker, set-up and end by the control thread.
#pragma once

#include <xdp/xsk.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "port/chunk_pool.hpp"

namespace cutwater::port {

class Umem {
 public:
  /// `fill` and `completion` become the rings of the first socket bound to this memory; they must stay where they are.
  static Result<std::shared_ptr<Umem>, std::string> open(ChunkPool& pool, xsk_ring_prod& fill,
                                                         xsk_ring_cons& completion, std::uint32_t ring_entries);
  /// Closes the last socket and puts every chunk that the kernel still held back into the pool.
  ~Umem();
  Umem(const Umem&) = delete;
  Umem& operator=(const Umem&) = delete;

  [[nodiscard]] xsk_umem* kernel_side() const noexcept { return umem_; }
  [[nodiscard]] ChunkPool& pool() const noexcept { return pool_; }

  /// The chunk goes to the kernel, by a fill or a tx ring, in so many frames.
  void lend(ChunkId chunk, std::uint8_t frames = 1) noexcept { lent_[chunk] = frames; }
  /// A frame of it came back, by an rx or a completion ring. Returns: true when it was the last.
  bool regain(ChunkId chunk) noexcept { return --lent_[chunk] == 0; }

 private:
  explicit Umem(ChunkPool& pool) : pool_(pool), lent_(pool.capacity(), 0) {}

  ChunkPool& pool_;
  xsk_umem* umem_ = nullptr;
  std::vector<std::uint8_t> lent_;  // frames of each chunk that the kernel has
};

}  // namespace cutwater::port
