// The low-level digests are used because they live on the stack: the EVP ones allocate.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "hello/retry.hpp"

#include <openssl/sha.h>

#include <algorithm>

#include "hello/message_writer.hpp"

namespace cutwater::hello {
namespace {

constexpr std::uint16_t kTls13 = 0x0304, kChaCha = 0x1303, kAes256 = 0x1302;
constexpr std::uint8_t kHandshakeRecord = 22, kServerHello = 2;
// SHA-256 of "HelloRetryRequest" stands for the random. Source: RFC 9846, "Server Hello".
constexpr std::uint8_t kRetryRandom[kRandomBytes] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
                                                     0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
                                                     0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
constexpr std::uint8_t kChangeCipherSpec[] = {20, 3, 3, 0, 1, 1};
static_assert(5 + 4 + 2 + kRandomBytes + 33 + 3 + 2 + 6 + 6 + 6 + kMostCookieBytes + sizeof kChangeCipherSpec <= kAnswerBlockBytes);

constexpr bool is_chacha(std::uint16_t suite) noexcept { return suite == kChaCha || (suite >= 0xcca8 && suite <= 0xccae); }

bool puts_chacha_first(const U16List& suites) noexcept {
  for (const std::uint16_t suite : suites) {
    if (!is_grease(suite)) return is_chacha(suite);
  }
  return false;
}

std::uint16_t choose_suite(const RetryProfile& profile, const U16List& offered) noexcept {
  const bool is_ours = std::find(profile.suites.begin(), profile.suites.end(), kChaCha) != profile.suites.end();
  if (is_ours && profile.follows_chacha && puts_chacha_first(offered) && offered.contains(kChaCha)) return kChaCha;
  for (const std::uint16_t suite : profile.suites) {
    if (offered.contains(suite)) return suite;
  }
  return 0;
}

// GnuTLS (3.8 at least) refuses a HelloRetryRequest that names no group, though RFC 9846 allows one that only brings a cookie;
// it sends two shares. Of clients with just these two we ask a third group's.
bool needs_group_named(const ClientHello& hello) noexcept {
  constexpr std::uint16_t kP256 = 0x0017, kX25519 = 0x001d;
  std::size_t shares = 0;
  bool has_p256 = false, has_x25519 = false;
  for (const KeyShare share : hello.key_shares) {
    ++shares;
    has_p256 = has_p256 || share.group == kP256;
    has_x25519 = has_x25519 || share.group == kX25519;
  }
  return shares == 2 && has_p256 && has_x25519;
}

/// The first share of a group that both know, in the client's order, as the TLS library takes them; else our first group.
std::uint16_t choose_group(const RetryProfile& profile, const ClientHello& hello, bool& asks_for_share) noexcept {
  const auto is_ours = [&](std::uint16_t group) { return std::find(profile.groups.begin(), profile.groups.end(), group) != profile.groups.end(); };
  const auto is_shared = [&](std::uint16_t group) {
    for (const KeyShare share : hello.key_shares) {
      if (share.group == group) return true;
    }
    return false;
  };
  const auto unshared = [&]() -> std::uint16_t {
    for (const std::uint16_t group : profile.groups) {
      if (hello.groups.contains(group) && !is_shared(group)) return group;
    }
    return 0;
  };
  asks_for_share = true;
  if (needs_group_named(hello)) {
    if (const std::uint16_t group = unshared(); group != 0) return group;
  }
  asks_for_share = false;
  for (const KeyShare share : hello.key_shares) {
    if (is_ours(share.group) && hello.groups.contains(share.group)) return share.group;
  }
  asks_for_share = true;
  return unshared();
}

void write_cookie(MessageWriter& w, const RetryMemory& memory, const CookieOwner& owner, CookieKeys& keys) noexcept {
  w.u16(44);
  std::uint8_t* lengths = w.skip(4);
  std::uint8_t cookie[kMostCookieBytes];
  const std::size_t bytes = keys.seal(memory, owner, cookie);
  w.bytes({cookie, bytes});
  store_be16(lengths, static_cast<std::uint16_t>(bytes + 2));
  store_be16(lengths + 2, static_cast<std::uint16_t>(bytes));
}

}  // namespace

std::optional<RetryMemory> choose_retry(const RetryProfile& profile, const ClientHello& hello, Bytes message) noexcept {
  if (!hello.offers(kTls13) || hello.versions.empty() || !hello.has_key_share) return {};
  RetryMemory m;
  m.suite = choose_suite(profile, hello.suites);
  m.group = choose_group(profile, hello, m.asks_for_share);
  if (m.suite == 0 || m.group == 0) return {};
  m.hash_bytes = m.suite == kAes256 ? SHA384_DIGEST_LENGTH : SHA256_DIGEST_LENGTH;
  if (m.suite == kAes256) {
    SHA512_CTX sha;
    SHA384_Init(&sha);
    SHA384_Update(&sha, message.data(), message.size());
    SHA384_Final(m.hello_hash.data(), &sha);
  } else {
    SHA256_CTX sha;
    SHA256_Init(&sha);
    SHA256_Update(&sha, message.data(), message.size());
    SHA256_Final(m.hello_hash.data(), &sha);
  }
  return m;
}

bool fits_retry(const RetryMemory& m, const ClientHello& second) noexcept {
  const auto has_share = [&] {
    for (const KeyShare share : second.key_shares) {
      if (share.group == m.group) return true;
    }
    return false;
  };
  return second.offers(kTls13) && second.suites.contains(m.suite) && has_share() && !second.has_early_data;
}

std::size_t emit_retry(const RetryMemory& memory, const CookieOwner& owner, Bytes session_id, CookieKeys& keys, std::uint8_t* out) noexcept {
  MessageWriter w(out);
  w.u8(kHandshakeRecord);
  w.u16(0x0303);
  std::uint8_t* record = w.skip(2);
  std::uint8_t* message = w.skip(4);
  w.u16(0x0303);
  w.bytes(kRetryRandom);
  w.u8(static_cast<std::uint8_t>(session_id.size()));
  w.bytes(session_id);
  w.u16(memory.suite);
  w.u8(0);
  std::uint8_t* extensions = w.skip(2);
  w.u16(43);  // supported_versions
  w.u16(2);
  w.u16(kTls13);
  if (memory.asks_for_share) {
    w.u16(51);  // key_share
    w.u16(2);
    w.u16(memory.group);
  }
  write_cookie(w, memory, owner, keys);
  store_be16(extensions, static_cast<std::uint16_t>(w.since(extensions) - 2));
  store_be32(message, static_cast<std::uint32_t>(w.since(message) - 4) | std::uint32_t{kServerHello} << 24);
  store_be16(record, static_cast<std::uint16_t>(w.since(record) - 2));
  if (!session_id.empty()) w.bytes(kChangeCipherSpec);
  return w.size();
}

}  // namespace cutwater::hello
