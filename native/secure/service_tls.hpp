// TLS options of one service, as the control plane hands them over, and the checks a file of them must pass.
// Not here: the contexts built from them (service_context.hpp). Thread: control. Implements: H9.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cutwater::secure {

enum class ClientAuth : std::uint8_t { none, optional, required };

/// One certificate with its key, as PEM text already read by the control plane (private key files are read once).
struct CertificatePem {
  std::string name;       // for messages: the certificate's file name
  std::string chain_pem;  // the certificate first, then its issuers in order
  std::string key_pem;
  std::string key_name = {};  // for messages: the key's file name; empty: `name`
};

/// Whether a server has to prove who it is.
enum class ServerVerify : std::uint8_t { full, none };

/// How a service speaks TLS with its servers, as their client.
struct ServerTls {
  bool allow_tls12 = true, allow_tls13 = true;
  ServerVerify verify = ServerVerify::full;
  std::string name;                         // that their certificates must have: a host name or an address; a host name is sent as SNI
  std::string ca_pem;                       // whom to believe; a certificate that stands here itself is believed
  std::vector<CertificatePem> certificate;  // ours, for servers that ask; at most one
};

/// TLS options of one service (H9).
struct ServiceTls {
  std::string name;
  bool allow_tls12 = true, allow_tls13 = true;
  std::vector<CertificatePem> certificates;  // chosen by SNI and signature scheme; the first is the default
  std::vector<std::string> protocols;        // ALPN, in our order of preference; empty: the extension is ignored
  std::vector<std::uint16_t> suites;         // IANA numbers in our order; empty: every TLS 1.3 and ECDHE suite
  ClientAuth client_auth = ClientAuth::none;
  std::string client_ca_pem;
  bool require_known_name = false;          // an SNI that names no certificate is refused (unrecognized_name)
  std::uint32_t session_lifetime_s = 7200;  // 0: no resumption
  std::uint32_t tickets = 2;                // TLS 1.3 tickets after a full handshake
  bool legacy_rsa_key_exchange = false;     // TLS_RSA_ suites too: no forward secrecy
  std::vector<std::uint8_t> cookie_key = {};  // authenticates HelloRetryRequest cookies; empty: none are accepted
  std::optional<ServerTls> servers = {};    // nullopt: servers are spoken to in clear

  /// Calls use(CertificatePem&) for each certificate with a key.
  template <class Use>
  void each_certificate(Use use) {
    for (CertificatePem& certificate : certificates) use(certificate);
    if (!servers) return;
    for (CertificatePem& certificate : servers->certificate) use(certificate);
  }
};

/// What the contexts of a service choose from by TLS 1.3, and how.
struct Tls13Offer {
  std::vector<std::uint16_t> suites, groups;  // in our order; no suites: no TLS 1.3
  bool follows_chacha = false;                // a client that puts ChaCha20 first gets it
};
Tls13Offer tls13_offer(const ServiceTls& service);

/// Checks what configure() would refuse. Returns: an empty string, or what is wrong ("shop.key: does not match
/// shop.crt").
std::string check(const ServiceTls& service);
/// What configure() accepts but an operator should hear of: certificates that have expired, or are not valid yet.
std::vector<std::string> warnings(const ServiceTls& service);

}  // namespace cutwater::secure
