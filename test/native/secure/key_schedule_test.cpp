// What takes the place of OpenSSL's derivations must give their results, and leave everything else to them.
#include <doctest/doctest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <memory>
#include <string>
#include <vector>

extern "C" {
int __real_EVP_KDF_derive(EVP_KDF_CTX* context, unsigned char* out, std::size_t out_bytes, const OSSL_PARAM params[]);
unsigned char* __real_EVP_Q_mac(OSSL_LIB_CTX* library, const char* name, const char* properties, const char* subalgorithm,
                                const OSSL_PARAM* params, const void* key, std::size_t key_bytes, const unsigned char* data,
                                std::size_t data_bytes, unsigned char* out, std::size_t out_room, std::size_t* out_bytes);
}

namespace {

using Buffer = std::vector<unsigned char>;
using Context = std::unique_ptr<EVP_KDF_CTX, decltype(&EVP_KDF_CTX_free)>;

Context make_context(const char* algorithm) {
  EVP_KDF* kdf = EVP_KDF_fetch(nullptr, algorithm, nullptr);
  Context context{EVP_KDF_CTX_new(kdf), EVP_KDF_CTX_free};
  EVP_KDF_free(kdf);
  return context;
}

Buffer bytes_of(std::size_t count, unsigned seed) {
  Buffer out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = static_cast<unsigned char>(i * 7 + seed);
  return out;
}

struct Wanted {
  int mode;
  std::string digest;
  const Buffer* key = nullptr;
  const Buffer* salt = nullptr;
  const Buffer* data = nullptr;
  std::string prefix = "tls13 ", label = "derived";
  std::vector<OSSL_PARAM> params() {
    std::vector<OSSL_PARAM> out{OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
                                OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest.data(), 0)};
    const auto add = [&out](const char* name, const void* from, std::size_t count) {
      out.push_back(OSSL_PARAM_construct_octet_string(name, const_cast<void*>(from), count));
    };
    if (key != nullptr) add(OSSL_KDF_PARAM_KEY, key->data(), key->size());
    if (salt != nullptr) add(OSSL_KDF_PARAM_SALT, salt->data(), salt->size());
    add(OSSL_KDF_PARAM_PREFIX, prefix.data(), prefix.size());
    add(OSSL_KDF_PARAM_LABEL, label.data(), label.size());
    if (data != nullptr) add(OSSL_KDF_PARAM_DATA, data->data(), data->size());
    out.push_back(OSSL_PARAM_construct_end());
    return out;
  }
};

/// The two results for one question must be equal, refusals included.
void compare(Wanted wanted, std::size_t out_bytes) {
  INFO(wanted.digest << ", mode " << wanted.mode << ", label " << wanted.label << ", " << out_bytes << " bytes");
  Buffer ours(out_bytes, 0xaa), theirs(out_bytes, 0xbb);
  const auto params = wanted.params();
  const int our_verdict = EVP_KDF_derive(make_context("TLS13-KDF").get(), ours.data(), ours.size(), params.data());
  const int their_verdict = __real_EVP_KDF_derive(make_context("TLS13-KDF").get(), theirs.data(), theirs.size(), params.data());
  CHECK(our_verdict == their_verdict);
  if (their_verdict == 1) CHECK(ours == theirs);
}

}  // namespace

TEST_CASE("A5: TLS 1.3 secrets derived directly are those of the library") {
  for (const std::string digest : {"SHA2-256", "SHA2-384", "SHA256", "SHA384", "SHA2-512"}) {
    const std::size_t hash_bytes = digest.ends_with("256") ? 32 : digest.ends_with("384") ? 48 : 64;
    const Buffer key = bytes_of(hash_bytes, 1), salt = bytes_of(hash_bytes, 90), data = bytes_of(hash_bytes, 33), none;
    for (const std::string label : {"derived", "key", "iv", "c hs traffic", "finished", ""}) {
      for (const std::size_t out_bytes : {std::size_t{12}, std::size_t{16}, hash_bytes, std::size_t{100}}) {
        const int expand = EVP_KDF_HKDF_MODE_EXPAND_ONLY, extract = EVP_KDF_HKDF_MODE_EXTRACT_ONLY;
        compare({.mode = expand, .digest = digest, .key = &key, .label = label}, out_bytes);
        compare({.mode = expand, .digest = digest, .key = &key, .data = &data, .label = label}, out_bytes);
        compare({.mode = expand, .digest = digest, .key = &key, .data = &none, .label = label}, out_bytes);
        compare({.mode = extract, .digest = digest, .label = label}, out_bytes);
        compare({.mode = extract, .digest = digest, .key = &key, .label = label}, out_bytes);
        compare({.mode = extract, .digest = digest, .salt = &salt, .label = label}, out_bytes);
        compare({.mode = extract, .digest = digest, .key = &key, .salt = &salt, .label = label}, out_bytes);
      }
    }
  }
}

TEST_CASE("A5: what is not TLS 1.3's is left to the library") {
  const Buffer key = bytes_of(32, 1);
  compare({.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY, .digest = "SHA2-256", .key = &key, .prefix = "other "}, 32);
  compare({.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY, .digest = "SHA2-256"}, 32);                // no key
  compare({.mode = EVP_KDF_HKDF_MODE_EXTRACT_AND_EXPAND, .digest = "SHA2-256", .key = &key}, 32);  // not a mode of this KDF
  const Buffer context = bytes_of(300, 3);
  compare({.mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY, .digest = "SHA2-256", .key = &key, .data = &context}, 32);
  Buffer ours(40), theirs(40);  // plain HKDF, another algorithm
  char digest[] = "SHA2-256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<unsigned char*>(key.data()), key.size()),
                               OSSL_PARAM_construct_end()};
  CHECK(EVP_KDF_derive(make_context("HKDF").get(), ours.data(), ours.size(), params) == 1);
  CHECK(__real_EVP_KDF_derive(make_context("HKDF").get(), theirs.data(), theirs.size(), params) == 1);
  CHECK(ours == theirs);
}

TEST_CASE("A5: one-shot MACs are those of the library, for every length of key and message") {
  for (const char* digest : {"SHA256", "SHA384", "SHA2-256", "SHA2-384", "SHA512"}) {
    for (const std::size_t key_bytes : {1U, 32U, 48U, 63U, 64U, 65U, 127U, 128U, 129U, 300U}) {
      for (const std::size_t data_bytes : {0U, 1U, 55U, 64U, 200U}) {
        const Buffer key = bytes_of(key_bytes, 5), data = bytes_of(data_bytes, 9);
        Buffer ours(EVP_MAX_MD_SIZE), theirs(EVP_MAX_MD_SIZE);
        std::size_t our_bytes = 0, their_bytes = 0;
        CHECK(EVP_Q_mac(nullptr, "HMAC", nullptr, digest, nullptr, key.data(), key.size(), data.data(), data.size(), ours.data(),
                        ours.size(), &our_bytes) != nullptr);
        CHECK(__real_EVP_Q_mac(nullptr, "HMAC", nullptr, digest, nullptr, key.data(), key.size(), data.data(), data.size(),
                               theirs.data(), theirs.size(), &their_bytes) != nullptr);
        CHECK(our_bytes == their_bytes);
        CHECK(ours == theirs);
      }
    }
  }
}
