// A real OpenSSL server over memory: what stands behind a service whose servers speak TLS. Test only.
#pragma once

#include "native/secure/tls_client.hpp"

namespace cutwater::secure::test {

inline const TestCa& backend_ca() {
  static const TestCa ca("Backend CA");
  return ca;
}

/// What a server shows, and what it wants.
struct PeerPlan {
  LeafOptions leaf{.names = {"backend.test"}};
  const TestCa* issuer = &backend_ca();
  int version = TLS1_3_VERSION;
  std::vector<std::string> protocols{};  // empty: it knows no ALPN
  bool wants_certificate = false;
  std::size_t tickets = 2;
};

/// A real TLS server over memory.
class TlsPeer {
 public:
  explicit TlsPeer(const PeerPlan& plan) : plan_(plan), context_(SSL_CTX_new(TLS_server_method())), leaf_(plan.issuer->issue(plan.leaf)) {
    SSL_CTX* c = context_.get();
    SSL_CTX_set_min_proto_version(c, plan.version);
    SSL_CTX_set_max_proto_version(c, plan.version);
    SSL_CTX_use_certificate(c, leaf_.certificate.get());
    SSL_CTX_use_PrivateKey(c, leaf_.key.get());
    SSL_CTX_set_num_tickets(c, plan.tickets);
    SSL_CTX_set_alpn_select_cb(c, choose, &plan_);
    if (plan.wants_certificate) {
      SSL_CTX_set_verify(c, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
      X509_STORE_add_cert(SSL_CTX_get_cert_store(c), backend_ca().certificate());
    }
    ssl_.reset(SSL_new(c));
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
    SSL_set_accept_state(ssl_.get());
  }
  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  void give(Bytes bytes) {
    if (bytes.empty()) return;
    BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    if (SSL_is_init_finished(ssl_.get()) == 0) SSL_do_handshake(ssl_.get());
    char text[16'384];
    for (int n = SSL_read(ssl_.get(), text, sizeof text); n > 0; n = SSL_read(ssl_.get(), text, sizeof text)) got += std::string(text, static_cast<std::size_t>(n));
  }
  ByteVector take() {
    ByteVector bytes(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
    if (!bytes.empty()) BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void write(std::string_view text) { SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())); }
  [[nodiscard]] bool has_close_notify() const { return (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0; }

  std::string got;

 private:
  static int choose(SSL*, const unsigned char** out, unsigned char* out_bytes, const unsigned char* in, unsigned int in_bytes, void* arg) {
    for (const std::string& protocol : static_cast<const PeerPlan*>(arg)->protocols) {
      for (unsigned int at = 0; at < in_bytes; at += 1U + in[at]) {
        if (std::string_view(reinterpret_cast<const char*>(in + at + 1), in[at]) != protocol) continue;
        *out = in + at + 1, *out_bytes = in[at];
        return SSL_TLSEXT_ERR_OK;
      }
    }
    return SSL_TLSEXT_ERR_NOACK;
  }
  PeerPlan plan_;
  SslCtxPtr context_;
  Leaf leaf_;
  SslPtr ssl_;
};

}  // namespace cutwater::secure::test
