// The dataplane as one object: ports, workers, secure processors. The add-on and the native tests drive it.
// Thread: control thread, all of it. Workers are reached by mailbox only; nothing here waits for a packet.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "engine/config.hpp"
#include "engine/server_roster.hpp"
#include "port/port.hpp"

namespace cutwater::engine {

enum class ErrorCode : std::uint8_t {
  config_invalid,     // a value the engine cannot use; the message names it
  port_unavailable,   // device missing, no permission, offloads on, already attached
  certificate_invalid,
  closed,
};

struct Error {
  ErrorCode code = ErrorCode::config_invalid;
  std::string message;
};

struct Counter {
  std::string name;    // snake_case, stable: "packets_up", "drop_bad_checksum", "reset_bad_tag", "handshake_no_shared_suite"
  std::string service; // "" when it belongs to no service
  std::uint64_t value = 0;
};

/// Something that happened to one flow, for operators: sampled, bounded, never per packet.
struct Event {
  std::uint64_t at_us = 0;      // since start
  std::string kind;             // "established" | "handshake_failed" | "reset" | "closed"
  std::string service, client;  // client as "address:port"
  std::string detail;           // "TLS 1.3 TLS_AES_128_GCM_SHA256 x25519 h2 resumed" …
};

/// One packet in or out, as the splice saw it. Only while tracing.
struct TraceEntry {
  std::uint64_t at_us = 0;
  std::uint32_t flow = 0;
  std::string side;        // "client" | "server"
  std::string direction;   // "rx" | "tx"
  std::uint32_t seq = 0, ack = 0, window = 0, payload_bytes = 0;  // window already scaled
  std::string flags;       // "S", "SA", "A", "PA", "FA", "R" …
  std::int64_t first_record = -1, last_record = -1;               // record numbers carried, -1 when none
  std::string note;        // "record 0 opened in place", "custody", "local: handshake flight" …
};

struct FlowEntry {
  std::string service, client, server, state;     // "handshake" | "established" | "closing" …
  std::string up, down;                           // "cut-through" | "custody" | "closed"
  std::string version, suite;
  std::string server_version, server_suite;       // towards a server that speaks TLS
  std::uint64_t up_bytes = 0, down_bytes = 0, age_ms = 0, idle_ms = 0;
  std::uint32_t requests = 0, parked = 0;         // HTTP requests that went to servers; connections kept beside the one to `server`
  std::uint32_t up_since_ms = 0, custodies = 0;   // how long `up` has been so; how often it has been in custody
};

/// A failed handshake.
struct FailureSample {
  std::uint64_t ago_ms = 0;
  std::string client;       // "address:port"
  std::string server_name;  // SNI; printable, cut at 63 bytes
  std::string reason;       // as in the counters, without "handshake_"
  std::uint32_t alert = 0;  // sent or received; 0: none
  std::string detail;
};

/// Failed handshakes of one service: since the start by reason, and the last ones, newest first.
struct FailureReport {
  std::string service;
  struct Reason {
    std::string name;
    std::uint64_t count = 0;
  };
  std::vector<Reason> reasons;        // those there were
  std::vector<FailureSample> recent;  // at most 16 for each worker, one a millisecond
};

struct StartReport {
  std::vector<port::PortReport> ports;   // in the order of EngineConfig::interfaces
  std::string aead;                      // backend in use
  std::vector<std::string> notes;        // what the operator should know: offloads turned off, a server that does not answer
};

class Engine {
 public:
  Engine();
  ~Engine();  // closes
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  /// Opens ports, starts secure processors, then workers. On failure nothing is left behind.
  Result<StartReport, Error> start(const EngineConfig& config);
  /// Replaces the services. Established flows keep what they were set up with; interfaces and workers cannot change.
  Result<bool, Error> apply(const std::vector<ServiceConfig>& services);
  [[nodiscard]] std::vector<Counter> counters() const;
  std::vector<Event> take_events();
  /// Starts (capacity > 0) or stops (0) recording packets of flows that begin from now on.
  void trace(std::uint32_t capacity);
  std::vector<TraceEntry> take_trace();
  [[nodiscard]] std::vector<FlowEntry> flows(std::uint32_t limit);
  /// Of every service that had any.
  [[nodiscard]] std::vector<FailureReport> failures();
  /// Every server with its state and sessions; those that were taken out while flows of theirs last, too.
  [[nodiscard]] std::vector<ServerEntry> servers() const;
  /// New flows for a server, or none while the old ones end. Stays over reloads. Errors: no such server.
  Result<bool, Error> admit(const std::string& service, const std::string& server, balance::Admission admission);
  /// What a health check found. Returns: whether that is news. Errors: no such server.
  Result<bool, Error> judge(const std::string& service, const std::string& server, balance::Health health);
  /// Stops in the reverse order of start(). Idempotent.
  void close();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Facts about this build, for `doctor` and bug reports.
struct BuildInfo {
  std::string version, openssl, ipsec_mb, libxdp, compiler;
};
BuildInfo build_info();

}  // namespace cutwater::engine
