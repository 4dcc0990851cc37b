#include "sim/seeded_openssl.hpp"

#include <openssl/rand.h>

#include "sim/random.hpp"

// The RAND_METHOD interface is deprecated in OpenSSL 3 and has no simpler successor than a whole provider.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace cutwater::sim {
namespace {

Random& source() {
  static thread_local Random random{1};
  return random;
}

int fill(unsigned char* out, int bytes) {
  for (int i = 0; i < bytes; i += 8) {
    const auto word = source().next();
    for (int k = 0; k < 8 && i + k < bytes; ++k) out[i + k] = static_cast<unsigned char>(word >> (8 * k));
  }
  return 1;
}
int seed_nothing(const void*, int) { return 1; }
int add_nothing(const void*, int, double) { return 1; }
int is_ready() { return 1; }

const RAND_METHOD kMethod{seed_nothing, fill, nullptr, add_nothing, fill, is_ready};

}  // namespace

SeededOpenssl::SeededOpenssl(std::uint64_t seed) {
  reseed(seed);
  RAND_set_rand_method(&kMethod);
}
SeededOpenssl::~SeededOpenssl() { RAND_set_rand_method(nullptr); }
void SeededOpenssl::reseed(std::uint64_t seed) { source() = Random{seed ^ 0x5eed'0f'7e57ULL}; }

}  // namespace cutwater::sim
