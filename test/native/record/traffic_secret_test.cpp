#include "record/traffic_secret.hpp"

#include <doctest/doctest.h>

#include "record/hkdf.hpp"
#include "support/record_room.hpp"
#include "vectors/hex.hpp"

using namespace cutwater;
using namespace cutwater::record;
using ByteVector = std::vector<std::uint8_t>;

TEST_CASE("a key update gives a new secret of the hash's length, and new keys") {
  std::mt19937_64 random{5};
  for (const Suite& suite : all_suites()) {
    if (suite.version != Version::tls13) continue;
    TrafficSecret secret{support::random_bytes(random, hash_bytes(suite.hash))};
    TrafficKeys before = derive_keys(suite, secret);
    for (int update = 0; update < 5; ++update) {
      TrafficSecret next = next_secret(suite, secret);
      CHECK(next.expose().size() == hash_bytes(suite.hash));
      const TrafficKeys keys = derive_keys(suite, next);
      CHECK(keys.key != before.key);
      CHECK(keys.iv != before.iv);
      before = keys;
      secret = std::move(next);
      CHECK(next.empty());
    }
  }
}

TEST_CASE("the TLS 1.2 key block is cut in the order client key, server key, client IV, server IV") {
  std::mt19937_64 random{6};
  const ByteVector master = support::random_bytes(random, 48), client = support::random_bytes(random, 32),
                   server = support::random_bytes(random, 32);
  ByteVector seed = server;
  seed.insert(seed.end(), client.begin(), client.end());
  for (const Suite& suite : all_suites()) {
    if (suite.version != Version::tls12) continue;
    CAPTURE(suite.name);
    const std::size_t key_bytes = suite.key_bytes, iv_bytes = suite.explicit_nonce_bytes == 8 ? 4 : 12;
    ByteVector block(2 * (key_bytes + iv_bytes));
    REQUIRE(prf_tls12(suite.hash, master, "key expansion", seed, block));
    const KeyBlock keys = derive_key_block(suite, master, client, server);
    const std::uint8_t* at = block.data();
    CHECK(std::equal(at, at + key_bytes, keys.client_write.key.begin()));
    CHECK(std::equal(at + key_bytes, at + 2 * key_bytes, keys.server_write.key.begin()));
    at += 2 * key_bytes;
    CHECK(std::equal(at, at + iv_bytes, keys.client_write.iv.begin()));
    CHECK(std::equal(at + iv_bytes, at + 2 * iv_bytes, keys.server_write.iv.begin()));
  }
}
