// The servers of one service under one configuration, and the rule by which one of them is chosen for a flow.
// Built by the control thread, shared read-only by all workers; what changes meanwhile is in the tallies.
// Thread: immutable after construction. Used by: chooser.hpp (one per worker), path, engine. Implements: A8.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "balance/maglev.hpp"
#include "balance/tally.hpp"
#include "base/ip_address.hpp"
#include "base/siphash.hpp"

namespace cutwater::balance {

enum class Algorithm : std::uint8_t {
  least_sessions,   // fewest active sessions for its weight; among equals in turn by weight
  round_robin,      // in turn by weight, evenly interleaved
  two_choices,      // the less loaded of two drawn by weight
  consistent_hash,  // by the client: the same server on every node (Maglev)
};
/// What of the client a consistent hash looks at. `address`: all connections of an address go to one server.
enum class HashOn : std::uint8_t { address_and_port, address };

struct Rule {
  Algorithm algorithm = Algorithm::least_sessions;
  HashOn hash_on = HashOn::address_and_port;
  SipKey hash_key{};                  // the same on all nodes that shall agree
  std::uint64_t slow_start_us = 0;    // a server that came up reaches its full weight after so long; not for consistent_hash
  PassiveRule passive{};
};

struct Member {
  IpAddress address;
  std::uint16_t port = 0;
  std::uint32_t weight = 1;           // 0: no new flows
  std::uint32_t max_sessions = 0;     // 0: no cap
  std::shared_ptr<Tally> tally;       // never nullptr
};

class ServerSet {
 public:
  ServerSet(std::vector<Member> members, const Rule& rule);

  [[nodiscard]] const std::vector<Member>& members() const noexcept { return members_; }
  [[nodiscard]] const Rule& rule() const noexcept { return rule_; }
  /// The table of a consistent hash; nullptr for other algorithms.
  [[nodiscard]] const Maglev* table() const noexcept { return table_ ? &*table_ : nullptr; }

 private:
  std::vector<Member> members_;
  Rule rule_;
  std::optional<Maglev> table_;
};

/// Some members of a set, in the order of `places`, under the same rule.
std::shared_ptr<const ServerSet> subset(const ServerSet& all, const std::vector<std::uint32_t>& places);

}  // namespace cutwater::balance
