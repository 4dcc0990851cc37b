// The hash functions are OpenSSL's direct ones: deprecated there in favour of the general interface, but the same code under
// it, without its search, its locks and its allocations.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "record/hmac.hpp"

#include <openssl/sha.h>

#include <array>

namespace cutwater::record {

namespace {

struct Sha256 {
  static constexpr std::size_t kBlockBytes = 64, kDigestBytes = 32;
  SHA256_CTX state;
  Sha256() noexcept { SHA256_Init(&state); }
  void add(Bytes bytes) noexcept { SHA256_Update(&state, bytes.data(), bytes.size()); }
  void end(std::uint8_t* out) noexcept { SHA256_Final(out, &state); }
};

struct Sha384 {
  static constexpr std::size_t kBlockBytes = 128, kDigestBytes = 48;
  SHA512_CTX state;
  Sha384() noexcept { SHA384_Init(&state); }
  void add(Bytes bytes) noexcept { SHA384_Update(&state, bytes.data(), bytes.size()); }
  void end(std::uint8_t* out) noexcept { SHA384_Final(out, &state); }
};

/// The hash of `pad` and what follows it, into `out`. Wipes the state.
template <class Sha>
void hash_behind(Bytes pad, Bytes message, std::uint8_t* out) noexcept {
  Sha sha;
  sha.add(pad);
  sha.add(message);
  sha.end(out);
  wipe(&sha, sizeof sha);
}

template <class Sha>
Digest hmac_with(Bytes key, Bytes message) noexcept {
  constexpr std::uint8_t kInner = 0x36, kOuter = 0x5c;
  std::array<std::uint8_t, Sha::kBlockBytes> pad{};
  std::array<std::uint8_t, Sha::kDigestBytes> digest;
  if (key.size() > pad.size()) {
    hash_behind<Sha>(key, {}, pad.data());
  } else if (!key.empty()) {
    std::memcpy(pad.data(), key.data(), key.size());
  }
  for (std::uint8_t& byte : pad) byte ^= kInner;
  hash_behind<Sha>(pad, message, digest.data());
  for (std::uint8_t& byte : pad) byte ^= kInner ^ kOuter;
  hash_behind<Sha>(pad, digest, digest.data());
  Digest out{digest};
  wipe(pad.data(), pad.size());
  wipe(digest.data(), digest.size());
  return out;
}

template <class Sha>
Digest hash_of_nothing() noexcept {
  std::array<std::uint8_t, Sha::kDigestBytes> digest;
  hash_behind<Sha>({}, {}, digest.data());
  return Digest{digest};
}

}  // namespace

Digest hmac(Hash hash, Bytes key, Bytes message) noexcept {
  return hash == Hash::sha256 ? hmac_with<Sha256>(key, message) : hmac_with<Sha384>(key, message);
}

Digest empty_hash(Hash hash) noexcept {
  return hash == Hash::sha256 ? hash_of_nothing<Sha256>() : hash_of_nothing<Sha384>();
}

}  // namespace cutwater::record
