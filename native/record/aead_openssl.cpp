// The portable twin: OpenSSL EVP. `space` of an ExpandedKey owns a keyed context, freed by `release`. One context seals and
// opens (both use the same key schedule), so a key costs one allocation, and expanding again for the same cipher costs none.
// Thread: any for expand; the rest by the owning worker. Source: SP 800-38D 7, RFC 8439 2.8.
#include <openssl/err.h>
#include <openssl/evp.h>

#include <new>

#include "record/backends.hpp"
#include "record/framing.hpp"

namespace cutwater::record {

namespace {

enum class Direction : int { open = 0, seal = 1 };  // EVP's own values

/// Fetched once: a fetch by name takes a lock and would cost more than the record. Never freed: workers may outlive
/// static destruction.
struct Ciphers {
  const EVP_CIPHER* aes_128_gcm = EVP_CIPHER_fetch(nullptr, "AES-128-GCM", nullptr);
  const EVP_CIPHER* aes_256_gcm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  const EVP_CIPHER* chacha20_poly1305 = EVP_CIPHER_fetch(nullptr, "ChaCha20-Poly1305", nullptr);

  [[nodiscard]] const EVP_CIPHER* of(Cipher cipher) const noexcept {
    switch (cipher) {
      case Cipher::aes_128_gcm: return aes_128_gcm;
      case Cipher::aes_256_gcm: return aes_256_gcm;
      case Cipher::chacha20_poly1305: return chacha20_poly1305;
    }
    return nullptr;
  }
};

const Ciphers& ciphers() noexcept {
  static const Ciphers fetched;
  return fetched;
}

/// What ExpandedKey::space holds. The raw key is for streams: they are keyed apart, because the cached key may go meanwhile.
struct KeySpace {
  EVP_CIPHER_CTX* context = nullptr;
  std::array<std::uint8_t, 32> key{};
};
/// What OpenStream::state holds. `is_sound` turns false at the first failure and then no tag is right.
struct StreamState {
  EVP_CIPHER_CTX* context = nullptr;
  bool is_sound = false;
};
static_assert(sizeof(KeySpace) <= sizeof ExpandedKey::space && sizeof(StreamState) <= sizeof OpenStream::state);

KeySpace& space_of(ExpandedKey& key) noexcept { return *std::launder(reinterpret_cast<KeySpace*>(key.space.data())); }
const KeySpace& space_of(const ExpandedKey& key) noexcept {
  return *std::launder(reinterpret_cast<const KeySpace*>(key.space.data()));
}
StreamState& state_of(OpenStream& stream) noexcept {
  return *std::launder(reinterpret_cast<StreamState*>(stream.state.data()));
}

void release_key(ExpandedKey& key) noexcept { EVP_CIPHER_CTX_free(space_of(key).context); }
void release_stream(OpenStream& stream) noexcept { EVP_CIPHER_CTX_free(state_of(stream).context); }

// Naming the cipher again would make EVP allocate its state again; without it only the key schedule is redone.
bool set_key(EVP_CIPHER_CTX* context, const Suite& suite, const std::uint8_t* key) noexcept {
  const EVP_CIPHER* const cipher = ciphers().of(suite.cipher);
  if (context == nullptr || cipher == nullptr) return false;
  const bool is_same = EVP_CIPHER_CTX_get0_cipher(context) == cipher;
  return EVP_CipherInit_ex2(context, is_same ? nullptr : cipher, key, nullptr, static_cast<int>(Direction::seal), nullptr) == 1;
}

void expand(const Suite& suite, const TrafficKeys& keys, ExpandedKey& out) noexcept {
  if (out.release != &release_key) {
    out.clear();
    ::new (out.space.data()) KeySpace{.context = EVP_CIPHER_CTX_new()};
    out.release = &release_key;
  }
  out.suite = &suite;
  KeySpace& space = space_of(out);
  space.key = keys.key;
  if (!set_key(space.context, suite, keys.key.data())) {
    EVP_CIPHER_CTX_free(space.context);  // without a context every operation on the key fails closed
    space.context = nullptr;
  }
}

/// Starts one record on a keyed context.
bool start(EVP_CIPHER_CTX* context, Direction direction, const std::uint8_t* nonce, Bytes aad) noexcept {
  int n = 0;
  return context != nullptr &&
         EVP_CipherInit_ex2(context, nullptr, nullptr, nonce, static_cast<int>(direction), nullptr) == 1 &&
         (aad.empty() || EVP_CipherUpdate(context, nullptr, &n, aad.data(), static_cast<int>(aad.size())) == 1);
}

bool update(EVP_CIPHER_CTX* context, std::uint8_t* out, const std::uint8_t* in, std::size_t bytes) noexcept {
  int n = 0;
  return bytes == 0 || EVP_CipherUpdate(context, out, &n, in, static_cast<int>(bytes)) == 1;
}

/// The verdict: EVP compares in constant time. What it leaves in the thread's error queue is no news to anybody.
bool check_tag(EVP_CIPHER_CTX* context, const std::uint8_t* tag) noexcept {
  std::array<std::uint8_t, kTagBytes> copy;  // EVP wants a mutable one
  std::memcpy(copy.data(), tag, copy.size());
  std::uint8_t none = 0;
  int n = 0;
  const bool is_right = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kTagBytes, copy.data()) == 1 &&
                        EVP_CipherFinal_ex(context, &none, &n) == 1;
  if (!is_right) ERR_clear_error();
  return is_right;
}

struct OpenSsl {
  static bool encrypt(const ExpandedKey& key, const std::uint8_t* nonce, Bytes aad, std::uint8_t* bytes, std::size_t n,
                      std::uint8_t* tag) noexcept {
    EVP_CIPHER_CTX* const context = space_of(key).context;
    std::uint8_t none = 0;
    int more = 0;
    return start(context, Direction::seal, nonce, aad) && update(context, bytes, bytes, n) &&
           EVP_CipherFinal_ex(context, &none, &more) == 1 &&
           EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kTagBytes, tag) == 1;
  }

  static bool decrypt(const ExpandedKey& key, const std::uint8_t* nonce, Bytes aad, std::uint8_t* bytes, std::size_t n,
                      const std::uint8_t* tag) noexcept {
    EVP_CIPHER_CTX* const context = space_of(key).context;
    return start(context, Direction::open, nonce, aad) && update(context, bytes, bytes, n) && check_tag(context, tag);
  }

  static void stream_begin(OpenStream& stream, const ExpandedKey& key, const std::uint8_t* nonce, Bytes aad) noexcept {
    if (stream.release != &release_stream) {
      stream.clear();
      ::new (stream.state.data()) StreamState{.context = EVP_CIPHER_CTX_new()};
      stream.release = &release_stream;
    }
    StreamState& state = state_of(stream);
    state.is_sound = set_key(state.context, *key.suite, space_of(key).key.data()) &&
                     start(state.context, Direction::open, nonce, aad);
  }

  static void stream_update(OpenStream& stream, const ExpandedKey&, std::uint8_t* out, const std::uint8_t* in,
                            std::size_t n) noexcept {
    StreamState& state = state_of(stream);
    state.is_sound = state.is_sound && update(state.context, out, in, n);
  }

  static bool stream_finish(OpenStream& stream, const ExpandedKey& key, const std::uint8_t* tag) noexcept {
    static constexpr std::array<std::uint8_t, 32> kNoKey{};
    StreamState& state = state_of(stream);
    const bool is_right = state.is_sound && check_tag(state.context, tag);
    state.is_sound = false;
    set_key(state.context, *key.suite, kNoKey.data());  // the context stays for the next record, the key does not
    return is_right;
  }
};

}  // namespace

const Aead* openssl_aead() noexcept {
  static constexpr Aead kTable = RecordFraming<OpenSsl>::table("openssl", expand);
  const Ciphers& c = ciphers();
  const bool is_runnable = c.aes_128_gcm != nullptr && c.aes_256_gcm != nullptr && c.chacha20_poly1305 != nullptr;
  return is_runnable ? &kTable : nullptr;
}

}  // namespace cutwater::record
