// Everything about one run that chance decides, drawn from the seed before the first packet moves.
// Thread: any. Used by: run.
#pragma once

#include "sim/application.hpp"
#include "sim/profile.hpp"
#include "sim/tls_client.hpp"
#include "splice/congestion_control.hpp"

namespace cutwater::sim {

enum class Start : std::uint8_t { at_time, after_previous };

/// One connection: both stacks, both applications and the TLS client between them.
struct ConnectionPlan {
  Start start = Start::at_time;
  std::uint64_t start_us = 0;
  std::uint16_t client_port = 0;
  TcpConfig client_tcp, server_tcp;
  Script client, server;
  TlsPlan tls;
};

enum class Addressing : std::uint8_t { direct, balance };

struct Scenario {
  std::uint64_t seed = 0;
  Addressing addressing = Addressing::direct;
  Host client, service, server;        // direct: service and server are one address
  std::vector<Host> servers;           // all of them, `server` first
  Host device_client, device_server;   // the device's two interfaces
  std::vector<IpAddress> pool;         // what servers see in the client's place; empty: the client's own address
  Serving serving;
  std::vector<std::uint8_t> hello;     // what stands before the client's bytes where TLS is passed
  std::vector<ConnectionPlan> connections;
  bool truncation_forward = false, release_streaming = false;
  splice::CongestionControl custody_congestion = splice::CongestionControl::cubic;
  std::uint64_t rekey_after_records = 0;
  std::uint64_t client_dies_at_us = kNoTime;
};

Scenario draw(std::uint64_t seed, const Profile& profile);
/// The same for a device that knows no services, only one server.
void forget_serving(Scenario& scenario);
/// What was drawn, as lines for the head of a trace.
std::string describe(const Scenario& scenario);

}  // namespace cutwater::sim
