// The byte queue against std::deque.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <vector>

#include "sim/random.hpp"
#include "splice/byte_queue.hpp"

using namespace cutwater;
using namespace cutwater::splice;

TEST_CASE("A11: bytes come out of custody as they went in, from anywhere, and its chunks go back") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    CAPTURE(seed);
    sim::Random random{seed};
    port::ChunkPool chunks(40);
    ByteQueue queue;
    std::deque<std::uint8_t> model;
    SeqNum begin{0xffff'0000};
    queue.start(begin);
    std::uint8_t next = 1;
    for (int step = 0; step < 1500; ++step) {
      switch (random.below(5)) {
        case 0:
        case 1: {
          auto wanted = static_cast<std::uint32_t>(random.below(3000));
          const bool has_room = queue.has_room(chunks, wanted);
          while (wanted != 0) {
            const MutableBytes space = queue.space(chunks);
            if (space.empty()) break;
            const auto n = static_cast<std::uint32_t>(std::min<std::size_t>(space.size(), wanted));
            for (std::uint32_t i = 0; i < n; ++i) model.push_back(space[i] = next++);
            queue.commit(n);
            wanted -= n;
          }
          if (has_room) REQUIRE(wanted == 0);
          break;
        }
        case 2: {
          const auto n = static_cast<std::uint32_t>(random.below(model.size() + 1));
          begin += n;
          queue.drop_before(chunks, begin);
          model.erase(model.begin(), model.begin() + n);
          break;
        }
        case 3: {
          const auto n = static_cast<std::uint32_t>(random.below(std::min<std::size_t>(model.size(), 5000) + 1));
          queue.cut_back(chunks, queue.end() - n, random.chance(0.5) ? ByteQueue::Wipe::yes : ByteQueue::Wipe::no);
          model.erase(model.end() - n, model.end());
          break;
        }
        default: {
          const auto at = static_cast<std::uint32_t>(random.below(model.size() + 1));
          std::vector<std::uint8_t> out(random.below(model.size() - at + 1));
          queue.copy(chunks, begin + at, out);
          REQUIRE(std::equal(out.begin(), out.end(), model.begin() + at));
        }
      }
      REQUIRE(queue.begin() == begin);
      REQUIRE(queue.bytes() == model.size());
      if (!model.empty()) REQUIRE(queue.last(chunks) == model.back());
      REQUIRE(chunks.capacity() - chunks.free_chunks() <= model.size() / port::kChunkBytes + 2);
    }
    queue.clear(chunks);
    REQUIRE(chunks.free_chunks() == chunks.capacity());
  }
}

TEST_CASE("I4: what is taken back without a verdict is wiped where it lay") {
  port::ChunkPool chunks(4);
  ByteQueue queue;
  queue.start(SeqNum{0});
  const MutableBytes space = queue.space(chunks);
  std::fill_n(space.begin(), 100, std::uint8_t{0x77});
  queue.commit(100);
  queue.cut_back(chunks, SeqNum{40}, ByteQueue::Wipe::yes);
  for (std::size_t i = 0; i < 100; ++i) CHECK(space[i] == (i < 40 ? 0x77 : 0));
  queue.clear(chunks);
}

TEST_CASE("A10: bytes put in front of others stand there, over chunk boundaries, and views of it follow; all chunks come back") {
  port::ChunkPool pool(64);
  for (const std::size_t dropped : {std::size_t{0}, std::size_t{1}, std::size_t{100}, std::size_t{4095}, std::size_t{4096}, std::size_t{5000}}) {
    for (const std::size_t front : {std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{9000}}) {
      ByteQueue queue;
      queue.start(SeqNum{0xffff'ff00});
      std::vector<std::uint8_t> all(10'000);
      for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i * 7 + i / 256);
      for (std::size_t at = 0; at < all.size();) {
        const MutableBytes space = queue.space(pool);
        const std::size_t n = std::min(space.size(), all.size() - at);
        std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(at), n, space.begin());
        queue.commit(static_cast<std::uint32_t>(n));
        at += n;
      }
      queue.drop_before(pool, queue.begin() + static_cast<std::uint32_t>(dropped));
      all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(dropped));
      const std::vector<std::uint8_t> put(front, 0xee);
      const SeqNum end = queue.end();
      REQUIRE(queue.prepend(pool, put));
      all.insert(all.begin(), put.begin(), put.end());
      CHECK(queue.end() == end);
      CHECK(queue.bytes() == all.size());
      std::vector<std::uint8_t> seen;
      for (SeqNum at = queue.begin(); at != queue.end();) {
        const Bytes view = queue.view(pool, at);
        REQUIRE_FALSE(view.empty());
        seen.insert(seen.end(), view.begin(), view.end());
        at += static_cast<std::uint32_t>(view.size());
      }
      CHECK(seen == all);
      queue.renumber(SeqNum{5});
      std::vector<std::uint8_t> copied(all.size());
      queue.copy(pool, SeqNum{5}, copied);
      CHECK(copied == all);
      queue.clear(pool);
      CHECK(pool.free_chunks() == pool.capacity());
    }
  }
  ByteQueue queue;
  std::vector<std::uint8_t> much(65 * port::kChunkBytes);
  CHECK_FALSE(queue.prepend(pool, much));
  CHECK(pool.free_chunks() == pool.capacity());
  REQUIRE(queue.prepend(pool, Bytes(much).first(10)));  // into an empty one
  CHECK(queue.bytes() == 10);
  queue.clear(pool);
  CHECK(pool.free_chunks() == pool.capacity());
}
