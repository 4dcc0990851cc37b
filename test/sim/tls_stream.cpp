#include "sim/tls_stream.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <stdexcept>

namespace cutwater::sim {
namespace {

std::vector<std::uint8_t> from_hex(std::string_view text) {
  const auto digit = [](char c) { return static_cast<std::uint8_t>(c <= '9' ? c - '0' : (c | 32) - 'a' + 10); };
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) out.push_back(static_cast<std::uint8_t>(digit(text[i]) << 4 | digit(text[i + 1])));
  return out;
}

}  // namespace

std::optional<LoggedSecret> read_key_log(std::string_view line) {
  const auto first = line.find(' '), second = line.find(' ', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  return LoggedSecret{std::string{line.substr(0, first)}, from_hex(line.substr(first + 1, second - first - 1)), from_hex(line.substr(second + 1))};
}

TlsStream::TlsStream(TcpEndpoint tcp, SSL_CTX* context, Limits limits) : tcp_(std::move(tcp)), ssl_(SSL_new(context)), limits_(limits) {
  if (ssl_ == nullptr) throw std::runtime_error("SSL_new");
  SSL_set_app_data(ssl_, this);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(ssl_), -1);
}

void TlsStream::keep_secrets(SSL_CTX* context) {
  SSL_CTX_set_keylog_callback(context, [](const SSL* ssl, const char* line) {
    if (auto secret = read_key_log(line)) of(ssl).secrets_.push_back(std::move(*secret));
  });
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

void TlsStream::pump(std::size_t budget, std::uint64_t now) {
  const auto ready = tcp_.readable();
  const auto bytes = std::min(budget, ready.size());
  if (bytes > 0) {
    BIO_write(SSL_get_rbio(ssl_), ready.data(), static_cast<int>(bytes));
    tcp_.consume(bytes, now);
  }
  if (!handshake_done_ && !failed_ && tcp_.is_established()) {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_);
    handshake_done_ = result == 1;
    if (!handshake_done_) note_error("handshake", result);
  }
  drain(now);
}

/// Moves ciphertext on: from OpenSSL to the queue, from the queue to TCP, and after the last byte the FIN that waits for it.
void TlsStream::drain(std::uint64_t now) {
  BIO* bio = SSL_get_wbio(ssl_);
  char* data = nullptr;
  const long pending = BIO_get_mem_data(bio, &data);
  if (pending > 0) {
    outgoing_.push({reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(pending)});
    cipher_moved_ += static_cast<std::uint64_t>(pending);
    BIO_reset(bio);
  }
  while (!outgoing_.empty()) {
    const auto piece = handshake_done_ ? outgoing_.size() : std::min(outgoing_.size(), limits_.handshake_piece_bytes);
    const auto taken = tcp_.write(outgoing_.view().first(piece), now);
    if (taken == 0) break;
    outgoing_.pop(taken);
  }
  if (!outgoing_.empty()) return;
  if (failed_ && then_ == Then::nothing && tcp_.failure() == TcpFailure::none) tcp_.close(now);  // behind OpenSSL's alert
  if (then_ == Then::fin) tcp_.close_write(now);
  if (then_ == Then::close) tcp_.close(now);
  then_ = Then::nothing;
}

std::size_t TlsStream::write(Bytes bytes, std::uint64_t now) {
  drain(now);
  if (failed_ || !outgoing_.empty() || then_ != Then::nothing) return 0;
  bytes = bytes.first(std::min(bytes.size(), limits_.most_fragment_bytes));
  ERR_clear_error();
  const int result = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
  if (result <= 0) {
    note_error("write", result);
    return 0;
  }
  records_.push_back({plain_written_, plain_written_ + bytes.size(), newest_record_begin(), cipher_written()});
  plain_written_ += bytes.size();
  drain(now);
  return bytes.size();
}

std::size_t TlsStream::read(MutableBytes out, std::uint64_t now) {
  if (!handshake_done_ || failed_ || got_close_notify_) return 0;
  ERR_clear_error();
  const int result = SSL_read(ssl_, out.data(), static_cast<int>(out.size()));
  drain(now);  // an answer to a key update, perhaps
  if (result > 0) return static_cast<std::size_t>(result);
  if (SSL_get_error(ssl_, result) == SSL_ERROR_ZERO_RETURN) got_close_notify_ = true;
  else note_error("read", result);
  return 0;
}

void TlsStream::truncate(std::uint64_t now) {
  then_ = Then::fin;
  drain(now);
}

void TlsStream::say_goodbye(Then then, std::uint64_t now) {
  ERR_clear_error();
  if (!failed_) SSL_shutdown(ssl_);
  close_notify_end_ = cipher_written();
  then_ = then;
  drain(now);
}

void TlsStream::update_key(KeyUpdate which, std::uint64_t now) {
  if (SSL_version(ssl_) != TLS1_3_VERSION || failed_) return;
  SSL_key_update(ssl_, which == KeyUpdate::both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
  SSL_do_handshake(ssl_);
  drain(now);
}

Ending TlsStream::ending() const noexcept {
  if (failed_) return Ending::failed;
  if (got_close_notify_ && tcp_.is_at_end()) return Ending::clean;
  if (tcp_.failure() != TcpFailure::none) return got_close_notify_ && tcp_.failure() == TcpFailure::aborted ? Ending::clean : Ending::failed;
  return tcp_.is_at_end() ? Ending::truncated : Ending::open;
}

std::uint64_t TlsStream::cipher_written() const noexcept {
  char* data = nullptr;
  const long pending = BIO_get_mem_data(SSL_get_wbio(ssl_), &data);
  return cipher_moved_ + static_cast<std::uint64_t>(pending > 0 ? pending : 0);
}

/// Of what OpenSSL has written since it was last drained: a KeyUpdate that was due may stand in front of the record that was asked for.
std::uint64_t TlsStream::newest_record_begin() const noexcept {
  constexpr std::uint64_t kHeaderBytes = 5;
  char* data = nullptr;
  const auto pending = static_cast<std::uint64_t>(std::max(BIO_get_mem_data(SSL_get_wbio(ssl_), &data), 0L));
  const auto end_of = [&](std::uint64_t at) {
    return at + kHeaderBytes + (std::uint64_t{static_cast<std::uint8_t>(data[at + 3])} << 8 | static_cast<std::uint8_t>(data[at + 4]));
  };
  std::uint64_t at = 0;
  while (end_of(at) < pending) at = end_of(at);
  return cipher_moved_ + at;
}

void TlsStream::note_error(std::string_view doing, int result) {
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return;
  failed_ = true;
  std::array<char, 160> text{};
  trouble_ = std::string{doing} + ":";
  while (const auto code = ERR_get_error()) {
    ERR_error_string_n(code, text.data(), text.size());
    trouble_ += std::string{" "} + text.data();
  }
}

}  // namespace cutwater::sim
