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

}  // namespace

struct TlsClientCallbacks {
  static TlsClientStream& of(const SSL* ssl) { return static_cast<TlsClientStream&>(TlsStream::of(ssl)); }

  static void prepare(SSL_CTX* context) {
    TlsStream::keep_secrets(context);
    SSL_CTX_sess_set_new_cb(context, keep_session);
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
    const auto block = static_cast<TlsClientStream*>(arg)->plan_.padding_bytes;
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
    TlsClientCallbacks::prepare(context);
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

TlsStream::Limits TlsClientStream::limits_of(const TlsPlan& plan) {
  Limits limits;
  if (plan.max_fragment_code != 0) limits.most_fragment_bytes = std::size_t{256} << plan.max_fragment_code;
  if (plan.handshake_piece_bytes != 0) limits.handshake_piece_bytes = plan.handshake_piece_bytes;
  return limits;
}

TlsClientStream::TlsClientStream(TcpEndpoint tcp, const TlsClientContexts& contexts, const TlsPlan& plan, KeptSession& kept)
    : TlsStream(std::move(tcp), contexts.find(plan.suite), limits_of(plan)), plan_(plan), kept_(kept) {
  SSL_set_connect_state(ssl());
  SSL_set_tlsext_host_name(ssl(), "sim.example");
  if (plan_.max_fragment_code != 0) SSL_set_tlsext_max_fragment_length(ssl(), static_cast<std::uint8_t>(plan_.max_fragment_code));
  if (plan_.padding_bytes != 0) {
    SSL_set_record_padding_callback_arg(ssl(), this);
    SSL_set_record_padding_callback(ssl(), TlsClientCallbacks::pad);
  }
  if (plan_.group_p384_first) SSL_set1_groups_list(ssl(), "P-384:X25519:P-256");
  if (plan_.hello_filler_bytes != 0) {
    std::vector<std::uint8_t> names;
    while (names.size() < plan_.hello_filler_bytes) {
      names.push_back(200);
      names.insert(names.end(), 200, static_cast<std::uint8_t>('a' + names.size() % 26));
    }
    SSL_set_alpn_protos(ssl(), names.data(), static_cast<unsigned>(names.size()));
  }
  const bool fits = kept_.session != nullptr && kept_.suite == plan_.suite && kept_.max_fragment_code == plan_.max_fragment_code;
  if (plan_.is_resumption && fits) SSL_set_session(ssl(), kept_.session);
}

}  // namespace cutwater::sim
