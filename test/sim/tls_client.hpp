// A real TLS client (OpenSSL over memory BIOs) above a model TCP endpoint.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <optional>
#include <span>

#include "sim/stream.hpp"

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

/// Where a record of the client lies, in its plaintext and in its ciphertext. Told to the taps: I4 is checked against it.
struct WrittenRecord {
  std::uint64_t plain_begin = 0, plain_end = 0, cipher_end = 0;
};

/// A secret as the client's key log gave it: "SERVER_TRAFFIC_SECRET_0" and so on.
struct LoggedSecret {
  std::string label;
  std::vector<std::uint8_t> client_random, secret;
};
/// Returns: what a line of a key log says, or nothing where it says nothing.
[[nodiscard]] std::optional<LoggedSecret> read_key_log(std::string_view line);

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

class TlsStream final : public Stream {
 public:
  TlsStream(TcpEndpoint tcp, const TlsClientContexts& contexts, const TlsPlan& plan, KeptSession& kept);
  ~TlsStream() override;

  TcpEndpoint& tcp() noexcept override { return tcp_; }
  void pump(std::size_t budget, std::uint64_t now) override;
  bool is_open_for_data() const noexcept override { return handshake_done_; }
  std::size_t write(Bytes bytes, std::uint64_t now) override;
  std::size_t read(MutableBytes out, std::uint64_t now) override;
  void close_write(std::uint64_t now) override;
  void truncate(std::uint64_t now) override;
  void close(std::uint64_t now) override;
  void update_key(KeyUpdate which, std::uint64_t now) override;
  Ending ending() const noexcept override;
  std::string trouble() const override { return trouble_; }

  [[nodiscard]] bool has_sent_close_notify() const noexcept { return close_notify_end_ != 0; }
  [[nodiscard]] const std::vector<WrittenRecord>& records() const noexcept { return records_; }
  [[nodiscard]] const std::vector<LoggedSecret>& secrets() const noexcept { return secrets_; }
  [[nodiscard]] bool is_resumed() const noexcept { return SSL_session_reused(ssl_) == 1; }

 private:
  enum class Then : std::uint8_t { nothing, fin, close };
  friend struct TlsClientCallbacks;
  void handshake(std::uint64_t now);
  void drain(std::uint64_t now);
  void note_error(std::string_view doing, int result);
  [[nodiscard]] std::uint64_t cipher_written() const noexcept;

  TcpEndpoint tcp_;
  TlsPlan plan_;
  SSL* ssl_ = nullptr;
  KeptSession& kept_;
  bool handshake_done_ = false, got_close_notify_ = false, failed_ = false;
  Then then_ = Then::nothing;
  std::string trouble_;
  ByteQueue outgoing_;             // ciphertext that TCP has not taken yet
  std::uint64_t cipher_moved_ = 0; // into outgoing_, from the first byte on
  std::uint64_t plain_written_ = 0, close_notify_end_ = 0;
  std::vector<WrittenRecord> records_;
  std::vector<LoggedSecret> secrets_;
};

}  // namespace cutwater::sim
