// The packet path of one worker: bursts and time in, packets out, no I/O and no clock (I7). Tests, simulator and benches
// drive this class over memory; the worker drives it over ports.
// Thread: owning worker.
#pragma once

#include <memory>
#include <span>

#include "base/tick.hpp"
#include "path/services.hpp"
#include "port/chunk_pool.hpp"
#include "record/aead.hpp"
#include "secure/pool.hpp"

namespace cutwater::path {

enum class Side : std::uint8_t { client, server };

struct PathConfig {
  std::uint32_t max_flows = 65'536;
  std::uint64_t hash_seed[2] = {0, 0};            // entropy is an argument (C9)
  const record::Aead* aead = nullptr;             // nullptr: default_aead()
};

class Path {
 public:
  Path(const PathConfig& config, port::ChunkPool& pool, secure::Link& secure);
  ~Path();

  /// Swaps the services in. Established flows keep the ones they were admitted under.
  void configure(std::shared_ptr<const Services> services) noexcept;

  /// Takes a burst that arrived on one side (ownership of all chunks) and runs it to completion.
  void run(Side side, std::span<port::Packet> burst, Tick now) noexcept;
  /// Takes what the secure processors finished.
  void drain_secure(Tick now) noexcept;
  /// Runs due timers, at most a bounded number; call again when next_deadline() is still past.
  void expire(Tick now) noexcept;
  [[nodiscard]] Tick next_deadline() const noexcept;

  /// Packets to send on a side, in order. The caller sends them (taking the chunks) and calls clear_tx.
  [[nodiscard]] std::span<const port::Packet> tx(Side side) const noexcept;
  void clear_tx(Side side) noexcept;

  [[nodiscard]] std::uint32_t live_flows() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cutwater::path
