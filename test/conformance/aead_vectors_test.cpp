// Both backends against published vectors: GCM test cases and RFC 8439.
#include <doctest/doctest.h>

#include <algorithm>

#include "support/record_room.hpp"
#include "vectors/aead.hpp"
#include "vectors/hex.hpp"

using namespace cutwater;
using namespace cutwater::record;
using vectors::hex;

namespace {

const Suite& suite_of(Cipher cipher) {
  return *find_suite(cipher == Cipher::aes_128_gcm ? 0x1301 : cipher == Cipher::aes_256_gcm ? 0x1302 : 0x1303, Version::tls13);
}

template <std::size_t N>
void fill(std::array<std::uint8_t, N>& to, std::string_view text) {
  const auto bytes = hex(text);
  REQUIRE(bytes.size() <= N);
  std::copy(bytes.begin(), bytes.end(), to.begin());
}

}  // namespace

TEST_CASE("A2: each backend seals the published AEAD vectors to the published bytes") {
  for (const Aead* aead : support::backends()) {
    for (const auto& vector : vectors::kAeadVectors) {
      CAPTURE(aead->name);
      CAPTURE(vector.name);
      TrafficKeys keys;
      Nonce nonce{};
      fill(keys.key, vector.key);
      fill(nonce, vector.nonce);
      ExpandedKey key;
      aead->expand(suite_of(vector.cipher), keys, key);
      auto bytes = hex(vector.plaintext);
      std::array<std::uint8_t, kTagBytes> tag{};
      CHECK(aead->encrypt(key, nonce, hex(vector.aad), bytes, tag.data()));
      CHECK(bytes == hex(vector.ciphertext));
      CHECK(std::vector<std::uint8_t>(tag.begin(), tag.end()) == hex(vector.tag));
    }
  }
}

TEST_CASE("A1: each backend opens the published AEAD vectors, and none with any bit of the tag flipped") {
  for (const Aead* aead : support::backends()) {
    for (const auto& vector : vectors::kAeadVectors) {
      CAPTURE(aead->name);
      CAPTURE(vector.name);
      TrafficKeys keys;
      Nonce nonce{};
      fill(keys.key, vector.key);
      fill(nonce, vector.nonce);
      ExpandedKey key;
      aead->expand(suite_of(vector.cipher), keys, key);
      auto bytes = hex(vector.ciphertext);
      auto tag = hex(vector.tag);
      CHECK(aead->decrypt(key, nonce, hex(vector.aad), bytes, tag.data()));
      CHECK(bytes == hex(vector.plaintext));
      for (std::size_t bit = 0; bit < 8 * kTagBytes; ++bit) {
        bytes = hex(vector.ciphertext);
        tag[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        CHECK_FALSE(aead->decrypt(key, nonce, hex(vector.aad), bytes, tag.data()));
        CHECK(std::count(bytes.begin(), bytes.end(), 0) == static_cast<std::ptrdiff_t>(bytes.size()));
        tag[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      }
    }
  }
}
