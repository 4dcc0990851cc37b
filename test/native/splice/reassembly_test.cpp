// Reassembly against a byte array in which the first copy of each byte wins.
#include <doctest/doctest.h>

#include <map>

#include "sim/random.hpp"
#include "splice/reassembly.hpp"

using namespace cutwater;
using namespace cutwater::splice;

namespace {

constexpr SeqNum kBase{0xffff'ff80};

Held segment(port::ChunkPool& chunks, std::uint32_t at, std::uint32_t bytes, std::uint8_t value) {
  const port::Packet packet = *chunks.take();
  std::memset(packet.data, value, bytes);
  return {.begin = kBase + at, .bytes = bytes, .data = packet.data, .chunk = packet.chunk};
}

}  // namespace

TEST_CASE("I6: of overlapping segments the first copy of a byte stands, and what comes out is sorted and disjoint") {
  port::ChunkPool chunks(256);
  HeldPool pool(256, chunks);
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    sim::Random random{seed};
    Reassembly queue;
    std::map<std::uint32_t, std::uint8_t> first;
    for (int i = 0; i < 60; ++i) {
      const auto at = static_cast<std::uint32_t>(random.below(400)), bytes = static_cast<std::uint32_t>(random.between(1, 60));
      const auto value = static_cast<std::uint8_t>(i + 1);
      const Held held = segment(chunks, at, bytes, value);
      bool is_new = false;
      for (std::uint32_t k = at; k < at + bytes; ++k) is_new |= !first.contains(k);
      const bool is_taken = queue.insert(pool, held);
      if (!is_taken) chunks.put(held.chunk);
      CHECK((!is_taken || is_new));
      // It may keep a part only (the rest comes again): what it has is asked of the queue, and must not replace anything.
      queue.each(pool, [&](const Held& h) {
        for (std::uint32_t k = 0; k < h.bytes; ++k) first.try_emplace(static_cast<std::uint32_t>(h.begin - kBase) + k, h.data[k]);
        return true;
      });
      if (is_new && !first.contains(at) && queue.size() < Reassembly::kMaxSegments) FAIL("the first byte was not kept");
      std::int32_t last = -1;
      queue.each(pool, [&](const Held& h) {
        const std::int32_t begin = h.begin - kBase;
        CHECK(begin >= last);
        CHECK(h.bytes > 0);
        for (std::uint32_t k = 0; k < h.bytes; ++k) REQUIRE(first.at(static_cast<std::uint32_t>(begin) + k) == h.data[k]);
        last = h.end() - kBase;
        return true;
      });
      if (random.chance(0.1)) {
        const auto limit = static_cast<std::uint32_t>(random.below(100));
        queue.drop_before(pool, kBase + limit);
        std::erase_if(first, [&](const auto& entry) { return entry.first < limit; });
        if (!queue.empty()) CHECK(queue.front(pool).begin - kBase >= static_cast<std::int32_t>(limit));
      }
    }
    while (!queue.empty() && random.chance(0.9)) chunks.put(queue.pop_front(pool).chunk);
    queue.clear(pool);
    REQUIRE(chunks.free_chunks() == chunks.capacity());
    REQUIRE(pool.free_count() == 256);
  }
}

TEST_CASE("A15: what is absorbed first is kept whole, in one segment with all it touches; of bytes that come twice the first copy stands") {
  constexpr std::uint32_t kBegin = 100, kEnd = 300;  // the limits; what crosses them stays as it is
  port::ChunkPool chunks(64);
  HeldPool pool(64, chunks);
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    sim::Random random{seed};
    Reassembly queue;
    std::map<std::uint32_t, std::uint8_t> first;
    const auto keep = [&](const Held& held) {
      if (!queue.insert(pool, held)) chunks.put(held.chunk);
    };
    keep(segment(chunks, kBegin - 10, 20, 1));
    keep(segment(chunks, kEnd - 10, 20, 2));
    for (std::uint32_t k = 0; k < 20; ++k) first[kBegin - 10 + k] = 1, first[kEnd - 10 + k] = 2;
    for (std::uint8_t i = 3; i < 40; ++i) {
      const auto at = static_cast<std::uint32_t>(random.between(kBegin, kEnd - 1)), most = std::min<std::uint32_t>(kEnd - at, random.chance(0.1) ? 200 : 9);
      const auto bytes = static_cast<std::uint32_t>(random.between(1, most));
      for (std::uint32_t k = at; k < at + bytes; ++k) first.try_emplace(k, i);
      if (queue.has(pool, kBase + at, kBase + at + bytes)) continue;
      Held held = segment(chunks, kBegin, 0, i);
      held.data += at - kBegin, held.begin = kBase + at, held.bytes = bytes;
      std::memset(held.data, i, bytes);
      queue.absorb(pool, held, kBase + kBegin, kBase + kEnd);
      REQUIRE(queue.insert(pool, held));
    }
    std::map<std::uint32_t, std::uint8_t> kept;
    std::uint32_t segments = 0;
    queue.each(pool, [&](const Held& h) {
      for (std::uint32_t k = 0; k < h.bytes; ++k) REQUIRE(kept.emplace(static_cast<std::uint32_t>(h.begin - kBase) + k, h.data[k]).second);
      return ++segments != 0;
    });
    CHECK(kept == first);
    std::uint32_t runs = 0;
    for (const auto& [at, value] : first) runs += first.contains(at - 1) ? 0 : 1;
    CHECK(segments <= runs + 2);  // the two that cross the limits touch others
    queue.clear(pool);
    REQUIRE(chunks.free_chunks() == chunks.capacity());
    REQUIRE(pool.free_count() == 64);
  }
}

TEST_CASE("I5: a segment is continued in its chunk as far as that goes, be the chunk of one page or of four") {
  for (const std::size_t chunk_bytes : {port::kChunkBytes, port::kLargeChunkBytes}) {
    port::ChunkPool chunks(2, chunk_bytes);
    HeldPool pool(2, chunks);
    Reassembly queue;
    REQUIRE(queue.insert(pool, segment(chunks, 0, 1, 7)));
    const std::vector<std::uint8_t> more(100, std::uint8_t{7});
    std::uint32_t bytes = 1;
    while (queue.extend(pool, kBase + bytes, more)) bytes += 100;
    CHECK(bytes > chunk_bytes - port::kHeadroomBytes - 100);
    CHECK(bytes <= chunk_bytes - port::kHeadroomBytes);
    queue.clear(pool);
  }
}

TEST_CASE("I5: at most kMaxSegments a flow, and no more than the pool has") {
  port::ChunkPool chunks(16);
  HeldPool pool(8, chunks);
  Reassembly queue;
  for (std::uint32_t i = 0; i < 12; ++i) {
    const Held held = segment(chunks, i * 10, 5, 1);
    const bool is_taken = queue.insert(pool, held);
    CHECK(is_taken == (i < 8));
    if (!is_taken) chunks.put(held.chunk);
  }
  queue.clear(pool);
  CHECK(chunks.free_chunks() == 16);
}
