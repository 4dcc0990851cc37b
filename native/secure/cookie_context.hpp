// A TLS context whose key for HelloRetryRequest cookies is known, so that cookies made elsewhere are its own. OpenSSL draws that
// key when it makes a context and has no way to set it; here the draw itself is answered. What it relies on is checked each time:
// another library that draws differently gives an error, never a key nobody knows.
// Thread: any (one lock). Implements: H3.
#pragma once

#include "base/bytes.hpp"
#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

inline constexpr std::size_t kCookieKeyBytes = 32;

/// Returns: nullptr when the library does not take its key from where it should.
SslCtxPtr make_context_with_cookie_key(Bytes cookie_key);

/// Makes TLS objects accept cookies of that key; whoever made them has judged what is inside.
void accept_cookies(SSL_CTX* context);

}  // namespace cutwater::secure
