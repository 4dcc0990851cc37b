// The low-level digests are used because they live on the stack: the EVP ones allocate.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hello/cookie.hpp"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>

namespace cutwater::hello {
namespace {

constexpr std::uint16_t kFormat = 1, kTls13 = 0x0304;
constexpr std::size_t kHeadBytes = 17;           // format, version, group, suite, whether a share is asked for, time
constexpr std::uint64_t kPeriodS = 600;          // how long a key is used to seal
constexpr std::uint64_t kLifetimeS = 60;         // of a cookie: the second hello comes within a round trip or two
constexpr std::uint64_t kBackdatedS = 60;        // so that a processor whose clock was set back does not see the future

using Digest = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;

/// HMAC-SHA-256 (RFC 2104) over up to three pieces.
Digest hmac(Bytes key, Bytes a, Bytes b = {}, Bytes c = {}) noexcept {
  std::array<std::uint8_t, SHA256_CBLOCK> pad{};
  const auto pad_with = [&](std::uint8_t byte) {
    for (std::size_t i = 0; i < pad.size(); ++i) pad[i] = static_cast<std::uint8_t>((i < key.size() ? key[i] : 0) ^ byte);
  };
  Digest digest;
  SHA256_CTX sha;
  pad_with(0x36);
  SHA256_Init(&sha);
  SHA256_Update(&sha, pad.data(), pad.size());
  for (const Bytes piece : {a, b, c}) SHA256_Update(&sha, piece.data(), piece.size());
  SHA256_Final(digest.data(), &sha);
  pad_with(0x5c);
  SHA256_Init(&sha);
  SHA256_Update(&sha, pad.data(), pad.size());
  SHA256_Update(&sha, digest.data(), digest.size());
  SHA256_Final(digest.data(), &sha);
  wipe(pad.data(), pad.size());
  wipe(&sha, sizeof sha);
  return digest;
}

bool is_same(Bytes a, Bytes b) noexcept { return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

}  // namespace

CookieKeys::CookieKeys(Bytes secret, Bytes processor_key) noexcept : secret_(secret), processor_key_(processor_key) {}

const Secret<kCookieKeyBytes>& CookieKeys::key_of(std::uint64_t period) noexcept {
  PeriodKey& entry = keys_[period % keys_.size()];
  if (entry.period != period) {
    std::array<std::uint8_t, 8> name;
    store_be64(name.data(), period);
    Digest key = hmac(secret_.expose(), name);
    entry.key.assign(key);
    entry.period = period;
    wipe(key.data(), key.size());
  }
  return entry.key;
}

CookieKeys::Proof CookieKeys::prove(Bytes memory, const CookieOwner& owner, std::uint64_t wall_s) noexcept {
  std::array<std::uint8_t, 4> service;
  store_be32(service.data(), owner.service);
  const Digest full = hmac(key_of(wall_s / kPeriodS).expose(), memory, owner.client.bytes, service);
  Proof proof;
  std::copy_n(full.begin(), proof.size(), proof.begin());
  return proof;
}

std::size_t CookieKeys::seal(const RetryMemory& m, const CookieOwner& owner, std::uint8_t* out) noexcept {
  store_be16(out, kFormat);
  store_be16(out + 2, kTls13);
  store_be16(out + 4, m.group);
  store_be16(out + 6, m.suite);
  out[8] = m.asks_for_share ? 1 : 0;
  store_be64(out + 9, m.wall_s - kBackdatedS);
  store_be16(out + kHeadBytes, m.hash_bytes);
  std::copy_n(m.hello_hash.begin(), m.hash_bytes, out + kHeadBytes + 2);
  std::size_t bytes = kHeadBytes + 2 + m.hash_bytes;
  const Proof proof = prove({out, bytes}, owner, m.wall_s);
  out[bytes++] = kProofBytes;
  std::copy(proof.begin(), proof.end(), out + bytes);
  bytes += proof.size();
  const Digest whole = hmac(processor_key_.expose(), {out, bytes});
  std::copy(whole.begin(), whole.end(), out + bytes);
  return bytes + whole.size();
}

// The processor checks the outer authenticator; here only the proof decides, which no processor can make.
std::optional<RetryMemory> CookieKeys::open(Bytes cookie, const CookieOwner& owner, std::uint64_t wall_s) noexcept {
  if (cookie.size() < kHeadBytes + 2 || load_be16(cookie.data()) != kFormat || load_be16(cookie.data() + 2) != kTls13) return {};
  RetryMemory m;
  m.group = load_be16(cookie.data() + 4);
  m.suite = load_be16(cookie.data() + 6);
  m.asks_for_share = cookie[8] == 1;
  m.wall_s = load_be64(cookie.data() + 9) + kBackdatedS;
  const std::size_t hash_bytes = load_be16(cookie.data() + kHeadBytes);
  const std::size_t memory_bytes = kHeadBytes + 2 + hash_bytes;
  if (hash_bytes > kMostHashBytes || cookie.size() != memory_bytes + 1 + kProofBytes + SHA256_DIGEST_LENGTH) return {};
  if (wall_s < m.wall_s || wall_s - m.wall_s > kLifetimeS || cookie[memory_bytes] != kProofBytes) return {};
  const Proof proof = prove(cookie.first(memory_bytes), owner, m.wall_s);
  if (!is_same(proof, cookie.subspan(memory_bytes + 1, kProofBytes))) return {};
  m.hash_bytes = static_cast<std::uint8_t>(hash_bytes);
  std::copy_n(cookie.begin() + kHeadBytes + 2, hash_bytes, m.hello_hash.begin());
  return m;
}

}  // namespace cutwater::hello
