// One direction of the relay: decides the fate of each packet by a seeded draw and keeps those that are on their way.
// The same seed and the same packets meet the same fate; when they come is up to the kernels.
// Not here: sockets, the clock. Used by: main.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "impairment.hpp"

namespace relay {

constexpr std::size_t kMaxPacketBytes = 9'216;      // a jumbo frame and its Ethernet header
constexpr std::size_t kMaxPacketsUnderWay = 16'384;  // of one direction; more are dropped and counted

/// What became of the packets, in packets.
struct Tally {
  std::uint64_t taken = 0, passed = 0, lost = 0, duplicated = 0, reordered = 0, corrupted = 0, queue_full = 0, too_big = 0;
};

class Line {
 public:
  explicit Line(std::uint64_t seed) : random_(seed) { packets_.reserve(kMaxPacketsUnderWay); }

  /// Decides about a packet. Returns: the MTU to tell its sender when it does not fit (nothing is kept then).
  std::optional<std::uint32_t> take(std::span<const std::uint8_t> packet, std::uint64_t now_us);
  /// When the next packet is due; nullopt: none is under way.
  [[nodiscard]] std::optional<std::uint64_t> due_us() const;
  /// The packet that is due, valid until the next call of take(). Requires: due_us() has come.
  std::span<const std::uint8_t> pop();

  Impairment impairment;
  Tally tally;

 private:
  struct Place {
    std::uint64_t due_us, order;  // of two that are due together the earlier one goes first
    std::uint32_t slot;
  };
  static bool is_later(const Place& a, const Place& b) { return a.due_us != b.due_us ? a.due_us > b.due_us : a.order > b.order; }
  bool draw(double chance);
  std::optional<std::uint64_t> pass_queue(std::size_t bytes, std::uint64_t now_us);
  void keep(std::span<const std::uint8_t> packet, std::uint64_t due_us);

  std::mt19937_64 random_;
  std::uint64_t order_ = 0, link_free_ns_ = 0;
  std::vector<Place> under_way_;                    // a heap, the next one due on top
  std::vector<std::vector<std::uint8_t>> packets_;  // slots; their memory is used again
  std::vector<std::uint32_t> free_;
};

}  // namespace relay
