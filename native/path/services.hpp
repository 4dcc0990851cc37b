// What the path knows of the services: built by the control thread, swapped in whole, read-only for the worker.
// Thread: immutable after construction.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "balance/server_set.hpp"
#include "base/ip_address.hpp"
#include "hello/retry.hpp"
#include "hello/triage.hpp"
#include "http/request_match.hpp"
#include "record/rsa_flight.hpp"
#include "splice/route.hpp"

namespace cutwater::path {

/// When a client has to show that it is there before anybody works for it, by answering a HelloRetryRequest (TLS 1.3).
enum class Retry : std::uint8_t { never, automatic /* while hellos pile up */, always };

/// What a service does with hellos.
struct HelloRules {
  Retry retry = Retry::never;
  hello::RetryProfile profile = {};
  std::shared_ptr<const record::RsaFlights> rsa_flights = nullptr;  // where RSA key exchange is allowed: answered from a template
  std::vector<hello::TriageRule> rules = {};
  std::uint32_t queue_timeout_ms = 3'000;  // a hello that no processor took by then is refused
};

/// Layer-2 way to a neighbour, from the kernel's FIB and neighbour tables.
struct NextHop {
  MacAddress mac{};
  bool is_known = false;
};

struct Server {
  IpAddress address;
  std::uint16_t port = 0;
  NextHop hop;
};

/// Which servers of a service get what. Empty parts match everything.
struct RouteRule {
  std::string sni = {};       // lower case; "*.example" covers one label
  std::string alpn = {};
  http::RequestMatch request = {};
  std::vector<std::uint32_t> servers = {};  // indices into Service::servers
  std::shared_ptr<const balance::ServerSet> set = nullptr;  // those, in that order; nullptr: made by the path, of Service::set
};

/// Whether HTTP/1.1 is read, and what is done about it.
struct HttpRules {
  bool is_read = false;
  bool is_forwarded = false;            // servers are told of the client by X-Forwarded-For and X-Forwarded-Proto
  std::uint32_t max_head_bytes = 16'384;
};

enum class Mode : std::uint8_t { direct, balance, proxy };

struct Service {
  std::string name;
  Mode mode = Mode::direct;
  std::uint32_t id = 0;                 // index of its TLS context in secure::Pool and of its counters; stable over reloads
  IpAddress address;                    // where clients connect
  std::uint16_t port = 0;
  std::vector<Server> servers;          // direct mode: exactly one, at the same address
  /// The same servers in the same order, with what all workers know of them and how one is chosen. nullptr: a path that is
  /// the only one makes its own.
  std::shared_ptr<const balance::ServerSet> set;
  std::vector<RouteRule> routes;        // the first that matches decides; empty: all servers for everybody
  HttpRules http = {};
  std::vector<IpAddress> pool;          // addresses that servers see in the client's place; empty: the client's own
  std::uint8_t overhead_bytes = 29;     // largest record overhead it may negotiate: clamps the MSS shown to servers (A4)
  splice::Introduction introduction = splice::Introduction::none;
  splice::Handling handling = splice::Handling::open;
  splice::ServerSpeech speech = splice::ServerSpeech::clear;  // proxy mode
  bool server_truncation_forward = false;
  bool truncation_forward = false;
  bool release_streaming = false;
  splice::CongestionControl custody_congestion = splice::CongestionControl::cubic;
  std::uint32_t idle_timeout_ms = 300'000;
  std::uint32_t handshake_timeout_ms = 10'000;
  std::uint64_t rekey_after_records = 0;  // 0: the suite's limit
  HelloRules hello;
};

struct SideConfig {
  MacAddress mac{};          // our own
  std::uint16_t mtu = 1500;
  std::uint16_t vlan = 0;    // 0: untagged
};

struct Services {
  std::vector<Service> list;
  SideConfig client, server;
};

}  // namespace cutwater::path
