// Chooses a server for a new flow. One per worker and service: it remembers whose turn it is; everything that workers must
// see of each other is in the tallies. Entropy and time are arguments (C9).
// Thread: owning worker. Used by: path/admit.cpp. Implements: A8.
#pragma once

#include <span>

#include "balance/server_set.hpp"

namespace cutwater::balance {

/// Who asks, as seen on the client's side.
struct Asking {
  IpAddress address;
  std::uint16_t port = 0;
};

class Chooser {
 public:
  /// Requires: `set` lives as long as this. `seed`: different for each worker, so that they do not all begin with one server.
  Chooser(const ServerSet& set, std::uint64_t seed);

  /// Chooses a server that may take a flow, and counts the session on it: the caller closes it on the server's tally.
  /// A shunned server is chosen only when there is no other: its failures may be the network's.
  /// `tried`: servers that will not do for this flow (they did not answer it).
  /// Returns: an index into set.members(), or nullopt when every server is down, draining, full, without weight or tried.
  /// Cost: no allocation; linear in the number of servers, constant for a consistent hash whose server is well.
  [[nodiscard]] std::optional<std::uint32_t> choose(const Asking& who, Tick now, std::span<const std::uint32_t> tried = {}) noexcept;

 private:
  struct Candidate {
    std::int64_t turn = 0;        // smooth weighted round robin: largest is next
    std::uint64_t weight = 0;     // in 1/256 of a configured weight, slow start included; 0: not now
    std::uint64_t sessions = 0;
  };
  enum class Shunned : std::uint8_t { left_out, taken_too };
  /// What a choice depends on beside the client.
  struct Moment {
    Tick now;
    std::span<const std::uint32_t> tried;
    Shunned shunned = Shunned::left_out;
  };
  [[nodiscard]] std::optional<std::uint32_t> choose_at(const Asking& who, const Moment& moment) noexcept;
  void look(const Moment& moment) noexcept;
  [[nodiscard]] bool may_take(std::uint32_t index, const Moment& moment) const noexcept;
  template <class MayCome>
  [[nodiscard]] std::optional<std::uint32_t> in_turn(MayCome&& may_come) noexcept;
  [[nodiscard]] std::optional<std::uint32_t> least_loaded() noexcept;
  [[nodiscard]] std::optional<std::uint32_t> of_two() noexcept;
  [[nodiscard]] std::optional<std::uint32_t> by_hash(const Asking& who, const Moment& moment) const noexcept;
  [[nodiscard]] std::uint32_t draw(std::uint64_t total) noexcept;
  std::uint64_t random() noexcept;

  const ServerSet& set_;
  std::vector<Candidate> candidates_;  // as members
  std::uint64_t random_state_;
};

}  // namespace cutwater::balance
