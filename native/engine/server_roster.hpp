// All servers the engine knows: those of the running configuration, and those that were taken out of it while flows of theirs still
// last. Each keeps its tally over reloads, and what was said of it (drained, down) with it.
// Thread: control side, under the engine's lock. Implements: A8.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "engine/config.hpp"
#include "port/port.hpp"
#include "splice/route.hpp"

namespace cutwater::engine {

/// One server as an operator sees it.
struct ServerEntry {
  std::string service, name, address;   // "192.0.2.1:80"
  std::string state;                    // "up" | "shunned" | "down" | "draining" | "leaving" (taken out, flows left)
  std::uint32_t weight = 0, max_sessions = 0, sessions = 0;
  std::uint64_t opened = 0, failures = 0;
};

class ServerRoster {
 public:
  /// Takes the servers of a configuration as the current ones. Those that are not in it any more are leaving from now on.
  void list(const std::vector<ServiceConfig>& services, Tick now);
  /// Requires: the service was listed.
  [[nodiscard]] std::shared_ptr<const balance::ServerSet> set_of(const ServiceConfig& service) const;

  struct Ends {
    splice::End service, server;
  };
  /// Leaving servers whose limit has passed: their flows are to be reset. Each is named once.
  std::vector<Ends> take_overdue(Tick now);
  /// Drops leaving servers that have no flows left. Returns: true when there were any: the steering has changed.
  bool drop_empty();
  /// What devices must deliver for every server here, leaving ones included.
  void add_steering(std::vector<port::Steer>& client_side, std::vector<port::Steer>& server_side) const;

  /// Returns: false when no such server is current.
  bool set(const std::string& service, const std::string& server, balance::Admission admission);
  enum class Changed : std::uint8_t { unknown_server, no, yes };
  Changed set(const std::string& service, const std::string& server, balance::Health health, Tick now);
  [[nodiscard]] std::vector<ServerEntry> entries(Tick now) const;

 private:
  /// A server at one address of its service.
  struct Entry {
    std::string service, name;
    splice::End listen, server;
    std::uint32_t weight = 1, max_sessions = 0, drain_limit_ms = 0;
    std::shared_ptr<balance::Tally> tally;  // one for all addresses of the service
    Tick leaves = kNever;              // when its flows are reset; kNever while it is current, or once they were
    bool is_current = true;
  };
  /// What is counted of a server of a service, at whichever of its addresses; nullptr: it is new.
  [[nodiscard]] std::shared_ptr<balance::Tally> tally_of(const std::string& service, const splice::End& server) const noexcept;
  [[nodiscard]] bool is_told_elsewhere(const Entry& entry) const noexcept;
  Entry* find(const std::string& service, const splice::End& listen, const splice::End& server) noexcept;
  [[nodiscard]] const Entry* find(const std::string& service, const splice::End& listen, const splice::End& server) const noexcept;

  std::vector<Entry> entries_;
  bool is_running_ = false;            // the first list is the start: nobody needs to start slowly
};

}  // namespace cutwater::engine
