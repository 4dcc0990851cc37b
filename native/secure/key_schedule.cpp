// OpenSSL 3.0 makes each secret of TLS 1.3 through its general interface: it looks the algorithm up by name, allocates a
// context, looks the hash up by name, copies the key, and then does four compressions. Some twenty times a handshake that is a
// fifth of all its instructions (bench/micro/handshake_bench.cpp). The linker sends those calls here (build.cmake: --wrap): what
// is TLS 1.3's is computed directly by record/hmac.hpp, anything else goes on to the library. Without the option all works, more
// slowly; test/native/secure/key_schedule_test.cpp holds both side by side.
// Thread: any. Source: RFC 9846 7.1.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <array>
#include <optional>
#include <string_view>

#include "record/hkdf.hpp"

// The names are the linker's: __wrap_X takes the calls of X, __real_X is X itself.
extern "C" {
EVP_KDF* __real_EVP_KDF_fetch(OSSL_LIB_CTX* library, const char* algorithm, const char* properties);
int __real_EVP_KDF_derive(EVP_KDF_CTX* context, unsigned char* out, std::size_t out_bytes, const OSSL_PARAM params[]);
unsigned char* __real_EVP_Q_mac(OSSL_LIB_CTX* library, const char* name, const char* properties, const char* subalgorithm,
                                const OSSL_PARAM* params, const void* key, std::size_t key_bytes, const unsigned char* data,
                                std::size_t data_bytes, unsigned char* out, std::size_t out_room, std::size_t* out_bytes);
}

namespace cutwater::secure {

namespace {

constexpr std::string_view kTls13Kdf = OSSL_KDF_NAME_TLS1_3_KDF;
constexpr std::string_view kPrefix = "tls13 ";
constexpr std::size_t kMaxLabelBytes = 249;
constexpr std::size_t kMaxContextBytes = 255;

std::optional<record::Hash> hash_named(const void* name) noexcept {
  if (name == nullptr) return {};
  const std::string_view text{static_cast<const char*>(name)};
  if (text == "SHA2-256" || text == "SHA256") return record::Hash::sha256;
  if (text == "SHA2-384" || text == "SHA384") return record::Hash::sha384;
  return {};
}

std::string_view text_of(Bytes bytes) noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// One derivation as libssl asks for it.
struct Derivation {
  int mode = -1;
  std::optional<record::Hash> hash;
  std::optional<Bytes> key, salt, prefix, label, data;
  bool is_other = false;  // a parameter this code does not know

  explicit Derivation(const OSSL_PARAM* params) noexcept {
    for (const OSSL_PARAM* p = params; p->key != nullptr; ++p) take(*p);
  }
  /// Whether it is one of the two that TLS 1.3 has, whole and within its limits.
  [[nodiscard]] bool is_ours() const noexcept {
    const bool is_labelled = prefix && text_of(*prefix) == kPrefix && label && !label->empty() && label->size() <= kMaxLabelBytes;
    return !is_other && hash.has_value() && is_labelled && (is_expand() || is_extract());
  }
  [[nodiscard]] bool is_expand() const noexcept {
    return mode == EVP_KDF_HKDF_MODE_EXPAND_ONLY && key && !salt && (!data || data->size() <= kMaxContextBytes);
  }
  [[nodiscard]] bool is_extract() const noexcept { return mode == EVP_KDF_HKDF_MODE_EXTRACT_ONLY && !data; }

 private:
  void take(const OSSL_PARAM& p) noexcept {
    const std::string_view name{p.key};
    const Bytes bytes{static_cast<const std::uint8_t*>(p.data), p.data_size};
    is_other = is_other || p.data == nullptr;  // the library has a verdict on that too
    if (name == OSSL_KDF_PARAM_MODE) is_other = is_other || OSSL_PARAM_get_int(&p, &mode) != 1;
    else if (name == OSSL_KDF_PARAM_DIGEST) hash = hash_named(p.data);
    else if (name == OSSL_KDF_PARAM_KEY) key = bytes;
    else if (name == OSSL_KDF_PARAM_SALT) salt = bytes;
    else if (name == OSSL_KDF_PARAM_PREFIX) prefix = bytes;
    else if (name == OSSL_KDF_PARAM_LABEL) label = bytes;
    else if (name == OSSL_KDF_PARAM_DATA) data = bytes;
    else is_other = true;
  }
};

/// The next secret of the schedule: what came before, taken one "derived" further, extracts from the new input.
bool extract(const Derivation& wanted, MutableBytes out) noexcept {
  const record::Hash hash = *wanted.hash;
  const std::size_t bytes = record::hash_bytes(hash);
  constexpr std::array<std::uint8_t, record::kMaxHashBytes> kZeros{};
  if (out.size() != bytes) return false;
  std::array<std::uint8_t, record::kMaxHashBytes> salt{};
  const auto used = MutableBytes{salt}.first(wanted.salt ? bytes : 0);
  if (wanted.salt && !record::hkdf_expand_label(hash, *wanted.salt, text_of(*wanted.label), record::empty_hash(hash).expose(), used)) {
    return false;
  }
  const record::Digest secret = record::hmac(hash, used, wanted.key ? *wanted.key : Bytes{kZeros}.first(bytes));
  std::memcpy(out.data(), secret.expose().data(), bytes);
  wipe(salt.data(), salt.size());
  return true;
}

bool derive(const Derivation& wanted, MutableBytes out) noexcept {
  if (wanted.is_extract()) return extract(wanted, out);
  return record::hkdf_expand_label(*wanted.hash, *wanted.key, text_of(*wanted.label), wanted.data.value_or(Bytes{}), out);
}

/// The algorithm's object, looked up once for the process: it is never freed, as nothing of the default library is.
EVP_KDF* shared_kdf() noexcept {
  static EVP_KDF* const kdf = __real_EVP_KDF_fetch(nullptr, OSSL_KDF_NAME_TLS1_3_KDF, nullptr);
  return kdf;
}

}  // namespace

}  // namespace cutwater::secure

extern "C" EVP_KDF* __wrap_EVP_KDF_fetch(OSSL_LIB_CTX* library, const char* algorithm, const char* properties) {
  using namespace cutwater::secure;
  EVP_KDF* kdf = nullptr;
  if (library == nullptr && properties == nullptr && algorithm == kTls13Kdf) kdf = shared_kdf();
  if (kdf == nullptr || EVP_KDF_up_ref(kdf) != 1) return __real_EVP_KDF_fetch(library, algorithm, properties);
  return kdf;
}

extern "C" int __wrap_EVP_KDF_derive(EVP_KDF_CTX* context, unsigned char* out, std::size_t out_bytes, const OSSL_PARAM params[]) {
  using namespace cutwater::secure;
  if (context != nullptr && out != nullptr && params != nullptr && EVP_KDF_CTX_kdf(context) == shared_kdf()) {
    const Derivation wanted(params);
    if (wanted.is_ours() && derive(wanted, {out, out_bytes})) return 1;
  }
  return __real_EVP_KDF_derive(context, out, out_bytes, params);
}

extern "C" unsigned char* __wrap_EVP_Q_mac(OSSL_LIB_CTX* library, const char* name, const char* properties, const char* subalgorithm,
                                           const OSSL_PARAM* params, const void* key, std::size_t key_bytes,
                                           const unsigned char* data, std::size_t data_bytes, unsigned char* out,
                                           std::size_t out_room, std::size_t* out_bytes) {
  using namespace cutwater;
  const auto hash = name != nullptr && std::string_view{name} == "HMAC" ? secure::hash_named(subalgorithm) : std::nullopt;
  if (!hash || library != nullptr || properties != nullptr || params != nullptr || key == nullptr || out == nullptr ||
      (data == nullptr && data_bytes != 0) || out_room < record::hash_bytes(*hash)) {
    return __real_EVP_Q_mac(library, name, properties, subalgorithm, params, key, key_bytes, data, data_bytes, out, out_room,
                            out_bytes);
  }
  const record::Digest mac = record::hmac(*hash, {static_cast<const std::uint8_t*>(key), key_bytes}, {data, data_bytes});
  std::memcpy(out, mac.expose().data(), mac.expose().size());
  if (out_bytes != nullptr) *out_bytes = mac.expose().size();
  return out;
}
