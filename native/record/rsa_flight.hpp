// What a service says first to a TLS 1.2 client that knows nothing but RSA key exchange, as far as no client changes it: the
// records behind its ServerHello, for each set of certificates, and what the ServerHello depends on. Plain values that the
// secure side makes of a service's options and the fast path answers hellos from.
// Not here: the ServerHello (hello/deferral.hpp), how the records are made (secure/first_flight.hpp).
// Thread: immutable after construction. Implements: H3. Source: RFC 5246 7.4.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "record/suite.hpp"

namespace cutwater::record {

inline constexpr std::size_t kMaxFlightBytes = 64 * 1024;  // behind a ServerHello; who has longer chains does without a template

/// What one set of certificates leads to.
struct RsaFlight {
  std::vector<std::uint8_t> records;  // Certificate, CertificateRequest where one is asked for, ServerHelloDone; empty: no RSA key
  std::vector<std::uint16_t> rivals;  // suites of the service that it could serve without RSA key exchange
};

struct RsaFlights {
  std::vector<std::uint16_t> suites;   // with RSA key exchange, in our order
  std::vector<std::string> protocols;  // ALPN, in our order; empty: the extension is ignored
  bool allows_tls13 = false;           // the ServerHello's random says so (RFC 9846 4.1.3)
  bool gives_session_ids = false, gives_tickets = false;
  bool is_name_required = false;
  bool asks_certificate = false;
  std::vector<RsaFlight> flights;      // the first is for clients that name nobody we know
  struct NameHash : std::hash<std::string_view> {
    using is_transparent = void;
  };
  std::unordered_map<std::string, std::uint32_t, NameHash, std::equal_to<>> by_name;  // exact names and "*.parent", as in a certificate

  /// The flight for a server name as the client wrote it. Returns: nothing when no certificate covers it. No allocation.
  [[nodiscard]] std::optional<std::uint32_t> find(std::string_view server_name) const noexcept;
};

/// Puts a handshake message into records, as large as they may be.
void append_records(std::vector<std::uint8_t>& out, Bytes message);

}  // namespace cutwater::record
