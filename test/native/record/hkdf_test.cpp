#include "record/hkdf.hpp"

#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include <random>
#include <string>

#include "vectors/hex.hpp"

using namespace cutwater;
using namespace cutwater::record;
using vectors::hex;
using ByteVector = std::vector<std::uint8_t>;

namespace {

/// OpenSSL's own derivation, as the independent answer.
ByteVector derived(const char* kdf_name, std::vector<OSSL_PARAM> params, std::size_t bytes) {
  EVP_KDF* const kdf = EVP_KDF_fetch(nullptr, kdf_name, nullptr);
  EVP_KDF_CTX* const context = EVP_KDF_CTX_new(kdf);
  params.push_back(OSSL_PARAM_construct_end());
  ByteVector out(bytes);
  REQUIRE(EVP_KDF_derive(context, out.data(), out.size(), params.data()) == 1);
  EVP_KDF_CTX_free(context);
  EVP_KDF_free(kdf);
  return out;
}
OSSL_PARAM octets(const char* name, ByteVector& bytes) {
  return OSSL_PARAM_construct_octet_string(name, bytes.data(), bytes.size());
}
OSSL_PARAM digest(Hash hash) {
  static char sha256[] = "SHA2-256", sha384[] = "SHA2-384";
  return OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, hash == Hash::sha256 ? sha256 : sha384, 0);
}
ByteVector random_bytes(std::mt19937_64& random, std::size_t n) {
  ByteVector bytes(n);
  for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
  return bytes;
}

}  // namespace

TEST_CASE("RFC 5869: HKDF-Expand gives the published bytes (cases 1 and 2)") {
  ByteVector out(42);
  CHECK(hkdf_expand(Hash::sha256, hex("077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5"),
                    hex("f0f1f2f3f4f5f6f7f8f9"), out));
  CHECK(out == hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"));
  ByteVector info(80);
  for (std::size_t i = 0; i < info.size(); ++i) info[i] = static_cast<std::uint8_t>(0xb0 + i);
  out.resize(82);
  CHECK(hkdf_expand(Hash::sha256, hex("06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244"), info, out));
  CHECK(out == hex("b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
                   "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87"));
}

TEST_CASE("HKDF-Expand equals OpenSSL's, any length") {
  std::mt19937_64 random{1};
  for (const Hash hash : {Hash::sha256, Hash::sha384}) {
    for (const auto bytes : std::initializer_list<std::size_t>{1, 12, 16, 32, 47, 48, 49, 96, 500}) {
      ByteVector secret = random_bytes(random, hash_bytes(hash)), info = random_bytes(random, random() % 200 + 1), out(bytes);
      CHECK(hkdf_expand(hash, secret, info, out));
      int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
      CHECK(out == derived("HKDF", {digest(hash), octets(OSSL_KDF_PARAM_KEY, secret), octets(OSSL_KDF_PARAM_INFO, info),
                                    OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode)}, bytes));
    }
  }
}

TEST_CASE("HKDF-Expand refuses what it cannot give, and leaves zeros") {
  ByteVector out(255 * 32 + 1, 1);
  CHECK_FALSE(hkdf_expand(Hash::sha256, ByteVector(32), {}, out));
  CHECK(out == ByteVector(out.size(), 0));
  out.assign(10, 1);
  CHECK_FALSE(hkdf_expand(Hash::sha256, ByteVector(32), ByteVector(600), out));
  CHECK(out == ByteVector(out.size(), 0));
}

TEST_CASE("the TLS 1.2 PRF equals OpenSSL's, any length") {
  std::mt19937_64 random{2};
  for (const Hash hash : {Hash::sha256, Hash::sha384}) {
    for (const auto bytes : std::initializer_list<std::size_t>{1, 12, 40, 48, 72, 88, 104, 300}) {
      ByteVector secret = random_bytes(random, 48), seed = random_bytes(random, 64), out(bytes);
      const std::string label = "key expansion";
      CHECK(prf_tls12(hash, secret, label, seed, out));
      ByteVector labelled(label.begin(), label.end());
      labelled.insert(labelled.end(), seed.begin(), seed.end());
      CHECK(out == derived("TLS1-PRF", {digest(hash), octets(OSSL_KDF_PARAM_SECRET, secret), octets(OSSL_KDF_PARAM_SEED, labelled)}, bytes));
    }
  }
}
