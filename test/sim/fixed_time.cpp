// time() for the simulator's binary: OpenSSL asks it for the age of sessions and for nothing else. A constant, so that a seed
// repeats itself to the last byte. Not linked into any other binary.
#include <ctime>

extern "C" std::time_t time(std::time_t* out) noexcept {
  constexpr std::time_t kNow = 1'800'000'000;  // inside the certificate's life
  if (out != nullptr) *out = kNow;
  return kNow;
}
