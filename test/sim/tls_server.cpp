#include "sim/tls_server.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <memory>
#include <stdexcept>

namespace cutwater::sim {

struct TlsServerCallbacks {
  static void log_key(const SSL* ssl, const char* line) {
    auto& stream = *static_cast<TlsServerStream*>(SSL_get_app_data(ssl));
    if (auto secret = read_key_log(line)) stream.secrets_.push_back(std::move(*secret));
  }
};

namespace {

SSL_CTX* make_context(int version, const std::string& certificate_pem, const std::string& key_pem) {
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
  SSL_CTX_set_keylog_callback(context, TlsServerCallbacks::log_key);
  return context;
}

}  // namespace

TlsServerContexts::TlsServerContexts(const std::string& certificate_pem, const std::string& key_pem)
    : tls12_(make_context(TLS1_2_VERSION, certificate_pem, key_pem)), tls13_(make_context(TLS1_3_VERSION, certificate_pem, key_pem)) {}

TlsServerContexts::~TlsServerContexts() {
  SSL_CTX_free(tls12_);
  SSL_CTX_free(tls13_);
}

TlsServerStream::TlsServerStream(TcpEndpoint tcp, SSL_CTX* context) : tcp_(std::move(tcp)), ssl_(SSL_new(context)) {
  if (ssl_ == nullptr) throw std::runtime_error("SSL_new");
  SSL_set_app_data(ssl_, this);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(ssl_), -1);
  SSL_set_accept_state(ssl_);
}

TlsServerStream::~TlsServerStream() { SSL_free(ssl_); }

void TlsServerStream::pump(std::size_t budget, std::uint64_t now) {
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
void TlsServerStream::drain(std::uint64_t now) {
  BIO* bio = SSL_get_wbio(ssl_);
  char* data = nullptr;
  const long pending = BIO_get_mem_data(bio, &data);
  if (pending > 0) {
    outgoing_.push({reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(pending)});
    cipher_moved_ += static_cast<std::uint64_t>(pending);
    BIO_reset(bio);
  }
  while (!outgoing_.empty()) {
    const auto taken = tcp_.write(outgoing_.view(), now);
    if (taken == 0) break;
    outgoing_.pop(taken);
  }
  if (!outgoing_.empty()) return;
  if (failed_ && then_ == Then::nothing && tcp_.failure() == TcpFailure::none) tcp_.close(now);  // behind OpenSSL's alert
  if (then_ == Then::fin) tcp_.close_write(now);
  if (then_ == Then::close) tcp_.close(now);
  then_ = Then::nothing;
}

std::size_t TlsServerStream::write(Bytes bytes, std::uint64_t now) {
  drain(now);
  if (failed_ || !outgoing_.empty() || then_ != Then::nothing) return 0;
  bytes = bytes.first(std::min<std::size_t>(bytes.size(), 16'384));
  ERR_clear_error();
  const int result = SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()));
  if (result <= 0) {
    note_error("write", result);
    return 0;
  }
  records_.push_back({plain_written_, plain_written_ + bytes.size(), cipher_written()});
  plain_written_ += bytes.size();
  drain(now);
  return bytes.size();
}

std::size_t TlsServerStream::read(MutableBytes out, std::uint64_t now) {
  if (!handshake_done_ || failed_ || got_close_notify_) return 0;
  ERR_clear_error();
  const int result = SSL_read(ssl_, out.data(), static_cast<int>(out.size()));
  drain(now);  // an answer to a key update, perhaps
  if (result > 0) return static_cast<std::size_t>(result);
  if (SSL_get_error(ssl_, result) == SSL_ERROR_ZERO_RETURN) got_close_notify_ = true;
  else note_error("read", result);
  return 0;
}

void TlsServerStream::truncate(std::uint64_t now) {
  then_ = Then::fin;
  drain(now);
}

void TlsServerStream::say_goodbye(Then then, std::uint64_t now) {
  ERR_clear_error();
  if (!failed_) SSL_shutdown(ssl_);
  close_notify_end_ = cipher_written();
  then_ = then;
  drain(now);
}

void TlsServerStream::update_key(KeyUpdate which, std::uint64_t now) {
  if (SSL_version(ssl_) != TLS1_3_VERSION || failed_) return;
  SSL_key_update(ssl_, which == KeyUpdate::both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
  SSL_do_handshake(ssl_);
  drain(now);
}

Ending TlsServerStream::ending() const noexcept {
  if (failed_) return Ending::failed;
  if (got_close_notify_ && tcp_.is_at_end()) return Ending::clean;
  if (tcp_.failure() != TcpFailure::none) return got_close_notify_ && tcp_.failure() == TcpFailure::aborted ? Ending::clean : Ending::failed;
  return tcp_.is_at_end() ? Ending::truncated : Ending::open;
}

Agreement TlsServerStream::agreement() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  if (cipher == nullptr) cipher = SSL_get_pending_cipher(ssl_);  // of TLS 1.2, until the client changes to it
  if (cipher == nullptr) return {};
  Agreement out{.is_tls13 = SSL_version(ssl_) == TLS1_3_VERSION, .suite = SSL_CIPHER_get_protocol_id(cipher), .server_random = std::vector<std::uint8_t>(32)};
  SSL_get_server_random(ssl_, out.server_random.data(), out.server_random.size());
  return out;
}

std::uint64_t TlsServerStream::cipher_written() const noexcept {
  char* data = nullptr;
  const long pending = BIO_get_mem_data(SSL_get_wbio(ssl_), &data);
  return cipher_moved_ + static_cast<std::uint64_t>(pending > 0 ? pending : 0);
}

void TlsServerStream::note_error(std::string_view doing, int result) {
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
