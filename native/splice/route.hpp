// Where a flow goes and under which rules: one immutable entry per service and server, shared by all its flows,
// and one more for a proxy service, without a server.
// Thread: immutable, except `server_mac`, which its worker refreshes.
#pragma once

#include <cstdint>

#include "balance/tally.hpp"
#include "base/ip_address.hpp"
#include "record/key_update.hpp"
#include "splice/congestion_control.hpp"

namespace cutwater::splice {

enum class Truncation : std::uint8_t { reset, forward };        // a FIN without close_notify
enum class Release : std::uint8_t { whole_record, streaming };  // when plaintext may leave (A13)

/// Whether a server is told of its client ahead of the client's bytes, by the PROXY protocol.
enum class Introduction : std::uint8_t { none, proxy_v2, proxy_v2_tls };

/// What becomes of a client's bytes.
enum class Handling : std::uint8_t {
  open,      // TLS ends here: the splice
  pass,      // none of our business: they pass untouched (path/pass.cpp)
  pass_tls,  // TLS that servers end themselves: its hello is read, and all passes untouched
};

/// What the servers of a route speak.
enum class ServerSpeech : std::uint8_t {
  clear,
  tls,  // through a second flow of ours (path/far.cpp): packets to and from the server stay in memory
};

struct Policy {
  Handling handling = Handling::open;
  Truncation truncation = Truncation::reset;
  Release release = Release::whole_record;
  CongestionControl custody_congestion = CongestionControl::cubic;
  std::uint64_t rekey_after_records = 0;  // 0: the suite's own limit
  std::uint32_t idle_timeout_ms = 300'000;
  std::uint32_t handshake_timeout_ms = 10'000;
  std::uint8_t overhead_bytes = 29;       // largest record overhead the service may negotiate (A4)
  balance::PassiveRule passive{};         // when failures towards clients shun a server
  Introduction introduction = Introduction::none;
  ServerSpeech speech = ServerSpeech::clear;
  Truncation server_truncation = Truncation::reset;  // of a server that speaks TLS
  record::Writer peer = record::Writer::client;  // who speaks TLS with us
};

/// One end's address as it stands on the wire.
struct End {
  IpAddress address;
  std::uint16_t port = 0;
  bool operator==(const End&) const = default;
};

struct Route {
  /// A door is the route of a proxy service's flow until its server is chosen: it leads nowhere yet.
  enum class Kind : std::uint8_t { through, door };
  Kind kind = Kind::through;
  End service;                // what the client talks to
  End server;                 // what we talk to on its behalf
  MacAddress server_mac{};
  bool has_server_mac = false;
  bool has_pool = false;          // the server sees `pool` in the client's place
  IpAddress pool;
  balance::Tally* tally = nullptr;  // of the server: its sessions; kept alive with this
  std::uint32_t service_id = 0;   // its TLS context and its name
  std::uint32_t generation = 0;   // of the configuration it came with
  Policy policy;
};

}  // namespace cutwater::splice
