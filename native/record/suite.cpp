// Source: RFC 9846 B.4 (TLS 1.3), RFC 5288 3 and RFC 5289 3.2 (AES-GCM), RFC 7905 2 (ChaCha20-Poly1305).
#include "record/suite.hpp"

namespace cutwater::record {

namespace {

constexpr std::uint8_t kTypeBytes = 1;  // TLS 1.3 hides the content type behind the fragment

// TLS 1.3, AES-GCM: 2^24.5 full-sized records keep an attacker's advantage at 2^-57 (RFC 9846 5.5); the device rekeys before.
constexpr std::uint64_t kGcmRekeyRecords = 1ULL << 24;
// TLS 1.2 has no key update, so reaching a limit ends the connection. 2^32 records of a packet each are 6 TB and 2^39 blocks:
// advantage about 2^-51 by the same formula.
constexpr std::uint64_t kGcmFinalRecords = 1ULL << 32;
// ChaCha20-Poly1305 has no limit before the record number's own, 2^64 - 1 (RFC 9846 5.5).
constexpr std::uint64_t kChachaRecords = 1ULL << 62;

constexpr Suite tls13(std::uint16_t iana, std::string_view name, Cipher cipher, Hash hash) noexcept {
  return {.iana = iana,
          .name = name,
          .version = Version::tls13,
          .cipher = cipher,
          .hash = hash,
          .key_bytes = cipher == Cipher::aes_128_gcm ? std::uint8_t{16} : std::uint8_t{32},
          .explicit_nonce_bytes = 0,
          .trailer_bytes = kTypeBytes + kTagBytes,
          .seal_limit = cipher == Cipher::chacha20_poly1305 ? kChachaRecords : kGcmRekeyRecords};
}

constexpr Suite tls12(std::uint16_t iana, std::string_view name, Cipher cipher, Hash hash) noexcept {
  const bool is_gcm = cipher != Cipher::chacha20_poly1305;
  return {.iana = iana,
          .name = name,
          .version = Version::tls12,
          .cipher = cipher,
          .hash = hash,
          .key_bytes = cipher == Cipher::aes_128_gcm ? std::uint8_t{16} : std::uint8_t{32},
          .explicit_nonce_bytes = is_gcm ? std::uint8_t{8} : std::uint8_t{0},
          .trailer_bytes = kTagBytes,
          .seal_limit = is_gcm ? kGcmFinalRecords : kChachaRecords};
}

using enum Cipher;
using enum Hash;
constexpr std::array kSuites{
    tls13(0x1301, "TLS_AES_128_GCM_SHA256", aes_128_gcm, sha256),
    tls13(0x1302, "TLS_AES_256_GCM_SHA384", aes_256_gcm, sha384),
    tls13(0x1303, "TLS_CHACHA20_POLY1305_SHA256", chacha20_poly1305, sha256),
    tls12(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", aes_128_gcm, sha256),
    tls12(0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", aes_256_gcm, sha384),
    tls12(0xC02F, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", aes_128_gcm, sha256),
    tls12(0xC030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", aes_256_gcm, sha384),
    tls12(0xCCA8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", chacha20_poly1305, sha256),
    tls12(0xCCA9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", chacha20_poly1305, sha256),
    tls12(0x009E, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256", aes_128_gcm, sha256),
    tls12(0x009F, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384", aes_256_gcm, sha384),
    tls12(0xCCAA, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256", chacha20_poly1305, sha256),
    tls12(0x009C, "TLS_RSA_WITH_AES_128_GCM_SHA256", aes_128_gcm, sha256),
    tls12(0x009D, "TLS_RSA_WITH_AES_256_GCM_SHA384", aes_256_gcm, sha384),
};

}  // namespace

const Suite* find_suite(std::uint16_t iana, Version version) noexcept {
  for (const Suite& suite : kSuites) {
    if (suite.iana == iana && suite.version == version) return &suite;
  }
  return nullptr;
}

std::span<const Suite> all_suites() noexcept { return kSuites; }

}  // namespace cutwater::record
