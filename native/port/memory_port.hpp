// Two ports joined by a pair of rings in the process: what one end sends, the other receives. No kernel, no copy.
// The near end is handed to a worker or a path; the far end plays the network in tests, the simulator and benches.
// Thread: each end by one thread; both ends draw on one pool, so a pool that is used from two threads is not safe here.
#pragma once

#include <memory>
#include <utility>

#include "base/spsc_ring.hpp"
#include "port/port.hpp"

namespace cutwater::port {

inline constexpr std::size_t kMemoryRingEntries = 1024;
using MemoryRing = SpscRing<Packet, kMemoryRingEntries>;

class MemoryPort final : public Port {
 public:
  MemoryPort(std::string name, ChunkPool& pool, std::shared_ptr<MemoryRing> rx, std::shared_ptr<MemoryRing> tx)
      : pool_(pool), rx_(std::move(rx)), tx_(std::move(tx)) {
    report_.device = std::move(name);
    report_.kind = "memory";
  }
  /// Gives back what nobody will receive any more.
  ~MemoryPort() override {
    Packet packet;
    while (rx_->pop(packet)) pool_.put(packet.chunk);
    if (tx_.use_count() != 1) return;  // the other end is still there to receive it
    while (tx_->pop(packet)) pool_.put(packet.chunk);
  }
  MemoryPort(const MemoryPort&) = delete;
  MemoryPort& operator=(const MemoryPort&) = delete;

  std::size_t rx(std::span<Packet> burst) noexcept override {
    std::size_t count = 0;
    while (count < burst.size() && rx_->pop(burst[count])) ++count;
    return count;
  }
  std::size_t tx(std::span<const Packet> burst) noexcept override {
    std::size_t count = 0;
    while (count < burst.size() && tx_->push(Packet{burst[count]})) ++count;
    for (const Packet& packet : burst.subspan(count)) pool_.put(packet.chunk);
    counters_.tx_not_admitted += burst.size() - count;
    return count;
  }
  [[nodiscard]] int fd() const noexcept override { return -1; }
  [[nodiscard]] const PortReport& report() const noexcept override { return report_; }
  [[nodiscard]] PortCounters counters() const noexcept override { return counters_; }

 private:
  ChunkPool& pool_;
  std::shared_ptr<MemoryRing> rx_;
  std::shared_ptr<MemoryRing> tx_;
  PortReport report_;
  PortCounters counters_;
};

/// The two ends of one wire. Requires: the pool outlives both.
struct MemoryWire {
  std::unique_ptr<MemoryPort> near_end;
  std::unique_ptr<MemoryPort> far_end;

  explicit MemoryWire(ChunkPool& pool, const std::string& name = "memory") {
    auto there = std::make_shared<MemoryRing>();
    auto back = std::make_shared<MemoryRing>();
    near_end = std::make_unique<MemoryPort>(name, pool, back, there);
    far_end = std::make_unique<MemoryPort>(name + " (far end)", pool, there, back);
  }
};

}  // namespace cutwater::port
