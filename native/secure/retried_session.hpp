// A session behind a HelloRetryRequest. OpenSSL 3.0 checks a client's proof for a session (RFC 9846, "Pre-Shared Key Extension")
// before it looks at the cookie. The proof is over a transcript that only the cookie can tell, so behind a stateless retry it
// never holds. Here the cookie is read first, with what it is compared to, and the library goes on as if it had been so always.
// Thread: the handshake's own. Used by: openssl_session.cpp, service_callbacks.cpp. Implements: H3, H6.
#pragma once

#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

/// While it lives, `ssl` is reading a second hello on this thread.
class RetriedSession {
 public:
  explicit RetriedSession(const SSL* ssl) noexcept;
  ~RetriedSession();
  RetriedSession(const RetriedSession&) = delete;
  RetriedSession& operator=(const RetriedSession&) = delete;

  /// Whether a session may be taken up: false while `ssl` reads a second hello of which the cookie is not known yet.
  static bool may_resume(const SSL* ssl) noexcept;
  /// Called in the library's place, before it reads a session. Returns: false when the hello is refused.
  static bool read_cookie(SSL* ssl, int context, void* extensions) noexcept;

 private:
  const SSL* ssl_;
  bool has_cookie_ = false;
};

}  // namespace cutwater::secure
