// A real TLS server (OpenSSL over memory BIOs) above a model TCP endpoint, for services whose servers speak TLS.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "sim/tls_stream.hpp"

namespace cutwater::sim {

/// OpenSSL's contexts of servers, one for each version, with one certificate.
class TlsServerContexts {
 public:
  TlsServerContexts(const std::string& certificate_pem, const std::string& key_pem);
  ~TlsServerContexts();
  TlsServerContexts(const TlsServerContexts&) = delete;
  TlsServerContexts& operator=(const TlsServerContexts&) = delete;
  [[nodiscard]] SSL_CTX* find(int version) const noexcept { return version == TLS1_3_VERSION ? tls13_ : tls12_; }

 private:
  static SSL_CTX* make(int version, const std::string& certificate_pem, const std::string& key_pem);
  SSL_CTX *tls12_, *tls13_;
};

/// What a server's hello decided.
struct Agreement {
  bool is_tls13 = false;
  std::uint16_t suite = 0;  // IANA; 0: not decided yet
  std::vector<std::uint8_t> server_random;
};

class TlsServerStream final : public TlsStream {
 public:
  TlsServerStream(TcpEndpoint tcp, SSL_CTX* context);
  [[nodiscard]] Agreement agreement() const;

 private:
  friend class TlsServerContexts;
};

}  // namespace cutwater::sim
