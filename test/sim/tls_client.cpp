#include "sim/tls_client.hpp"

#include <openssl/err.h>

#include <stdexcept>

namespace cutwater::sim {
namespace {

struct SuiteName {
  std::uint16_t iana;
  const char* name;
  int version;
};
constexpr std::array<SuiteName, 6> kSuites{{{0x1301, "TLS_AES_128_GCM_SHA256", TLS1_3_VERSION},
                                            {0x1302, "TLS_AES_256_GCM_SHA384", TLS1_3_VERSION},
                                            {0x1303, "TLS_CHACHA20_POLY1305_SHA256", TLS1_3_VERSION},
                                            {0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256", TLS1_2_VERSION},
                                            {0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384", TLS1_2_VERSION},
                                            {0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305", TLS1_2_VERSION}}};
constexpr std::array<std::uint16_t, 6> kSuiteNumbers{0x1301, 0x1302, 0x1303, 0xc02b, 0xc02c, 0xcca9};

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

struct TlsClientCallbacks {
  static TlsStream& of(const SSL* ssl) { return *static_cast<TlsStream*>(SSL_get_app_data(ssl)); }

  static void log_key(const SSL* ssl, const char* line) {
    if (auto secret = read_key_log(line)) of(ssl).secrets_.push_back(std::move(*secret));
  }
  static int keep_session(SSL* ssl, SSL_SESSION* session) {
    auto& kept = of(ssl).kept_;
    SSL_SESSION_free(kept.session);
    kept.session = session;
    kept.suite = of(ssl).plan_.suite;
    kept.max_fragment_code = of(ssl).plan_.max_fragment_code;
    return 1;
  }
  static std::size_t pad(SSL*, int, std::size_t length, void* arg) {
    const auto block = static_cast<TlsStream*>(arg)->plan_.padding_bytes;
    const auto over = length % block;
    const auto padding = over == 0 ? 0 : block - over;
    return length + padding <= SSL3_RT_MAX_PLAIN_LENGTH ? padding : 0;
  }
};

TlsClientContexts::TlsClientContexts() {
  for (const auto& suite : kSuites) {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    if (context == nullptr) throw std::runtime_error("SSL_CTX_new");
    SSL_CTX_set_min_proto_version(context, suite.version);
    SSL_CTX_set_max_proto_version(context, suite.version);
    const int known = suite.version == TLS1_3_VERSION ? SSL_CTX_set_ciphersuites(context, suite.name) : SSL_CTX_set_cipher_list(context, suite.name);
    if (known != 1) throw std::runtime_error(suite.name);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);  // the run is about bytes, not about whom one trusts
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(context, TlsClientCallbacks::keep_session);
    SSL_CTX_set_keylog_callback(context, TlsClientCallbacks::log_key);
    contexts_.push_back(context);
  }
}

TlsClientContexts::~TlsClientContexts() {
  for (auto* context : contexts_) SSL_CTX_free(context);
}

SSL_CTX* TlsClientContexts::find(std::uint16_t suite) const noexcept {
  for (std::size_t i = 0; i < kSuites.size(); ++i) {
    if (kSuites[i].iana == suite) return contexts_[i];
  }
  return nullptr;
}

std::span<const std::uint16_t> TlsClientContexts::suites() noexcept { return kSuiteNumbers; }

std::vector<std::uint8_t> TlsClientContexts::hello() const {
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl{SSL_new(contexts_[0]), SSL_free};
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_connect_state(ssl.get());
  SSL_set_tlsext_host_name(ssl.get(), "sim.example");
  SSL_do_handshake(ssl.get());
  ERR_clear_error();
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(SSL_get_wbio(ssl.get()), &data);
  return {data, data + bytes};
}

TlsStream::TlsStream(TcpEndpoint tcp, const TlsClientContexts& contexts, const TlsPlan& plan, KeptSession& kept)
    : tcp_(std::move(tcp)), plan_(plan), ssl_(SSL_new(contexts.find(plan.suite))), kept_(kept) {
  if (ssl_ == nullptr) throw std::runtime_error("SSL_new");
  SSL_set_app_data(ssl_, this);
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  BIO_set_mem_eof_return(SSL_get_rbio(ssl_), -1);
  SSL_set_connect_state(ssl_);
  SSL_set_tlsext_host_name(ssl_, "sim.example");
  if (plan_.max_fragment_code != 0) SSL_set_tlsext_max_fragment_length(ssl_, static_cast<std::uint8_t>(plan_.max_fragment_code));
  if (plan_.padding_bytes != 0) {
    SSL_set_record_padding_callback_arg(ssl_, this);
    SSL_set_record_padding_callback(ssl_, TlsClientCallbacks::pad);
  }
  if (plan_.group_p384_first) SSL_set1_groups_list(ssl_, "P-384:X25519:P-256");
  if (plan_.hello_filler_bytes != 0) {
    std::vector<std::uint8_t> names;
    while (names.size() < plan_.hello_filler_bytes) {
      names.push_back(200);
      names.insert(names.end(), 200, static_cast<std::uint8_t>('a' + names.size() % 26));
    }
    SSL_set_alpn_protos(ssl_, names.data(), static_cast<unsigned>(names.size()));
  }
  const bool fits = kept_.session != nullptr && kept_.suite == plan_.suite && kept_.max_fragment_code == plan_.max_fragment_code;
  if (plan_.is_resumption && fits) SSL_set_session(ssl_, kept_.session);
}

TlsStream::~TlsStream() { SSL_free(ssl_); }

void TlsStream::pump(std::size_t budget, std::uint64_t now) {
  const auto ready = tcp_.readable();
  const auto bytes = std::min(budget, ready.size());
  if (bytes > 0) {
    BIO_write(SSL_get_rbio(ssl_), ready.data(), static_cast<int>(bytes));
    tcp_.consume(bytes, now);
  }
  if (!handshake_done_ && !failed_ && tcp_.is_established()) handshake(now);
  drain(now);
}

void TlsStream::handshake(std::uint64_t now) {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    handshake_done_ = true;
  } else {
    note_error("handshake", result);
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
  const bool dribbles = plan_.handshake_piece_bytes != 0 && !handshake_done_;
  while (!outgoing_.empty()) {
    const auto piece = dribbles ? std::min<std::size_t>(outgoing_.size(), plan_.handshake_piece_bytes) : outgoing_.size();
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
  const auto limit = plan_.max_fragment_code != 0 ? std::size_t{256} << plan_.max_fragment_code : std::size_t{16'384};
  bytes = bytes.first(std::min(bytes.size(), limit));
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

void TlsStream::close_write(std::uint64_t now) {
  ERR_clear_error();
  if (!failed_) SSL_shutdown(ssl_);
  close_notify_end_ = cipher_written();
  then_ = Then::fin;
  drain(now);
}

void TlsStream::truncate(std::uint64_t now) {
  then_ = Then::fin;
  drain(now);
}

void TlsStream::close(std::uint64_t now) {
  ERR_clear_error();
  if (!failed_) SSL_shutdown(ssl_);
  close_notify_end_ = cipher_written();
  then_ = Then::close;
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

std::uint64_t TlsStream::cipher_written() const noexcept {
  char* data = nullptr;
  const long pending = BIO_get_mem_data(SSL_get_wbio(ssl_), &data);
  return cipher_moved_ + static_cast<std::uint64_t>(pending > 0 ? pending : 0);
}

}  // namespace cutwater::sim
