// native/port/chunk_pool.cpp
#include "port/chunk_pool.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <set>

using namespace cutwater::port;

TEST_CASE("chunk_pool: hands out every chunk once, then says no, and takes all back (I5)") {
  ChunkPool pool(64);
  CHECK(reinterpret_cast<std::uintptr_t>(pool.memory().data()) % kChunkBytes == 0);
  std::set<ChunkId> taken;
  for (int i = 0; i < 64; ++i) {
    const auto packet = pool.take();
    REQUIRE(packet.has_value());
    CHECK(packet->bytes == 0);
    CHECK(pool.headroom(*packet) == kHeadroomBytes);
    CHECK(pool.chunk_of(packet->data) == packet->chunk);
    CHECK(taken.insert(packet->chunk).second);
    std::memset(pool.at(packet->chunk), i, kChunkBytes);
  }
  CHECK_FALSE(pool.take().has_value());
  CHECK(pool.free_chunks() == 0);
  for (const ChunkId chunk : taken) pool.put(chunk);
  CHECK(pool.free_chunks() == pool.capacity());
}

TEST_CASE("chunk_pool: the largest packet leaves room for a tag behind it") {
  ChunkPool pool(1);
  auto packet = pool.take();
  packet->bytes = kMaxPacketBytes;
  CHECK(pool.tailroom(*packet) >= 64);
  pool.put(packet->chunk);
}

TEST_CASE("chunk_pool: the chunk given back last is handed out first, while it is in the cache") {
  ChunkPool pool(8);
  const auto a = pool.take();
  const auto b = pool.take();
  pool.put(b->chunk);
  pool.put(a->chunk);
  CHECK(pool.take()->chunk == a->chunk);
  CHECK(pool.take()->chunk == b->chunk);
}
