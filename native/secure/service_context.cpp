#include "secure/service_context.hpp"

#include <openssl/err.h>

#include <algorithm>

#include "record/suite.hpp"
#include "secure/openssl_session.hpp"
#include "secure/cookie_context.hpp"
#include "secure/server_context.hpp"
#include "secure/service_callbacks.hpp"

namespace cutwater::secure {

namespace {

// X25519 first: the fastest here and what clients send a key share for.
constexpr const char* kGroups = "X25519:P-256:P-384:P-521";
constexpr std::uint64_t kOptions = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                   SSL_OP_SINGLE_ECDH_USE | SSL_OP_SINGLE_DH_USE;
constexpr long kMaxClientChainBytes = 64 * 1024;  // what a client may send as certificates

std::string reason() {
  const unsigned long error = ERR_peek_last_error();
  const char* text = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return text == nullptr ? "is refused by the TLS library" : text;
}

bool is_dhe(const record::Suite& suite) noexcept { return suite.name.starts_with("TLS_DHE_"); }

/// Returns: nullptr for a number that is none of ours.
const record::Suite* suite_of(std::uint16_t iana) noexcept {
  const record::Suite* suite = record::find_suite(iana, record::Version::tls13);
  return suite != nullptr ? suite : record::find_suite(iana, record::Version::tls12);
}

/// Chosen when the service names no suites: those with forward secrecy that cost least. For old clients that have none of them,
/// and only where a service wants it, those without, which stand at the end of the table and so come last.
bool is_default(const record::Suite& suite, const ServiceTls& service) noexcept {
  return suite.version == record::Version::tls13 || suite.name.starts_with("TLS_ECDHE_") ||
         (service.legacy_rsa_key_exchange && is_rsa_key_exchange(suite));
}

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ':';
  list += name;
}

/// Sessions belong to a service and to its demands on clients: a change of either must not let old ones in.
std::vector<std::uint8_t> session_context(const ServiceTls& service) {
  const std::string text = service.name + '\0' + std::to_string(static_cast<int>(service.client_auth)) + '\0' +
                           (service.client_auth == ClientAuth::none ? std::string{} : service.client_ca_pem);
  std::vector<std::uint8_t> digest(EVP_MAX_MD_SIZE);
  unsigned int digest_bytes = 0;
  EVP_Digest(text.data(), text.size(), digest.data(), &digest_bytes, EVP_sha256(), nullptr);
  digest.resize(std::min<std::size_t>(digest_bytes, SSL_MAX_SID_CTX_LENGTH));
  return digest;
}

}  // namespace

bool is_rsa_key_exchange(const record::Suite& suite) noexcept { return suite.name.starts_with("TLS_RSA_"); }

std::vector<const record::Suite*> suites_of(const ServiceTls& service) {
  std::vector<const record::Suite*> suites;
  for (const std::uint16_t iana : service.suites) {
    if (const record::Suite* suite = suite_of(iana)) suites.push_back(suite);
  }
  if (!service.suites.empty()) return suites;
  for (const record::Suite& suite : record::all_suites()) {
    if (is_default(suite, service)) suites.push_back(&suite);
  }
  return suites;
}

Result<std::shared_ptr<const ServiceContext>, std::string> ServiceContext::build(
    const ServiceTls& service, std::shared_ptr<Resumption> resumption) {
  start_openssl();
  const std::shared_ptr<ServiceContext> context{new ServiceContext(service, std::move(resumption))};
  for (const auto step :
       {&ServiceContext::read_options, &ServiceContext::read_certificates, &ServiceContext::make_contexts,
        &ServiceContext::make_context_towards_servers}) {
    if (std::string error = ((*context).*step)(); !error.empty()) return Failure{std::move(error)};
  }
  context->service_.each_certificate([](CertificatePem& pem) { wipe(pem.key_pem.data(), pem.key_pem.size()); });
  context->service_.certificates.clear();
  if (context->service_.servers) context->service_.servers->certificate.clear();
  return std::shared_ptr<const ServiceContext>{context};
}

ServiceContext::ServiceContext(const ServiceTls& service, std::shared_ptr<Resumption> resumption)
    : service_(service), resumption_(std::move(resumption)) {}

SSL_CTX* ServiceContext::find(std::string_view server_name) const {
  std::string name(server_name);
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (name.ends_with('.')) name.pop_back();
  auto found = by_name_.find(name);
  if (found == by_name_.end()) {
    const std::size_t dot = name.find('.');
    if (dot == std::string::npos || dot == 0) return nullptr;
    found = by_name_.find("*" + name.substr(dot));
  }
  return found == by_name_.end() ? nullptr : found->second;
}

std::string ServiceContext::read_options() {
  for (const std::uint16_t iana : service_.suites) {
    const record::Suite* suite = suite_of(iana);
    if (suite == nullptr) return service_.name + ": suite " + std::to_string(iana) + " is not one this device speaks";
    if (is_rsa_key_exchange(*suite) && !service_.legacy_rsa_key_exchange) {
      return service_.name + ": suite " + std::string(suite->name) + " needs tls.legacyRsaKeyExchange";
    }
  }
  for (const record::Suite* suite : suites_of(service_)) {
    if (suite->version == record::Version::tls13) {
      append(suites13_, suite->name);
    } else {
      append(suites12_, OPENSSL_cipher_name(std::string(suite->name).c_str()));
      has_dhe_ = has_dhe_ || is_dhe(*suite);
    }
  }
  allow_tls12_ = service_.allow_tls12 && !suites12_.empty();
  allow_tls13_ = service_.allow_tls13 && !suites13_.empty();
  if (!allow_tls12_ && !allow_tls13_) return service_.name + ": no TLS version is left with a suite";
  for (const std::string& protocol : service_.protocols) {
    if (protocol.empty() || protocol.size() > 255) return service_.name + ": an ALPN protocol has 1 to 255 bytes";
  }
  if (service_.client_auth == ClientAuth::none) return {};
  Result<std::vector<X509Ptr>, std::string> cas = read_chain(service_.client_ca_pem);
  if (!cas) return service_.name + ": client CA file " + cas.error();
  client_cas_ = std::move(*cas);
  return {};
}

std::string ServiceContext::read_certificates() {
  if (service_.certificates.empty()) return service_.name + ": has no certificate";
  for (const CertificatePem& pem : service_.certificates) {
    Result<Certificate, std::string> certificate = read_certificate(pem);
    if (!certificate) return certificate.error();
    certificates_.push_back(std::move(*certificate));
  }
  return {};
}

std::string ServiceContext::make_contexts() {
  if (const auto made = context_of(default_bundle(certificates_)); !made) return made.error();
  for (const Certificate& certificate : certificates_) {
    for (const std::string& name : certificate.names) {
      if (by_name_.contains(name)) continue;
      const auto made = context_of(bundle_for(certificates_, name));
      if (!made) return made.error();
      by_name_.emplace(name, *made);
    }
  }
  return {};
}

std::string ServiceContext::make_context_towards_servers() {
  if (!service_.servers) return {};
  auto made = make_server_context(*service_.servers, service_.name);
  if (!made) return made.error();
  towards_servers_ = std::move(*made);
  return {};
}

Result<SSL_CTX*, std::string> ServiceContext::context_of(const Bundle& bundle) {
  for (const auto& [known, context] : bundles_) {
    if (known == bundle) return context;
  }
  const bool has_cookies = !service_.cookie_key.empty();
  SslCtxPtr context = has_cookies ? make_context_with_cookie_key(service_.cookie_key) : SslCtxPtr{SSL_CTX_new(TLS_server_method())};
  if (!context) return Failure{service_.name + ": " + (has_cookies ? "this OpenSSL does not take a cookie key" : reason())};
  if (has_cookies) accept_cookies(context.get());
  for (const Certificate* certificate : bundle) {
    if (SSL_CTX_use_certificate(context.get(), certificate->leaf.get()) != 1) {
      return Failure{certificate->file + ": " + reason()};
    }
    for (const X509Ptr& issuer : certificate->chain) {
      if (SSL_CTX_add1_chain_cert(context.get(), issuer.get()) != 1)
        return Failure{certificate->file + ": " + reason()};
    }
    if (SSL_CTX_use_PrivateKey(context.get(), certificate->key.get()) != 1) {
      return Failure{certificate->file + ": " + reason()};
    }
  }
  if (std::string error = set_options(context.get()); !error.empty()) return Failure{std::move(error)};
  contexts_.push_back(std::move(context));
  bundles_.emplace_back(bundle, contexts_.back().get());
  return contexts_.back().get();
}

std::string ServiceContext::set_options(SSL_CTX* context) const {
  SSL_CTX_set_app_data(context, const_cast<ServiceContext*>(this));
  SSL_CTX_set_min_proto_version(context, allow_tls12_ ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context, allow_tls13_ ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context, kOptions);
  // A client that puts ChaCha20 first has no AES instructions; with a list of the operator's own, that list rules.
  if (service_.suites.empty()) SSL_CTX_set_options(context, SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_max_early_data(context, 0);
  SSL_CTX_set_max_cert_list(context, kMaxClientChainBytes);
  SSL_CTX_set_dh_auto(context, has_dhe_ ? 1 : 0);
  if (SSL_CTX_set1_groups_list(context, kGroups) != 1) return service_.name + ": " + reason();
  if (std::string error = set_suites(context); !error.empty()) return error;
  if (std::string error = set_client_auth(context); !error.empty()) return error;
  set_sessions(context);
  set_callbacks(context);
  return {};
}

std::string ServiceContext::set_suites(SSL_CTX* context) const {
  const bool is_set = (!allow_tls12_ || SSL_CTX_set_cipher_list(context, suites12_.c_str()) == 1) &&
                      (!allow_tls13_ || SSL_CTX_set_ciphersuites(context, suites13_.c_str()) == 1);
  return is_set ? std::string{} : service_.name + ": " + reason();
}

std::string ServiceContext::set_client_auth(SSL_CTX* context) const {
  if (service_.client_auth == ClientAuth::none) return {};
  const int must = service_.client_auth == ClientAuth::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | must, nullptr);
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const X509Ptr& ca : client_cas_) {
    if (X509_STORE_add_cert(store, ca.get()) != 1 || SSL_CTX_add_client_CA(context, ca.get()) != 1) {
      return service_.name + ": client CA file " + reason();
    }
  }
  return {};
}

void ServiceContext::set_sessions(SSL_CTX* context) const {
  const std::vector<std::uint8_t> id_context = session_context(service_);
  SSL_CTX_set_session_id_context(context, id_context.data(), static_cast<unsigned int>(id_context.size()));
  if (service_.session_lifetime_s == 0) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(context, 0);
    return;
  }
  SSL_CTX_set_timeout(context, static_cast<long>(service_.session_lifetime_s));
  SSL_CTX_set_num_tickets(context, service_.tickets);
  SSL_CTX_set_session_cache_mode(context,
                                 SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR);
  resumption_->ticket_keys.keep_at_least(service_.session_lifetime_s);
}

void ServiceContext::set_callbacks(SSL_CTX* context) const {
  install_service_callbacks(context, *this);
  OpensslSession::install_callbacks(context);
}

Tls13Offer tls13_offer(const ServiceTls& service) {
  constexpr std::uint16_t kX25519 = 29, kP256 = 23, kP384 = 24, kP521 = 25;  // as in kGroups
  Tls13Offer offer{.suites = {}, .groups = {kX25519, kP256, kP384, kP521}, .follows_chacha = service.suites.empty()};
  if (!service.allow_tls13) return offer;
  for (const record::Suite& suite : record::all_suites()) {
    if (service.suites.empty() && suite.version == record::Version::tls13) offer.suites.push_back(suite.iana);
  }
  for (const std::uint16_t iana : service.suites) {
    if (record::find_suite(iana, record::Version::tls13) != nullptr) offer.suites.push_back(iana);
  }
  return offer;
}

std::string check(const ServiceTls& service) {
  const auto built = ServiceContext::build(service, std::make_shared<Resumption>([] { return Tick{}; }));
  return built ? std::string{} : built.error();
}

std::vector<std::string> warnings(const ServiceTls& service) {
  std::vector<std::string> lines;
  const auto look_at = [&lines](const CertificatePem& pem) {
    const Result<Certificate, std::string> certificate = read_certificate(pem);
    if (!certificate) return;
    if (std::string line = validity_warning(*certificate); !line.empty()) lines.push_back(std::move(line));
  };
  std::for_each(service.certificates.begin(), service.certificates.end(), look_at);
  if (service.servers) std::for_each(service.servers->certificate.begin(), service.servers->certificate.end(), look_at);
  return lines;
}

}  // namespace cutwater::secure
