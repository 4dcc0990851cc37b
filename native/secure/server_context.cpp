#include "secure/server_context.hpp"

#include <arpa/inet.h>
#include <openssl/err.h>

#include "record/suite.hpp"
#include "secure/certificate.hpp"
#include "secure/openssl_session.hpp"

namespace cutwater::secure {

namespace {

constexpr const char* kGroups = "X25519:P-256:P-384:P-521";
constexpr std::uint64_t kOptions = SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET;
constexpr long kMaxServerChainBytes = 64 * 1024;

std::string reason() {
  const unsigned long error = ERR_peek_last_error();
  const char* text = error == 0 ? nullptr : ERR_reason_error_string(error);
  ERR_clear_error();
  return text == nullptr ? "is refused by the TLS library" : text;
}

void append(std::string& list, std::string_view name) {
  if (!list.empty()) list += ':';
  list += name;
}

// AEAD with forward secrecy: what the record layer speaks, and nothing that a later theft of the server's key would open.
bool set_suites(SSL_CTX* context) {
  std::string suites12, suites13;
  for (const record::Suite& suite : record::all_suites()) {
    if (suite.version == record::Version::tls13) append(suites13, suite.name);
    else if (suite.name.starts_with("TLS_ECDHE_")) append(suites12, OPENSSL_cipher_name(std::string(suite.name).c_str()));
  }
  return SSL_CTX_set_cipher_list(context, suites12.c_str()) == 1 && SSL_CTX_set_ciphersuites(context, suites13.c_str()) == 1 &&
         SSL_CTX_set1_groups_list(context, kGroups) == 1;
}

std::string set_trust(SSL_CTX* context, const ServerTls& servers, const std::string& service) {
  if (servers.verify == ServerVerify::none) return {};  // SSL_VERIFY_NONE is how a context begins
  if (servers.name.empty()) return service + ": serverTls.name is needed, unless verify is none";
  const Result<std::vector<X509Ptr>, std::string> issuers = read_chain(servers.ca_pem);
  if (!issuers) return service + ": server CA file " + issuers.error();
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const X509Ptr& issuer : *issuers) {
    if (X509_STORE_add_cert(store, issuer.get()) != 1) return service + ": server CA file " + reason();
  }
  X509_VERIFY_PARAM* param = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);  // an intermediate, or the very certificate, may be what is trusted
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);  // RFC 9525 6.3
  const int is_set = is_host_name(servers.name) ? X509_VERIFY_PARAM_set1_host(param, servers.name.data(), servers.name.size())
                                                : X509_VERIFY_PARAM_set1_ip_asc(param, servers.name.c_str());
  if (is_set != 1) return service + ": serverTls.name " + reason();
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  return {};
}

std::string set_own_certificate(SSL_CTX* context, const CertificatePem& pem) {
  const Result<Certificate, std::string> own = read_certificate(pem);
  if (!own) return own.error();
  bool is_set = SSL_CTX_use_certificate(context, own->leaf.get()) == 1 && SSL_CTX_use_PrivateKey(context, own->key.get()) == 1;
  for (const X509Ptr& issuer : own->chain) is_set = is_set && SSL_CTX_add1_chain_cert(context, issuer.get()) == 1;
  return is_set ? std::string{} : own->file + ": " + reason();
}

}  // namespace

bool is_host_name(const std::string& name) {
  std::array<std::uint8_t, 16> bytes{};
  return inet_pton(AF_INET, name.c_str(), bytes.data()) != 1 && inet_pton(AF_INET6, name.c_str(), bytes.data()) != 1;
}

Result<SslCtxPtr, std::string> make_server_context(const ServerTls& servers, const std::string& service) {
  SslCtxPtr context{SSL_CTX_new(TLS_client_method())};
  if (!context) return Failure{service + ": " + reason()};
  if (!servers.allow_tls12 && !servers.allow_tls13) return Failure{service + ": no TLS version is left towards servers"};
  SSL_CTX_set_min_proto_version(context.get(), servers.allow_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(context.get(), servers.allow_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), kOptions);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_max_cert_list(context.get(), kMaxServerChainBytes);
  if (!set_suites(context.get())) return Failure{service + ": " + reason()};
  if (std::string error = set_trust(context.get(), servers, service); !error.empty()) return Failure{std::move(error)};
  if (!servers.certificate.empty()) {
    if (std::string error = set_own_certificate(context.get(), servers.certificate.front()); !error.empty()) return Failure{std::move(error)};
  }
  OpensslSession::install_call_callbacks(context.get());
  return context;
}

}  // namespace cutwater::secure
