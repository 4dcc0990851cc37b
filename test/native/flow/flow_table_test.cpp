// The flow table against std::unordered_multimap, erasing included.
#include <doctest/doctest.h>

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "flow/flow_table.hpp"
#include "sim/random.hpp"

using namespace cutwater;
using namespace cutwater::flow;

TEST_CASE("H2: every entry that was put in and not taken out is found, and no other, at any load, with hashes that collide") {
  const std::uint64_t seed[2] = {1, 2};
  for (const std::uint64_t spread : {std::uint64_t{4}, std::uint64_t{300}, std::uint64_t{1} << 32}) {
    FlowTable table(200, seed);
    std::unordered_map<FlowIndex, std::uint32_t> model;
    sim::Random random{spread};
    for (int step = 0; step < 20'000; ++step) {
      const auto index = static_cast<FlowIndex>(random.below(400));
      if (const auto found = model.find(index); found != model.end()) {
        table.erase(found->second, index);
        model.erase(found);
      } else {
        const auto hash = static_cast<std::uint32_t>(random.below(spread)) | 0x8000'0000U * (random.chance(0.5) ? 1U : 0U);
        const bool has_room = model.size() < 200;
        REQUIRE(table.insert(hash, index) == has_room);
        if (has_room) model.emplace(index, hash);
      }
      REQUIRE(table.size() == model.size());
      if (step % 50 != 0) continue;
      for (const auto& [i, hash] : model) REQUIRE(table.find(hash, [i = i](FlowIndex other) { return other == i; }) == i);
      for (int probe = 0; probe < 20; ++probe) {
        const auto hash = static_cast<std::uint32_t>(random.below(spread));
        std::size_t seen = 0;
        (void)table.find(hash, [&](FlowIndex i) {
          CHECK(model.at(i) == hash);
          ++seen;
          return false;
        });
        const auto expected = std::count_if(model.begin(), model.end(), [&](const auto& entry) { return entry.second == hash; });
        REQUIRE(seen == static_cast<std::size_t>(expected));
      }
    }
  }
}

TEST_CASE("H2: erasing what is not there changes nothing") {
  const std::uint64_t seed[2] = {1, 2};
  FlowTable table(4, seed);
  REQUIRE(table.insert(7, 1));
  table.erase(7, 2);
  table.erase(8, 1);
  CHECK(table.size() == 1);
  CHECK(table.find(7, [](FlowIndex) { return true; }) == 1);
}

TEST_CASE("the hash depends on its seed, on each address, port and side, and spreads neighbours") {
  const std::uint64_t one[2] = {123, 456}, two[2] = {123, 4560};
  const FlowTable a(1024, one), b(1024, two);
  FlowKey key;
  const std::uint8_t address[4] = {10, 0, 0, 1};
  key.remote = key.local = IpAddress::from_v4(address);
  key.remote_port = 50'000, key.local_port = 443;
  CHECK(a.hash(key) != b.hash(key));
  const auto changed = [&](auto&& change) {
    FlowKey other = key;
    change(other);
    return a.hash(other) != a.hash(key);
  };
  CHECK(changed([](FlowKey& k) { k.remote.bytes[15] ^= 1; }));
  CHECK(changed([](FlowKey& k) { k.remote.bytes[0] ^= 1; }));
  CHECK(changed([](FlowKey& k) { k.local.bytes[15] ^= 1; }));
  CHECK(changed([](FlowKey& k) { k.remote_port ^= 1; }));
  CHECK(changed([](FlowKey& k) { k.local_port ^= 1; }));
  CHECK(changed([](FlowKey& k) { k.side ^= 1; }));
  std::vector<int> buckets(1024);
  for (std::uint32_t i = 0; i < 64'512; ++i) {
    key.remote_port = static_cast<std::uint16_t>(1024 + i);
    ++buckets[a.hash(key) % 1024];
  }
  CHECK(*std::max_element(buckets.begin(), buckets.end()) < 63 * 2);
}
