// The bytes that transfers carry, and their hash. The pattern's period is a prime, so no record or segment boundary repeats in it.
#pragma once

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace load {

inline constexpr std::uint64_t kPatternPeriod = 65'521;  // the largest prime below 2^16
inline constexpr std::uint64_t kPieceBytes = 65'536;

/// `count` bytes of the endless pattern from `offset`. Requires: count <= kPieceBytes. The view stays valid.
inline std::span<const char> pattern_at(std::uint64_t offset, std::uint64_t count) {
  static const std::vector<char> pattern = [] {
    std::vector<char> p(kPatternPeriod + kPieceBytes);
    std::uint32_t state = 1;
    for (std::size_t i = 0; i < kPatternPeriod; ++i) {
      state = state * 1'664'525 + 1'013'904'223;
      p[i] = static_cast<char>(state >> 24);
    }
    for (std::size_t i = kPatternPeriod; i < p.size(); ++i) p[i] = p[i - kPatternPeriod];
    return p;
  }();
  return std::span(pattern).subspan(offset % kPatternPeriod, count);
}

/// SHA-256 of a stream.
class Hash {
 public:
  Hash() : context_(EVP_MD_CTX_new()) { EVP_DigestInit_ex(context_, EVP_sha256(), nullptr); }
  ~Hash() { EVP_MD_CTX_free(context_); }
  Hash(const Hash&) = delete;
  Hash& operator=(const Hash&) = delete;
  void add(std::span<const char> data) { EVP_DigestUpdate(context_, data.data(), data.size()); }
  std::string hex() {
    std::array<unsigned char, 32> digest{};
    EVP_DigestFinal_ex(context_, digest.data(), nullptr);
    std::string text;
    for (const unsigned char byte : digest) {
      text += "0123456789abcdef"[byte >> 4];
      text += "0123456789abcdef"[byte & 15];
    }
    return text;
  }

 private:
  EVP_MD_CTX* context_;
};

}  // namespace load
