// What all workers know together about one server: its sessions, and whether it may get more. Kept over reloads.
// Relaxed atomics without a partner: each value stands for itself, and one that is a flow old costs a little evenness and
// nothing else. Touched when a flow opens, fails or closes, and by health checks; never per packet.
// Thread: any. Implements: A8.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "base/tick.hpp"

namespace cutwater::balance {

/// What the operator says: new flows, or none while the old ones end.
enum class Admission : std::uint8_t { enabled, draining };
/// What active checks say; a server that nobody checks is up.
enum class Health : std::uint8_t { up, down };

/// How a server can fail a client: a SYN that it refused or left without an answer; a reset before it had said anything.
enum class Failing : std::uint8_t { connect, early_reset };

/// When failures shun a server: it gets no new flows for a while, unless there is no other.
struct PassiveRule {
  std::uint32_t failures = 3;               // of one kind in a row; 0: never
  std::uint64_t shun_us = 10'000'000;       // then no new flows for so long; the first failure after that shuns again
};

class Tally {
 public:
  /// Counts a session. Returns: false, and counts none, when there are `cap` already (0: no cap). Exact over workers.
  [[nodiscard]] bool open(std::uint32_t cap) noexcept {
    const std::uint32_t before = sessions_.fetch_add(1, std::memory_order_relaxed);
    if (cap != 0 && before >= cap) {
      sessions_.fetch_sub(1, std::memory_order_relaxed);
      return false;
    }
    opened_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }
  void close() noexcept { sessions_.fetch_sub(1, std::memory_order_relaxed); }

  /// It did not fail in this way.
  void note_success(Failing kind) noexcept {
    auto& in_a_row = in_a_row_[static_cast<std::size_t>(kind)];
    if (in_a_row.load(std::memory_order_relaxed) != 0) in_a_row.store(0, std::memory_order_relaxed);
  }
  /// Returns: true when this failure shuns the server from now on.
  bool note_failure(Failing kind, const PassiveRule& rule, Tick now) noexcept {
    failures_.fetch_add(1, std::memory_order_relaxed);
    const std::uint32_t in_a_row = in_a_row_[static_cast<std::size_t>(kind)].fetch_add(1, std::memory_order_relaxed) + 1;
    if (rule.failures == 0 || in_a_row < rule.failures || is_shunned(now)) return false;
    shunned_until_us_.store(now.us + rule.shun_us, std::memory_order_relaxed);
    return true;
  }

  void set(Admission admission) noexcept { admission_.store(admission, std::memory_order_relaxed); }
  /// Coming up again starts the slow start anew.
  void set(Health health, Tick now) noexcept {
    if (health_.exchange(health, std::memory_order_relaxed) == health || health == Health::down) return;
    up_since_us_.store(now.us, std::memory_order_relaxed);
    note_success(Failing::connect);
    note_success(Failing::early_reset);
    shunned_until_us_.store(0, std::memory_order_relaxed);
  }
  /// A server that joins a running service: its slow start begins. One that was there from the start needs none.
  void join(Tick now) noexcept { up_since_us_.store(now.us, std::memory_order_relaxed); }

  [[nodiscard]] bool is_shunned(Tick now) const noexcept { return now.us < shunned_until_us_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool may_take() const noexcept { return admission() == Admission::enabled && health() == Health::up; }
  [[nodiscard]] Admission admission() const noexcept { return admission_.load(std::memory_order_relaxed); }
  [[nodiscard]] Health health() const noexcept { return health_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint32_t sessions() const noexcept { return sessions_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t opened() const noexcept { return opened_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_.load(std::memory_order_relaxed); }
  /// Since when it may take flows; 0: always.
  [[nodiscard]] Tick up_since() const noexcept { return {up_since_us_.load(std::memory_order_relaxed)}; }

 private:
  alignas(64) std::atomic<std::uint32_t> sessions_{0};
  std::array<std::atomic<std::uint32_t>, 2> in_a_row_{};
  std::atomic<std::uint64_t> opened_{0}, failures_{0};
  std::atomic<std::uint64_t> shunned_until_us_{0}, up_since_us_{0};
  std::atomic<Admission> admission_{Admission::enabled};
  std::atomic<Health> health_{Health::up};
};

}  // namespace cutwater::balance
