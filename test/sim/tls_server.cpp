#include "sim/tls_server.hpp"

#include <openssl/pem.h>

#include <memory>
#include <stdexcept>

namespace cutwater::sim {

SSL_CTX* TlsServerContexts::make(int version, const std::string& certificate_pem, const std::string& key_pem) {
  SSL_CTX* context = SSL_CTX_new(TLS_server_method());
  if (context == nullptr) throw std::runtime_error("SSL_CTX_new");
  const std::unique_ptr<BIO, decltype(&BIO_free)> certificate_text{BIO_new_mem_buf(certificate_pem.data(), static_cast<int>(certificate_pem.size())), BIO_free};
  const std::unique_ptr<BIO, decltype(&BIO_free)> key_text{BIO_new_mem_buf(key_pem.data(), static_cast<int>(key_pem.size())), BIO_free};
  const std::unique_ptr<X509, decltype(&X509_free)> certificate{PEM_read_bio_X509(certificate_text.get(), nullptr, nullptr, nullptr), X509_free};
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{PEM_read_bio_PrivateKey(key_text.get(), nullptr, nullptr, nullptr), EVP_PKEY_free};
  SSL_CTX_set_min_proto_version(context, version);
  SSL_CTX_set_max_proto_version(context, version);
  const bool is_set = SSL_CTX_use_certificate(context, certificate.get()) == 1 && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
  if (!is_set) throw std::runtime_error("a server's certificate");
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  TlsServerStream::keep_secrets(context);
  return context;
}

TlsServerContexts::TlsServerContexts(const std::string& certificate_pem, const std::string& key_pem)
    : tls12_(make(TLS1_2_VERSION, certificate_pem, key_pem)), tls13_(make(TLS1_3_VERSION, certificate_pem, key_pem)) {}

TlsServerContexts::~TlsServerContexts() {
  SSL_CTX_free(tls12_);
  SSL_CTX_free(tls13_);
}

TlsServerStream::TlsServerStream(TcpEndpoint tcp, SSL_CTX* context) : TlsStream(std::move(tcp), context, {}) { SSL_set_accept_state(ssl()); }

Agreement TlsServerStream::agreement() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl());
  if (cipher == nullptr) cipher = SSL_get_pending_cipher(ssl());  // of TLS 1.2, until the client changes to it
  if (cipher == nullptr) return {};
  Agreement out{.is_tls13 = SSL_version(ssl()) == TLS1_3_VERSION, .suite = SSL_CIPHER_get_protocol_id(cipher), .server_random = std::vector<std::uint8_t>(32)};
  SSL_get_server_random(ssl(), out.server_random.data(), out.server_random.size());
  return out;
}

}  // namespace cutwater::sim
