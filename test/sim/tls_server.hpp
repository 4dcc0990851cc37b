// A real TLS server (OpenSSL over memory BIOs) above a model TCP endpoint, for services whose servers speak TLS.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "sim/stream.hpp"
#include "sim/tls_client.hpp"

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
  SSL_CTX *tls12_, *tls13_;
};

/// What a server's hello decided.
struct Agreement {
  bool is_tls13 = false;
  std::uint16_t suite = 0;  // IANA; 0: not decided yet
  std::vector<std::uint8_t> server_random;
};

class TlsServerStream final : public Stream {
 public:
  TlsServerStream(TcpEndpoint tcp, SSL_CTX* context);
  ~TlsServerStream() override;

  TcpEndpoint& tcp() noexcept override { return tcp_; }
  void pump(std::size_t budget, std::uint64_t now) override;
  bool is_open_for_data() const noexcept override { return handshake_done_; }
  std::size_t write(Bytes bytes, std::uint64_t now) override;
  std::size_t read(MutableBytes out, std::uint64_t now) override;
  void close_write(std::uint64_t now) override { say_goodbye(Then::fin, now); }
  void truncate(std::uint64_t now) override;
  void close(std::uint64_t now) override { say_goodbye(Then::close, now); }
  void update_key(KeyUpdate which, std::uint64_t now) override;
  Ending ending() const noexcept override;
  std::string trouble() const override { return trouble_; }

  /// Where its close_notify ends in its ciphertext; 0: not sent.
  [[nodiscard]] std::uint64_t close_notify_end() const noexcept { return close_notify_end_; }
  [[nodiscard]] const std::vector<WrittenRecord>& records() const noexcept { return records_; }
  [[nodiscard]] const std::vector<LoggedSecret>& secrets() const noexcept { return secrets_; }
  [[nodiscard]] Agreement agreement() const;

 private:
  enum class Then : std::uint8_t { nothing, fin, close };
  friend struct TlsServerCallbacks;
  [[nodiscard]] std::uint64_t cipher_written() const noexcept;
  void drain(std::uint64_t now);
  void say_goodbye(Then then, std::uint64_t now);
  void note_error(std::string_view doing, int result);

  TcpEndpoint tcp_;
  SSL* ssl_ = nullptr;
  bool handshake_done_ = false, got_close_notify_ = false, failed_ = false;
  Then then_ = Then::nothing;
  std::string trouble_;
  ByteQueue outgoing_;              // ciphertext that TCP has not taken yet
  std::uint64_t cipher_moved_ = 0;  // into outgoing_, from the first byte on
  std::uint64_t plain_written_ = 0, close_notify_end_ = 0;
  std::vector<WrittenRecord> records_;
  std::vector<LoggedSecret> secrets_;
};

}  // namespace cutwater::sim
