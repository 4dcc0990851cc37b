// The linker sends the library's calls of RAND_bytes_ex here (build.cmake: --wrap). Without that option no draw is ever answered,
// the ServerHello comes out with a random of the library's own, and handshakes that were begun without it fail.
// Source: ssl/s3_lib.c of OpenSSL 3.x (ssl_fill_hello_random).
#include "secure/server_random.hpp"

#include <openssl/rand.h>

#include <algorithm>

// The names are the linker's: __wrap_X takes the calls of X, __real_X is X itself.
extern "C" int __real_RAND_bytes_ex(OSSL_LIB_CTX* library, unsigned char* out, std::size_t bytes, unsigned int strength);

namespace cutwater::secure {
namespace {
thread_local ServerRandom* expected = nullptr;  // other threads get what they always get
}

ServerRandom::ServerRandom(Bytes random) noexcept : random_(random) { expected = this; }
ServerRandom::~ServerRandom() { expected = nullptr; }

Bytes ServerRandom::draw(std::size_t bytes) noexcept {
  is_as_expected_ = is_as_expected_ && ++draws_ == 1 && bytes == random_.size();
  return is_as_expected_ ? random_ : Bytes{};
}

}  // namespace cutwater::secure

extern "C" int __wrap_RAND_bytes_ex(OSSL_LIB_CTX* library, unsigned char* out, std::size_t bytes, unsigned int strength) {
  using namespace cutwater;
  const Bytes random = secure::expected == nullptr ? Bytes{} : secure::expected->draw(bytes);
  if (random.empty()) return __real_RAND_bytes_ex(library, out, bytes, strength);
  std::copy(random.begin(), random.end(), out);
  return 1;
}
