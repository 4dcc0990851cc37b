// TLS of a real library (OpenSSL over memory BIOs) above a model TCP endpoint: what clients and servers have in common.
// Thread: one run, one thread. Used by: tls_client, tls_server.
#pragma once

#include <openssl/ssl.h>

#include <limits>
#include <optional>

#include "sim/stream.hpp"

namespace cutwater::sim {

/// Where a record lies, in its writer's plaintext and ciphertext. Told to the taps: I4 is checked against it.
struct WrittenRecord {
  std::uint64_t plain_begin = 0, plain_end = 0, cipher_begin = 0, cipher_end = 0;
};

/// A secret as a key log gives it: "SERVER_TRAFFIC_SECRET_0" and so on.
struct LoggedSecret {
  std::string label;
  std::vector<std::uint8_t> client_random, secret;
};
/// Returns: what a line of a key log says, or nothing where it says nothing.
[[nodiscard]] std::optional<LoggedSecret> read_key_log(std::string_view line);

class TlsStream : public Stream {
 public:
  ~TlsStream() override;

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

  [[nodiscard]] bool has_sent_close_notify() const noexcept { return close_notify_end_ != 0; }
  /// Where its close_notify ends in its ciphertext; 0: not sent.
  [[nodiscard]] std::uint64_t close_notify_end() const noexcept { return close_notify_end_; }
  [[nodiscard]] const std::vector<WrittenRecord>& records() const noexcept { return records_; }
  [[nodiscard]] const std::vector<LoggedSecret>& secrets() const noexcept { return secrets_; }

 protected:
  /// `most_fragment_bytes` of a record; a flight goes out in pieces of `handshake_piece_bytes`.
  struct Limits {
    std::size_t most_fragment_bytes = 16'384, handshake_piece_bytes = std::numeric_limits<std::size_t>::max();
  };
  TlsStream(TcpEndpoint tcp, SSL_CTX* context, Limits limits);
  /// A context's secrets go to the stream they are of.
  static void keep_secrets(SSL_CTX* context);
  [[nodiscard]] SSL* ssl() const noexcept { return ssl_; }
  [[nodiscard]] static TlsStream& of(const SSL* ssl) { return *static_cast<TlsStream*>(SSL_get_app_data(ssl)); }

 private:
  enum class Then : std::uint8_t { nothing, fin, close };
  void drain(std::uint64_t now);
  void say_goodbye(Then then, std::uint64_t now);
  void note_error(std::string_view doing, int result);
  [[nodiscard]] std::uint64_t cipher_written() const noexcept;
  [[nodiscard]] std::uint64_t newest_record_begin() const noexcept;

  TcpEndpoint tcp_;
  SSL* ssl_ = nullptr;
  Limits limits_;
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
