// RAND_METHOD is how a random source is put in OpenSSL's place; it is deprecated for lasting use, which this is not.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "secure/cookie_context.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <mutex>

namespace cutwater::secure {
namespace {

// SSL_CTX_new draws a ticket key's name (16 bytes), then three keys of 32: two for tickets, which our callback never lets it use,
// and the last for cookies. Source: ssl/ssl_lib.c of OpenSSL 1.1.1 to 3.x.
constexpr int kTicketNameBytes = 16;
constexpr unsigned kDraws = 4;

struct Draw {
  Bytes cookie_key;
  unsigned count = 0;
  bool is_as_expected = true;
};
thread_local Draw* drawing = nullptr;  // other threads get what they always get

int draw_bytes(unsigned char* out, int bytes) noexcept {
  if (drawing == nullptr) return RAND_OpenSSL()->bytes(out, bytes);
  const unsigned index = drawing->count++;
  const int expected = index == 0 ? kTicketNameBytes : static_cast<int>(kCookieKeyBytes);
  drawing->is_as_expected = drawing->is_as_expected && index < kDraws && bytes == expected;
  if (!drawing->is_as_expected || index + 1 != kDraws) return RAND_OpenSSL()->bytes(out, bytes);
  std::copy(drawing->cookie_key.begin(), drawing->cookie_key.end(), out);
  return 1;
}

int generate_none(SSL*, unsigned char*, std::size_t*) noexcept { return 0; }  // a processor answers second hellos only
int accept_any(SSL*, const unsigned char*, std::size_t) noexcept { return 1; }

}  // namespace

SslCtxPtr make_context_with_cookie_key(Bytes cookie_key) {
  static std::mutex mutex;  // one method at a time
  static constexpr RAND_METHOD kMethod{nullptr, draw_bytes, nullptr, nullptr, draw_bytes, nullptr};
  const std::lock_guard lock(mutex);
  Draw draw{cookie_key};
  const RAND_METHOD* usual = RAND_get_rand_method();
  RAND_set_rand_method(&kMethod);
  drawing = &draw;
  SslCtxPtr context{SSL_CTX_new(TLS_server_method())};
  drawing = nullptr;
  RAND_set_rand_method(usual);
  if (draw.count != kDraws || !draw.is_as_expected) context.reset();
  return context;
}

void accept_cookies(SSL_CTX* context) {
  SSL_CTX_set_stateless_cookie_generate_cb(context, generate_none);
  SSL_CTX_set_stateless_cookie_verify_cb(context, accept_any);
}

}  // namespace cutwater::secure
