// The scoreboard of custody's sender beside one that keeps a fate for every single byte.
#include <doctest/doctest.h>

#include <map>
#include <vector>

#include "sim/random.hpp"
#include "splice/flight.hpp"

using namespace cutwater;
using namespace cutwater::splice;

namespace {

constexpr SeqNum kStart{0xffff'e000};
constexpr std::uint32_t kMss = 100;

// What there is to know, byte by byte.
struct Bytewise {
  std::map<std::uint32_t, Flight::State> fate;  // by offset from kStart
  [[nodiscard]] std::uint32_t count(Flight::State state) const {
    std::uint32_t n = 0;
    for (const auto& [at, has] : fate) n += has == state ? 1 : 0;
    return n;
  }
};

std::uint32_t offset(SeqNum seq) { return static_cast<std::uint32_t>(seq - kStart); }

}  // namespace

TEST_CASE("RFC 6675: as long as its runs suffice, the scoreboard knows the fate of every byte") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    sim::Random random{seed};
    Flight flight;
    Bytewise model;
    flight.start(kStart);
    Tick now{1000};
    for (int step = 0; step < 200; ++step) {
      now = now + random.below(50);
      const std::uint32_t in_play = offset(flight.end()) - offset(flight.begin());
      switch (random.below(5)) {
        case 0: {
          if (in_play > 20 * kMss) break;
          const SeqNum from = flight.end();
          flight.append(from + kMss, now, 20);
          for (std::uint32_t at = offset(from); at < offset(from) + kMss; ++at) model.fate[at] = Flight::State::sent;
          break;
        }
        case 1: {
          Flight::News news = flight.no_news();
          const SeqNum ack = flight.begin() + static_cast<std::uint32_t>(random.below(in_play / 2 + 1));
          std::uint32_t fresh = 0;
          while (!model.fate.empty() && model.fate.begin()->first < offset(ack)) {
            fresh += model.fate.begin()->second != Flight::State::held ? 1 : 0;
            model.fate.erase(model.fate.begin());
          }
          flight.take_ack(ack, news);
          CHECK(news.bytes == fresh);
          break;
        }
        case 2: {
          if (in_play < 3) break;
          const auto from = static_cast<std::uint32_t>(1 + random.below(in_play - 2));
          const auto bytes = static_cast<std::uint32_t>(1 + random.below(in_play - from));
          const wire::SackBlock block{flight.begin() + from, flight.begin() + from + bytes};
          Flight::News news = flight.no_news();
          std::uint32_t fresh = 0;
          for (std::uint32_t at = offset(block.begin); at < offset(block.end); ++at) {
            fresh += model.fate[at] != Flight::State::held ? 1 : 0;
            model.fate[at] = Flight::State::held;
          }
          flight.take_sack(block, news);
          CHECK(news.bytes == fresh);
          break;
        }
        case 3: {
          const std::uint32_t lost = model.count(Flight::State::lost);
          const auto from = static_cast<std::uint32_t>(random.below(in_play + 1));
          const SeqNum begin = flight.begin() + from;
          for (auto& [at, state] : model.fate) {
            if (at >= offset(begin) && at < offset(begin) + kMss && state == Flight::State::sent) state = Flight::State::lost;
          }
          CHECK(flight.lose(begin, begin + kMss) == model.count(Flight::State::lost) - lost);
          break;
        }
        case 4: {
          const auto block = flight.resend(kMss, now, 20);
          REQUIRE(block.has_value() == (model.count(Flight::State::lost) != 0));
          if (!block) break;
          CHECK(block->end - block->begin <= static_cast<std::int32_t>(kMss));
          for (std::uint32_t at = offset(block->begin); at < offset(block->end); ++at) {
            CHECK(model.fate[at] == Flight::State::lost);
            model.fate[at] = Flight::State::sent;
          }
          break;
        }
      }
      REQUIRE(flight.sent_bytes() == model.count(Flight::State::sent));
      REQUIRE(flight.lost_bytes() == model.count(Flight::State::lost));
      REQUIRE(flight.held_bytes() == model.count(Flight::State::held));
    }
  }
}

TEST_CASE("I5: with more holes than runs the scoreboard forgets what the receiver has, never what it lacks") {
  Flight flight;
  flight.start(kStart);
  for (std::uint32_t i = 0; i < 1000; ++i) flight.append(flight.end() + kMss, Tick{i}, 0);
  const std::uint32_t total = 1000 * kMss;
  CHECK(flight.sent_bytes() == total);
  std::uint32_t told = 0;
  for (std::uint32_t i = 1; i < 1000; i += 2) {
    Flight::News news = flight.no_news();
    flight.take_sack({kStart + i * kMss, kStart + (i + 1) * kMss}, news);
    told += kMss;
    REQUIRE(flight.held_bytes() <= told);
    REQUIRE(flight.sent_bytes() + flight.lost_bytes() + flight.held_bytes() == total);
  }
  std::uint32_t resent = 0;
  flight.lose(flight.begin(), flight.end());
  CHECK(flight.lost_bytes() >= total / 2);
  while (const auto block = flight.resend(kMss, Tick{5000}, 0)) resent += static_cast<std::uint32_t>(block->end - block->begin);
  CHECK(flight.lost_bytes() == 0);
  CHECK(resent + flight.held_bytes() == total);
  Flight::News news = flight.no_news();
  flight.take_ack(flight.end(), news);
  CHECK(flight.sent_bytes() + flight.held_bytes() == 0);
}
