#include "record/traffic_secret.hpp"

#include <cstdlib>

#include "record/hkdf.hpp"

namespace cutwater::record {

namespace {

// The derivations below fail only for lengths that no suite has. There is then no key to go on with, and going on with a
// predictable one would be worse than ending.
void require(bool is_derived) noexcept {
  if (!is_derived) std::abort();
}

}  // namespace

TrafficKeys derive_keys(const Suite& suite, const TrafficSecret& secret) noexcept {
  TrafficKeys keys;
  require(hkdf_expand_label(suite.hash, secret.expose(), "key", {}, MutableBytes{keys.key}.first(suite.key_bytes)));
  require(hkdf_expand_label(suite.hash, secret.expose(), "iv", {}, keys.iv));
  return keys;
}

TrafficSecret next_secret(const Suite& suite, const TrafficSecret& secret) noexcept {
  std::array<std::uint8_t, kMaxHashBytes> next;
  const auto bytes = MutableBytes{next}.first(hash_bytes(suite.hash));
  require(hkdf_expand_label(suite.hash, secret.expose(), "traffic upd", {}, bytes));
  TrafficSecret result{bytes};
  wipe(next.data(), next.size());
  return result;
}

KeyBlock derive_key_block(const Suite& suite, Bytes master_secret, Bytes client_random, Bytes server_random) noexcept {
  constexpr std::size_t kRandomBytes = 32;
  std::array<std::uint8_t, 2 * kRandomBytes> seed{};  // server first, unlike everywhere else in TLS 1.2
  std::memcpy(seed.data(), server_random.data(), std::min(server_random.size(), kRandomBytes));
  std::memcpy(seed.data() + kRandomBytes, client_random.data(), std::min(client_random.size(), kRandomBytes));

  // AEAD suites have no MAC keys: two keys, then two fixed IVs (the salt for AES-GCM, the whole IV for ChaCha20).
  const std::size_t iv_bytes = 12 - suite.explicit_nonce_bytes;
  std::array<std::uint8_t, 2 * (32 + 12)> block;
  const auto used = MutableBytes{block}.first(2 * (suite.key_bytes + iv_bytes));
  require(prf_tls12(suite.hash, master_secret, "key expansion", seed, used));

  KeyBlock keys;
  const std::uint8_t* from = block.data();
  for (TrafficKeys* side : {&keys.client_write, &keys.server_write}) {
    std::memcpy(side->key.data(), from, suite.key_bytes);
    from += suite.key_bytes;
  }
  for (TrafficKeys* side : {&keys.client_write, &keys.server_write}) {
    std::memcpy(side->iv.data(), from, iv_bytes);
    from += iv_bytes;
  }
  wipe(block.data(), block.size());
  return keys;
}

}  // namespace cutwater::record
