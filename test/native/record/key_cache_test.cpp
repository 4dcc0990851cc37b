#include "record/key_cache.hpp"

#include <doctest/doctest.h>

#include "support/record_room.hpp"

using namespace cutwater;
using namespace cutwater::record;
using ByteVector = std::vector<std::uint8_t>;

namespace {

const Suite& suite() { return *find_suite(0x1301, Version::tls13); }
KeyId id_of(std::uint32_t flow) { return {.flow = flow, .generation = 1}; }
TrafficKeys keys_of(std::uint32_t flow) {
  std::mt19937_64 random{flow};
  return support::random_keys(random);
}
/// Whether the cached key is the right one for this flow: a record sealed by a fresh key must be sealed alike.
bool is_right(const ExpandedKey& cached, std::uint32_t flow) {
  const TrafficKeys keys = keys_of(flow);
  ExpandedKey fresh;
  default_aead().expand(suite(), keys, fresh);
  const ByteVector fragment(32, 7);
  return support::sealed(default_aead(), cached, keys, 1, ContentType::application_data, fragment) ==
         support::sealed(default_aead(), fresh, keys, 1, ContentType::application_data, fragment);
}

}  // namespace

TEST_CASE("a key is expanded once while it stays, and every flow gets its own") {
  KeyCache cache{default_aead(), 64, 1};
  CHECK(cache.capacity() == 64);
  for (int round = 0; round < 3; ++round) {
    for (std::uint32_t flow = 0; flow < 8; ++flow) CHECK(is_right(cache.at(id_of(flow), suite(), keys_of(flow)), flow));
  }
  CHECK(cache.misses() == 8);
  CHECK(cache.hits() == 16);
}

TEST_CASE("I5: far more flows than slots are served right, in the memory of the slots") {
  KeyCache cache{default_aead(), 64, 2};
  std::mt19937_64 random{9};
  for (int i = 0; i < 20'000; ++i) {
    const auto flow = static_cast<std::uint32_t>(random() % 1000);
    const ExpandedKey& key = cache.at(id_of(flow), suite(), keys_of(flow));
    if (i % 16 == 0) CHECK(is_right(key, flow));
  }
  CHECK(cache.misses() > 10'000);
}

TEST_CASE("the least recently used key of a set makes room") {
  KeyCache cache{default_aead(), KeyCache::kWays, 3};  // one set
  CHECK(cache.capacity() == KeyCache::kWays);
  for (std::uint32_t flow = 0; flow < KeyCache::kWays; ++flow) cache.at(id_of(flow), suite(), keys_of(flow));
  cache.at(id_of(0), suite(), keys_of(0));      // 1 is now the oldest
  cache.at(id_of(100), suite(), keys_of(100));  // takes its slot
  const auto misses = cache.misses();
  cache.at(id_of(0), suite(), keys_of(0));
  CHECK(cache.misses() == misses);
  cache.at(id_of(1), suite(), keys_of(1));
  CHECK(cache.misses() == misses + 1);
}

TEST_CASE("flow, generation, direction and epoch each name another key") {
  KeyCache cache{default_aead(), 64, 4};
  const KeyId ids[] = {{1, 1, 0, KeyId::Direction::up}, {2, 1, 0, KeyId::Direction::up}, {1, 2, 0, KeyId::Direction::up},
                       {1, 1, 1, KeyId::Direction::up}, {1, 1, 0, KeyId::Direction::down}};
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t n = 0; n < std::size(ids); ++n) CHECK(is_right(cache.at(ids[n], suite(), keys_of(n)), n));
  }
  CHECK(cache.misses() == 5);
}

TEST_CASE("an erased key is wiped, and made anew when asked for") {
  KeyCache cache{default_aead(), 8, 5};
  const ExpandedKey& key = cache.at(id_of(1), suite(), keys_of(1));
  cache.erase(id_of(1));
  CHECK(key.suite == nullptr);  // the slot is still there, empty
  CHECK(std::all_of(key.space.begin(), key.space.end(), [](std::uint8_t b) { return b == 0; }));
  cache.erase(id_of(1));
  cache.erase(id_of(2));
  CHECK(is_right(cache.at(id_of(1), suite(), keys_of(1)), 1));
  CHECK(cache.misses() == 2);
}

TEST_CASE("flows in a row spread over the sets") {
  KeyCache cache{default_aead(), 1024, 6};
  for (int round = 0; round < 2; ++round) {
    for (std::uint32_t flow = 0; flow < 512; ++flow) cache.at(id_of(flow), suite(), keys_of(flow));
  }
  // Half full: with a good spread few of the 128 sets of eight get more than eight of the 512 keys.
  CHECK(cache.misses() < 512 + 80);
}
