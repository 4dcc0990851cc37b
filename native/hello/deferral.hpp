// The first answer to a TLS 1.2 hello that can only end in RSA key exchange, from a template: nobody is assigned to the client
// before its secret has come. What is chosen here is what the service's TLS context will choose when it sees the hello at last;
// where that is not sure the hello is not deferred.
// Not here: what follows the ServerHello (record/rsa_flight.hpp), what the client says to it (key_reply.hpp), its way over TCP
// (path/deferral.cpp). Thread: owning worker. Implements: H3. Source: RFC 5246 7.4.1.3.
#pragma once

#include <array>

#include "base/secret.hpp"
#include "hello/client_hello.hpp"
#include "record/rsa_flight.hpp"

namespace cutwater::hello {

inline constexpr std::size_t kSessionIdBytes = 32;
/// Record, message, version, random, session ID, suite, compression, extensions: ALPN is the only long one.
inline constexpr std::size_t kMostServerHelloBytes = 5 + 4 + 2 + kRandomBytes + 1 + kSessionIdBytes + 2 + 1 + 2 + 5 + 4 + 4 + (7 + 255) + 4;

/// What a hello leads to.
struct Deferred {
  const record::RsaFlight* flight = nullptr;
  std::uint16_t suite = 0;
  std::string_view protocol = {};  // in the service's own memory
  bool is_named = false;           // the client's server name is one we know
  bool gets_ticket = false, gets_session_id = false;
  bool tells_of_tls13 = false;
  bool has_renegotiation_info = false;
  bool asks_certificate = false;
};

/// Returns: nothing when a processor has to see the hello at once: there may be something better, or nothing at all.
std::optional<Deferred> choose_deferral(const record::RsaFlights& flights, const ClientHello& hello) noexcept;

/// Randoms and session IDs, no two alike: a recorded answer of a client must never fit another ServerHello.
class ServerRandoms {
 public:
  static constexpr std::size_t kKeyBytes = 32;
  /// `secret`: of all workers of this run of the appliance.
  ServerRandoms(Bytes secret, std::uint32_t worker) noexcept;
  struct Pair {
    std::array<std::uint8_t, kRandomBytes> random;
    std::array<std::uint8_t, kSessionIdBytes> session_id;
  };
  /// The next ones. Cost: two short HMACs.
  Pair next() noexcept;

 private:
  Secret<kKeyBytes> key_;
  std::uint64_t count_ = 0;
};

/// Writes the record. Returns: how many bytes. Requires: room for kMostServerHelloBytes.
std::size_t emit_server_hello(const Deferred& deferred, const ServerRandoms::Pair& randoms, std::uint8_t* out) noexcept;

}  // namespace cutwater::hello
