// What OpenSSL needs to know of one service: an SSL_CTX per set of certificates, chosen by SNI, all alike otherwise.
// Not here: a handshake (openssl_session.hpp), PEM (certificate.hpp).
// Thread: built by control, then immutable and shared by all processor threads. Implements: A5, H6, H9.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "record/suite.hpp"
#include "secure/certificate_choice.hpp"
#include "secure/key_log.hpp"
#include "secure/session_cache.hpp"
#include "secure/ticket_keys.hpp"

namespace cutwater::secure {

/// What outlives a service's context, so that a reload keeps sessions valid. One per pool.
struct Resumption {
  explicit Resumption(std::function<Tick()> clock) : ticket_keys(std::move(clock)) {}
  TicketKeys ticket_keys;
  SessionCache sessions;
};

/// The suites of a service in its order, its own or the default ones. Numbers that are none of ours are left out.
std::vector<const record::Suite*> suites_of(const ServiceTls& service);
/// Whether a suite has no forward secrecy.
bool is_rsa_key_exchange(const record::Suite& suite) noexcept;

class ServiceContext {
 public:
  /// Errors: a line for the operator that names the file or option.
  static Result<std::shared_ptr<const ServiceContext>, std::string> build(const ServiceTls& service,
                                                                          std::shared_ptr<Resumption> resumption);

  /// The context a handshake starts with: the default certificate's.
  [[nodiscard]] SSL_CTX* initial() const noexcept { return contexts_.front().get(); }
  /// The context for a server name as the client wrote it; nullptr when no certificate covers it.
  [[nodiscard]] SSL_CTX* find(std::string_view server_name) const;
  /// The context for a handshake with a server of the service; nullptr when they are spoken to in clear.
  [[nodiscard]] SSL_CTX* towards_servers() const noexcept { return towards_servers_.get(); }
  [[nodiscard]] const std::optional<ServerTls>& servers() const noexcept { return service_.servers; }
  [[nodiscard]] bool is_name_required() const noexcept { return service_.require_known_name; }
  [[nodiscard]] bool allows_tls12() const noexcept { return allow_tls12_; }
  [[nodiscard]] bool allows_tls13() const noexcept { return allow_tls13_; }
  /// ALPN protocols in our order.
  [[nodiscard]] const std::vector<std::string>& protocols() const noexcept { return service_.protocols; }
  [[nodiscard]] Resumption& resumption() const noexcept { return *resumption_; }

 private:
  ServiceContext(const ServiceTls& service, std::shared_ptr<Resumption> resumption);
  std::string read_options();
  std::string read_certificates();
  std::string make_contexts();
  std::string make_context_towards_servers();
  Result<SSL_CTX*, std::string> context_of(const Bundle& bundle);
  std::string set_options(SSL_CTX* context) const;
  std::string set_suites(SSL_CTX* context) const;
  std::string set_client_auth(SSL_CTX* context) const;
  void set_sessions(SSL_CTX* context) const;
  void set_callbacks(SSL_CTX* context) const;

  ServiceTls service_;  // without the PEM texts
  bool allow_tls12_ = false, allow_tls13_ = false;
  std::string suites12_, suites13_;  // OpenSSL's lists
  bool has_dhe_ = false;
  std::vector<X509Ptr> client_cas_;
  std::shared_ptr<Resumption> resumption_;
  std::vector<Certificate> certificates_;
  std::vector<std::pair<Bundle, SSL_CTX*>> bundles_;
  std::vector<SslCtxPtr> contexts_;                    // the default one first
  SslCtxPtr towards_servers_;
  std::unordered_map<std::string, SSL_CTX*> by_name_;  // exact names and "*.parent" patterns
};

}  // namespace cutwater::secure
