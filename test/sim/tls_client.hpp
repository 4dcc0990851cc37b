// A real TLS client (OpenSSL over memory BIOs) above a model TCP endpoint.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <span>

#include "sim/tls_stream.hpp"

namespace cutwater::sim {

struct TlsPlan {
  std::uint16_t suite = 0x1301;              // IANA; decides the version too
  std::uint32_t max_fragment_code = 0;       // RFC 6066 4: 1 = 512 … 4 = 4096; 0: not asked for
  std::uint32_t padding_bytes = 0;           // TLS 1.3: records are padded to a multiple of it
  std::uint32_t hello_filler_bytes = 0;      // a hello larger than a segment, as post-quantum key shares make it
  std::uint32_t handshake_piece_bytes = 0;   // 0: flights as they come; 1: a byte per write
  bool is_resumption = false;                // offer the session that the last connection of this run got
  bool group_p384_first = false;             // costs a HelloRetryRequest where the server prefers another
};

/// OpenSSL's contexts, one for each suite, made once per process: making them is dearer than a handshake.
class TlsClientContexts {
 public:
  TlsClientContexts();
  ~TlsClientContexts();
  TlsClientContexts(const TlsClientContexts&) = delete;
  TlsClientContexts& operator=(const TlsClientContexts&) = delete;
  [[nodiscard]] SSL_CTX* find(std::uint16_t suite) const noexcept;
  static std::span<const std::uint16_t> suites() noexcept;
  /// A client's first flight, for whoever reads no more than that.
  [[nodiscard]] std::vector<std::uint8_t> hello() const;

 private:
  std::vector<SSL_CTX*> contexts_;
};

/// The session that a client of this run keeps for its next connection.
struct KeptSession {
  SSL_SESSION* session = nullptr;
  std::uint16_t suite = 0;               // offered again only with what it was made with
  std::uint32_t max_fragment_code = 0;
  KeptSession() = default;
  KeptSession(const KeptSession&) = delete;
  KeptSession& operator=(const KeptSession&) = delete;
  ~KeptSession() { SSL_SESSION_free(session); }
};

class TlsClientStream final : public TlsStream {
 public:
  TlsClientStream(TcpEndpoint tcp, const TlsClientContexts& contexts, const TlsPlan& plan, KeptSession& kept);
  [[nodiscard]] bool is_resumed() const noexcept { return SSL_session_reused(ssl()) == 1; }

 private:
  friend struct TlsClientCallbacks;
  static Limits limits_of(const TlsPlan& plan);

  TlsPlan plan_;
  KeptSession& kept_;
};

}  // namespace cutwater::sim
