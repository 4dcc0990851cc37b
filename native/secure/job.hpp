// What workers and secure processors say to each other. Plain values, moved through bounded rings; each is owned by one
// side. Thread: see pool.hpp. Implements: A5, H4.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/tick.hpp"
#include "record/traffic_secret.hpp"

namespace cutwater::secure {

/// Names a handshake for both sides. A stale token (the flow is gone) is recognised by its generation and dropped.
struct Token {
  std::uint32_t flow = 0;
  std::uint32_t generation = 0;
  bool operator==(const Token&) const = default;
};

struct Request {
  enum class Kind : std::uint8_t {
    start,   // a new handshake; bytes hold the client's hello, whole
    start_retried,  // the same, after a HelloRetryRequest: bytes hold the second hello, whose cookie was verified
    start_deferred,  // the client was given a first flight before anybody worked for it (H3): bytes hold its hello and its reply
    input,   // more records
    cancel,  // the client has gone: forget it
    call,    // a new handshake with a server of the service, as its client; no bytes
  };
  Kind kind = Kind::start;
  Token token;
  std::uint32_t service = 0;        // index into the pool's service contexts
  Tick deadline = kNever;           // past it the handshake is not worth a signature any more
  IpAddress client;                 // for session binding and events; of a call: the server
  std::string protocol;             // of a call: the only one that the server may speak; empty: none is asked for
  std::vector<std::uint8_t> bytes;  // whole TLS records, header included, in stream order; the last may be cut
                                    // short only where its header already cannot be TLS (the answer is a failure)
  // start_deferred: how much of the bytes is the hello, and what the client was given. Its random and session ID stand in there.
  std::uint32_t hello_bytes = 0;
  std::vector<std::uint8_t> flight = {};
};

/// Whether such a request begins a handshake.
constexpr bool is_beginning(Request::Kind kind) noexcept {
  return kind < Request::Kind::input || kind == Request::Kind::call;
}

/// Why a handshake failed; one list for counters, events and docs.
enum class HandshakeFailure : std::uint8_t {
  none,
  bad_record,  // not TLS, or framing broken: client's fault
  plain_http,  // an HTTP request on the TLS port: client's fault
  bad_hello,   // unparsable or illegal ClientHello
  no_shared_version,
  no_shared_suite,     // nor a group or signature scheme in common
  unknown_name,        // SNI names no certificate and the service is strict
  no_shared_protocol,  // ALPN
  client_certificate_missing,
  client_certificate_rejected,  // unknown CA, expired, revoked, bad signature
  client_alert,                 // the client sent a fatal alert
  bad_finished,
  deadline,                   // waited too long in the queue
  overload,                   // the processors' queue was full, or it gave way to newer ones: max_handshakes are under way
  internal,                   // ours: see the event's text
  no_extended_master_secret,  // a TLS 1.2 client without it (RFC 7627): refused, its sessions could be mixed up
  too_large,                  // the client sent more handshake bytes than any honest one: client's fault
  processor_lost,             // the secure processor's process ended while it had the handshake
  denied,                     // a rule of the service refuses such hellos
  too_many,                   // more hellos of one source than a rule of the service allows
  bad_cookie,                 // a second hello without the cookie of our HelloRetryRequest, or with another
  flight_differs,             // the first flight a client was given is not what the processor would have sent
  server_untrusted,           // a server's certificate leads to no issuer that the service trusts, or is not fit for a server
  server_expired,             // it has expired, or is not valid yet
  server_wrong_name,          // it is for other names
  server_wrong_protocol,      // the server speaks another application protocol than the client
  server_alert,               // the server gave up with a fatal alert
  server_handshake,           // anything else between us and a server: see the event's text
};
inline constexpr std::size_t kHandshakeFailures = 28;  // how many names the list has, for counters
std::string_view to_string(HandshakeFailure failure) noexcept;

/// Everything the fast path needs to go on without the TLS object, which is freed.
struct Established {
  const record::Suite* suite = nullptr;
  record::TrafficKeys up_keys, down_keys;        // what the other end writes / what we write
  record::TrafficSecret up_secret, down_secret;  // TLS 1.3 only: for key updates
  std::uint64_t up_number = 0, down_number = 0;  // next record numbers (down: after the tickets; TLS 1.2: 1 each)
  std::uint16_t max_fragment_bytes = 16384;      // max_fragment_length, when the client asked
  bool is_resumed = false;
  std::vector<std::uint8_t> session_id;          // the processor's own
  std::vector<std::uint8_t> given_session_id;    // what the client was given before the processor knew of it (H5); else empty
  std::string server_name, protocol, client_subject;  // SNI, ALPN, subject of the client's certificate
};

struct Reply {
  enum class Kind : std::uint8_t {
    output,       // bytes for the client; the handshake goes on
    established,  // bytes (may be empty), then the keys
    failed,       // bytes hold the alert (may be empty), then the flow ends
  };
  Kind kind = Kind::output;
  Token token;
  std::vector<std::uint8_t> bytes;   // whole records, as the TLS library cut them
  std::uint32_t consumed_bytes = 0;  // of all input so far: what the handshake used; the rest is application data
  std::unique_ptr<Established> established;
  HandshakeFailure failure = HandshakeFailure::none;
  std::uint8_t alert = 0;  // the alert sent or received, 0 when none
  std::string detail;      // for the event, one line, no secrets
};

}  // namespace cutwater::secure
