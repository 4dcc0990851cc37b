// The span map against std::deque, and its pool's arithmetic.
#include <doctest/doctest.h>

#include <deque>

#include "sim/random.hpp"
#include "splice/span_map.hpp"

using namespace cutwater;
using namespace cutwater::splice;

TEST_CASE("A6: spans come out oldest first, as they went in, whatever the pattern; blocks go back to the pool") {
  SpanPool pool(64);
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    sim::Random random{seed};
    SpanMap map;
    std::deque<std::uint64_t> model;
    std::uint64_t next = 0;
    for (int step = 0; step < 3000; ++step) {
      if (random.chance(model.size() < 300 ? 0.6 : 0.3)) {
        const bool has_room = map.has_room(pool);
        Span* const pushed = map.push(pool, {.cipher_begin = SeqNum{static_cast<std::uint32_t>(next)}, .plain_begin = {}, .number = next});
        if (has_room) REQUIRE(pushed != nullptr);
        if (pushed != nullptr) model.push_back(next++);
      } else if (!model.empty()) {
        REQUIRE(map.front(pool).number == model.front());
        map.pop_front(pool);
        model.pop_front();
      }
      REQUIRE(map.size() == model.size());
      REQUIRE(map.empty() == model.empty());
      if (step % 37 != 0) continue;
      std::size_t i = 0;
      map.each(pool, [&](const Span& span) { return span.number == model[i++]; });
      REQUIRE(i == model.size());
    }
    map.clear(pool);
    REQUIRE(pool.free_blocks() == pool.capacity());
  }
}

TEST_CASE("I5: two maps share a pool; at its end a push is refused and nothing is harmed") {
  SpanPool pool(2);
  SpanMap one, two;
  for (std::uint32_t i = 0; i < kSpansPerBlock; ++i) REQUIRE(one.push(pool, {}) != nullptr);
  REQUIRE(two.push(pool, {}) != nullptr);
  CHECK(one.push(pool, {}) == nullptr);
  CHECK(one.size() == kSpansPerBlock);
  CHECK_FALSE(one.has_room(pool));
  two.clear(pool);
  CHECK(one.push(pool, {}) != nullptr);
  one.clear(pool);
  CHECK(pool.free_blocks() == 2);
}

TEST_CASE("I5: a flow has at most kMaxSpansPerFlow spans") {
  SpanPool pool(2000);
  SpanMap map;
  for (std::uint32_t i = 0; i < kMaxSpansPerFlow; ++i) REQUIRE(map.push(pool, {}) != nullptr);
  CHECK(map.push(pool, {}) == nullptr);
  map.clear(pool);
  CHECK(pool.free_blocks() == pool.capacity());
}
