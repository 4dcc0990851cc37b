#include "secure/retried_session.hpp"

#include <openssl/opensslv.h>

#include <array>
#include <optional>

#include "base/bytes.hpp"

// The library's own names, in its static archive; __wrap_X takes its calls of X (build.cmake: --wrap), __real_X is X itself.
extern "C" {
int __real_tls_parse_extension(SSL* ssl, int index, int context, void* extensions, X509* certificate, std::size_t chain_index);
int ssl_get_new_session(SSL* ssl, int has_id);
int create_synthetic_message_hash(SSL* ssl, const unsigned char* hash, std::size_t hash_bytes, const unsigned char* retry, std::size_t retry_bytes);
}

namespace cutwater::secure {

namespace {

// The order of extensions within libssl (enum tlsext_index_en). Another version has another order: there, sessions are not taken
// up behind a retry, and the handshake is a full one. test/native/path/retry_test.cpp says if they are.
constexpr bool kIsKnownOrder = OPENSSL_VERSION_MAJOR == 3 && OPENSSL_VERSION_MINOR == 0;
constexpr int kSupportedGroups = 5, kKeyShare = 19, kCookie = 20, kPreSharedKey = 25;

thread_local RetriedSession* reading = nullptr;

constexpr std::size_t kMaxRetryBytes = 512;
constexpr std::uint8_t kRetryRandom[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                         0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

/// Empty when the hello has no such extension.
Bytes extension(SSL* ssl, unsigned type) noexcept {
  const unsigned char* body = nullptr;
  std::size_t bytes = 0;
  return SSL_client_hello_get0_ext(ssl, type, &body, &bytes) == 1 ? Bytes{body, bytes} : Bytes{};
}

/// What a cookie of the library's format says of the retry, and the first hello's hash. Its authenticator has been checked.
struct CookieState {
  std::uint16_t group = 0, suite = 0;
  bool asks_for_share = false;
  Bytes first_hello;

  static std::optional<CookieState> read(Bytes cookie) noexcept {
    constexpr std::size_t kHeadBytes = 17;  // format, version, group, suite, whether a share is asked for, time
    if (cookie.size() < kHeadBytes + 2) return {};
    const std::size_t hash_bytes = load_be16(cookie.data() + kHeadBytes);
    if (cookie.size() < kHeadBytes + 2 + hash_bytes) return {};
    return CookieState{load_be16(cookie.data() + 4), load_be16(cookie.data() + 6), cookie[8] != 0, cookie.subspan(kHeadBytes + 2, hash_bytes)};
  }
};

class RetryWriter {
 public:
  void u8(unsigned v) noexcept { bytes(std::array{static_cast<std::uint8_t>(v)}); }
  void u16(unsigned v) noexcept { bytes(std::array{static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)}); }
  void bytes(Bytes v) noexcept {
    is_whole_ = is_whole_ && v.size() <= out_.size() - size_;
    if (is_whole_ && !v.empty()) std::memcpy(out_.data() + size_, v.data(), v.size());
    if (is_whole_) size_ += v.size();
  }
  [[nodiscard]] Bytes view() const noexcept { return Bytes{out_}.first(is_whole_ ? size_ : 0); }

 private:
  std::array<std::uint8_t, kMaxRetryBytes> out_;
  std::size_t size_ = 0;
  bool is_whole_ = true;
};

/// The HelloRetryRequest as it was (hello/retry.cpp): RFC 9846, "Server Hello". `cookie` is the extension's body.
RetryWriter retry_of(const CookieState& state, Bytes session_id, Bytes cookie) noexcept {
  const std::size_t share_bytes = state.asks_for_share ? 6 : 0;
  const std::size_t extensions_bytes = 6 + share_bytes + 4 + cookie.size();
  RetryWriter out;
  out.u8(SSL3_MT_SERVER_HELLO);
  out.u8(0);
  out.u16(static_cast<unsigned>(2 + sizeof kRetryRandom + 1 + session_id.size() + 2 + 1 + 2 + extensions_bytes));
  out.u16(TLS1_2_VERSION);
  out.bytes(kRetryRandom);
  out.u8(static_cast<unsigned>(session_id.size()));
  out.bytes(session_id);
  out.u16(state.suite);
  out.u8(0);
  out.u16(static_cast<unsigned>(extensions_bytes));
  out.u16(TLSEXT_TYPE_supported_versions);
  out.u16(2);
  out.u16(TLS1_3_VERSION);
  if (state.asks_for_share) {
    out.u16(TLSEXT_TYPE_key_share);
    out.u16(2);
    out.u16(state.group);
  }
  out.u16(TLSEXT_TYPE_cookie);
  out.u16(static_cast<unsigned>(cookie.size()));
  out.bytes(cookie);
  return out;
}

/// So early the library has not noted the session ID of the hello, which is part of the retry: the transcript that it made is
/// without, and is made again.
bool mend_transcript(SSL* ssl, Bytes cookie) noexcept {
  const auto state = cookie.size() < 2 ? std::nullopt : CookieState::read(cookie.subspan(2));
  if (!state) return false;
  const unsigned char* id = nullptr;
  const std::size_t id_bytes = SSL_client_hello_get0_session_id(ssl, &id);
  const RetryWriter retry = retry_of(*state, {id, id_bytes}, cookie);
  return !retry.view().empty() && create_synthetic_message_hash(ssl, state->first_hello.data(), state->first_hello.size(),
                                                                retry.view().data(), retry.view().size()) == 1;
}

}  // namespace

RetriedSession::RetriedSession(const SSL* ssl) noexcept : ssl_(ssl) { reading = this; }

RetriedSession::~RetriedSession() { reading = nullptr; }

bool RetriedSession::may_resume(const SSL* ssl) noexcept {
  return reading == nullptr || reading->ssl_ != ssl || reading->has_cookie_;
}

bool RetriedSession::read_cookie(SSL* ssl, int context, void* extensions) noexcept {
  if (reading == nullptr || reading->ssl_ != ssl || reading->has_cookie_ || extension(ssl, TLSEXT_TYPE_psk).empty()) return true;
  const Bytes cookie = extension(ssl, TLSEXT_TYPE_cookie);  // read before the library has, which uses extensions up
  // The key share's group is noted in the session, and there is none yet. One of no version at all serves: the library finds that
  // it does not fit and drops it, unless the client's own has taken its place.
  if (ssl_get_new_session(ssl, 0) != 1) return false;
  SSL_SESSION_set_protocol_version(SSL_get_session(ssl), 0);
  // The cookie names the suite and the group that were chosen, and is held against those chosen now.
  for (const int index : {kSupportedGroups, kKeyShare, kCookie}) {
    if (__real_tls_parse_extension(ssl, index, context, extensions, nullptr, 0) != 1) return false;
  }
  return reading->has_cookie_ = mend_transcript(ssl, cookie);
}

}  // namespace cutwater::secure

extern "C" int __wrap_tls_parse_extension(SSL* ssl, int index, int context, void* extensions, X509* certificate,
                                          std::size_t chain_index) {
  using namespace cutwater::secure;
  if (kIsKnownOrder && index == kPreSharedKey && !RetriedSession::read_cookie(ssl, context, extensions)) return 0;
  return __real_tls_parse_extension(ssl, index, context, extensions, certificate, chain_index);
}
