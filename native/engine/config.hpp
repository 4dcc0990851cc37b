// What the control plane hands to the engine: plain values, already checked, with names for messages.
// Thread: built by the control thread, read-only afterwards.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "path/services.hpp"
#include "secure/pool.hpp"

namespace cutwater::engine {

enum class PortKind : std::uint8_t { xsk, packet };
enum class Mode : std::uint8_t { direct, balance, proxy };
enum class Truncation : std::uint8_t { reset, forward };   // a FIN without close_notify: RST to the server, or the FIN
enum class Release : std::uint8_t { whole_record, streaming };

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
};

struct ServiceConfig {
  std::string name;
  Mode mode = Mode::direct;
  std::uint32_t client_interface = 0;  // index into EngineConfig::interfaces
  std::uint32_t server_interface = 0;
  Endpoint listen;
  std::vector<ServerConfig> servers;
  secure::ServiceTls tls;
  Truncation truncation = Truncation::reset;
  Release release = Release::whole_record;
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
  std::uint32_t max_flows = 65'536;     // per worker
  std::uint32_t max_half_open = 65'536; // per worker
  std::uint32_t chunks = 16'384;        // per worker; 4 KiB each (a quarter of them, of 16 KiB, with a large MTU)
  std::uint32_t busy_poll_us = 50;      // a worker that found nothing for so long sleeps in poll(); ~0: never sleeps
  std::string aead;                     // "" = the fastest
  std::string key_log_path;             // "" = none
};

}  // namespace cutwater::engine
