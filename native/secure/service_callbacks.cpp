#include "secure/service_callbacks.hpp"

#include <algorithm>

#include "secure/openssl_session.hpp"
#include "secure/retried_session.hpp"
#include "secure/service_context.hpp"

namespace cutwater::secure {

namespace {

const ServiceContext& service_of(const SSL* ssl) noexcept {
  return *static_cast<const ServiceContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
}

int choose_certificate(SSL* ssl, int* alert, void*) noexcept {
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name == nullptr) return SSL_TLSEXT_ERR_NOACK;
  const ServiceContext& service = service_of(ssl);
  SSL_CTX* context = service.find(name);
  if (context != nullptr) {
    SSL_set_SSL_CTX(ssl, context);
    return SSL_TLSEXT_ERR_OK;
  }
  if (!service.is_name_required()) return SSL_TLSEXT_ERR_NOACK;
  *alert = SSL_AD_UNRECOGNIZED_NAME;
  return SSL_TLSEXT_ERR_ALERT_FATAL;
}

/// `offered` is the client's list, each name behind its length; OpenSSL has checked its framing.
const unsigned char* find_protocol(Bytes offered, const std::string& wanted) noexcept {
  for (std::size_t at = 0; at < offered.size(); at += 1U + offered[at]) {
    const Bytes name = offered.subspan(at + 1, offered[at]);
    if (std::equal(name.begin(), name.end(), wanted.begin(), wanted.end())) return name.data();
  }
  return nullptr;
}

int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* chosen_bytes, const unsigned char* offered,
                    unsigned int offered_bytes, void*) noexcept {
  for (const std::string& protocol : service_of(ssl).protocols()) {
    const unsigned char* found = find_protocol({offered, offered_bytes}, protocol);
    if (found == nullptr) continue;
    *chosen = found;
    *chosen_bytes = static_cast<unsigned char>(protocol.size());
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_ALERT_FATAL;  // no_application_protocol
}

int prepare_ticket(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                   int is_sealing) noexcept {
  return service_of(ssl).resumption().ticket_keys.prepare(name, iv, cipher, mac, is_sealing != 0);
}

/// A session carries the client's certificate as it was verified once; it must not outlive that certificate.
bool has_expired_client(SSL_SESSION* session) noexcept {
  const X509* client = session == nullptr ? nullptr : SSL_SESSION_get0_peer(session);
  return client != nullptr && X509_cmp_current_time(X509_get0_notAfter(client)) <= 0;
}

SSL_TICKET_RETURN judge_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t,
                               SSL_TICKET_STATUS status, void*) noexcept {
  if (!RetriedSession::may_resume(ssl) || OpensslSession::is_deferred(ssl)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  const bool is_opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
  if (!is_opened || has_expired_client(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  // A TLS 1.3 client uses a ticket once (RFC 9846 C.4), so each use earns the next one.
  const bool needs_next = status == SSL_TICKET_SUCCESS_RENEW || SSL_version(ssl) == TLS1_3_VERSION;
  return needs_next ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

/// Returns: 0, the reference stays OpenSSL's. TLS 1.3 sessions are in their tickets.
int keep_session(SSL* ssl, SSL_SESSION* session) noexcept {
  if (SSL_version(ssl) == TLS1_2_VERSION) service_of(ssl).resumption().sessions.insert(session);
  return 0;
}

SSL_SESSION* find_session(SSL* ssl, const unsigned char* id, int id_bytes, int* is_shared) noexcept {
  *is_shared = 0;  // the reference is given away
  if (OpensslSession::is_deferred(ssl)) return nullptr;  // the client was told of a full handshake
  SessionPtr session = service_of(ssl).resumption().sessions.find({id, static_cast<std::size_t>(id_bytes)});
  return has_expired_client(session.get()) ? nullptr : session.release();
}

}  // namespace

void install_service_callbacks(SSL_CTX* context, const ServiceContext& service) {
  SSL_CTX_set_tlsext_servername_callback(context, choose_certificate);
  if (!service.protocols().empty()) SSL_CTX_set_alpn_select_cb(context, choose_protocol, nullptr);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, prepare_ticket);
  SSL_CTX_set_session_ticket_cb(context, nullptr, judge_ticket, nullptr);
  SSL_CTX_sess_set_new_cb(context, keep_session);
  SSL_CTX_sess_set_get_cb(context, find_session);
}

}  // namespace cutwater::secure
