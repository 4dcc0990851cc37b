// A PROXY header, version 2, as a server reads it at the front of its stream; from the protocol's text (haproxy.org, proxy-protocol.txt
// 2.2), sharing nothing with native/balance. Extensions are skipped by their length.
// Thread: any. Used by: stream, test/invariants/flow_audit.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace cutwater::sim {

/// Whom a server is told of.
struct Introduced {
  IpAddress client, service;
  std::uint16_t client_port = 0, service_port = 0;
};

struct Introduction {
  std::size_t bytes = 0;   // of the whole header; 0: more of the stream is needed
  std::string trouble;     // why it is none, or not of this client
};
Introduction read_introduction(Bytes stream, const Introduced& expected);

}  // namespace cutwater::sim
