// native/port/memory_port.hpp
#include "port/memory_port.hpp"

#include <doctest/doctest.h>

#include <array>

using namespace cutwater::port;

TEST_CASE("memory_port: what one end sends the other receives, in order and without a copy") {
  ChunkPool pool(16);
  MemoryWire wire(pool);
  std::array<Packet, 3> sent;
  for (auto& packet : sent) {
    packet = *pool.take();
    packet.bytes = 100;
  }
  CHECK(wire.near_end->tx(sent) == 3);
  std::array<Packet, 8> received;
  REQUIRE(wire.far_end->rx(received) == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(received[i].data == sent[i].data);
    pool.put(received[i].chunk);
  }
  CHECK(wire.near_end->rx(received) == 0);
  CHECK(pool.free_chunks() == pool.capacity());
}

TEST_CASE("memory_port: a full ring gives the rest back to the pool and says how many it took (I5)") {
  ChunkPool pool(kMemoryRingEntries + 10);
  {
    MemoryWire wire(pool);
    std::size_t admitted = 0;
    while (auto packet = pool.take()) {
      packet->bytes = 60;
      admitted += wire.near_end->tx(std::span<const Packet>(&*packet, 1));
      if (wire.near_end->counters().tx_not_admitted == 10) break;
    }
    CHECK(admitted == kMemoryRingEntries);
    CHECK(pool.free_chunks() == 10);
  }
  CHECK(pool.free_chunks() == pool.capacity());  // the wire's end gives back what was under way
}
