// What the control plane hands to the engine: plain values, already checked, with names for messages.
// Thread: built by the control thread, read-only afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "balance/server_set.hpp"
#include "base/ip_address.hpp"
#include "path/services.hpp"
#include "secure/pool.hpp"

namespace cutwater::engine {

enum class PortKind : std::uint8_t { xsk, packet };
enum class Mode : std::uint8_t { direct, balance, proxy };
enum class Truncation : std::uint8_t { reset, forward };   // a FIN without close_notify: RST to the server, or the FIN
enum class Release : std::uint8_t { whole_record, streaming };
enum class ProxyProtocol : std::uint8_t { none, v2, v2_tls };
enum class Handling : std::uint8_t { open, pass, pass_tls };  // TLS ends here; bytes pass untouched; the same, once the hello is read
enum class Announce : std::uint8_t { yes, no };  // whether the host answers for a service's address while the service runs

struct InterfaceConfig {
  std::string name;     // "wan", as in the file
  std::string device;   // "eth0"
  PortKind kind = PortKind::xsk;
  std::string attach;   // "auto" | "driver" | "generic"
  std::string copy;     // "auto" | "zero-copy" | "copy"
  std::uint16_t vlan = 0;  // 0: untagged
};

struct Endpoint {
  IpAddress address;
  std::uint16_t port = 0;
};

struct ServerConfig {
  std::string name;
  Endpoint endpoint;
  std::uint32_t weight = 1;
  std::uint32_t max_sessions = 0;  // 0: no cap
};

/// A service at one address and port. One that has several is listed as often, under one name.
struct ServiceConfig {
  std::string name;
  Mode mode = Mode::direct;
  std::uint32_t client_interface = 0;  // index into EngineConfig::interfaces
  std::uint32_t server_interface = 0;
  Endpoint listen;
  std::vector<ServerConfig> servers;
  balance::Rule rule{};            // how one of them is chosen
  path::HttpRules http;
  std::vector<path::RouteRule> routes;  // without their sets
  std::vector<IpAddress> pool;     // what servers see in the client's place; empty: the client's own address
  ProxyProtocol proxy_protocol = ProxyProtocol::none;
  Announce announce = Announce::yes;
  std::uint32_t drain_limit_ms = 600'000;  // what flows of a server that was taken out have left
  Handling handling = Handling::open;
  secure::ServiceTls tls;          // with Handling::open
  Truncation truncation = Truncation::reset;
  Truncation server_truncation = Truncation::reset;  // of a server that speaks TLS
  Release release = Release::whole_record;
  splice::CongestionControl custody_congestion = splice::CongestionControl::cubic;
  std::uint32_t idle_timeout_ms = 300'000;
  std::uint32_t handshake_timeout_ms = 10'000;
  std::uint64_t rekey_after_records = 0;  // 0: the suite's own limit; smaller for tests and cautious operators
  path::HelloRules hello;               // but for the profile, which follows from `tls`
};

struct EngineConfig {
  std::vector<InterfaceConfig> interfaces;
  std::vector<ServiceConfig> services;
  std::uint32_t workers = 1;
  int first_cpu = -1;                   // -1: not pinned
  std::uint32_t secure_threads = 1;
  secure::Place secure_place = secure::Place::thread;
  std::string secure_program;           // the path of cutwater-secure, for Place::process
  std::vector<std::string> secure_arguments;  // that it is started with besides its number of threads
  std::uint32_t max_flows = 65'536;     // per worker
  std::uint32_t max_half_open = 65'536; // per worker
  std::uint32_t max_handshakes = 8'192; // TLS objects, over all processors
  std::uint32_t chunks = 16'384;        // per worker; 4 KiB each (a quarter of them, of 16 KiB, with a large MTU)
  std::uint32_t busy_poll_us = 50;      // a worker that found nothing for so long sleeps in poll(); ~0: never sleeps
  std::string aead;                     // "" = the fastest
  std::string key_log_path;             // "" = none
};

}  // namespace cutwater::engine
