// CUBIC as RFC 9438 draws it, rate reduction in recovery as RFC 9937 counts it, and the way back.
#include <doctest/doctest.h>

#include <cmath>

#include "splice/congestion.hpp"

using namespace cutwater;
using namespace cutwater::splice;

namespace {

constexpr std::uint16_t kMss = 1000;
constexpr std::uint64_t kRttUs = 100'000;

Congestion started() {
  Congestion congestion;
  congestion.start(kMss);
  return congestion;
}
double segments(const Congestion& congestion) { return static_cast<double>(congestion.window()) / kMss; }
void grow_to(Congestion& congestion, std::uint32_t wanted) {
  while (congestion.window() < wanted * kMss) congestion.grow(kMss, true, kRttUs, Tick{});
}
void reduce(Congestion& congestion) {
  congestion.enter_recovery(congestion.window());
  congestion.end_recovery();
}
// A round trip in which the whole window is delivered, segment by segment.
void round_trip(Congestion& congestion, Tick now) {
  for (std::uint32_t left = congestion.window() / kMss; left > 0; --left) congestion.grow(kMss, true, kRttUs, now);
}

}  // namespace

TEST_CASE("RFC 5681: slow start doubles in a round trip, and does not grow when something else limits the sender") {
  Congestion congestion = started();
  CHECK(congestion.window() == 10 * kMss);
  round_trip(congestion, Tick{});
  CHECK(congestion.window() == 20 * kMss);
  congestion.grow(5 * kMss, false, kRttUs, Tick{});
  CHECK(congestion.window() == 20 * kMss);
}

TEST_CASE("RFC 9438 4.6, 4.7: a loss takes three tenths; after a second one the flow aims lower than where it was") {
  Congestion congestion = started();
  grow_to(congestion, 100);
  reduce(congestion);
  CHECK(congestion.window() == 70 * kMss);
  CHECK_FALSE(congestion.is_in_slow_start());
  reduce(congestion);
  CHECK(congestion.window() == 49 * kMss);
}

TEST_CASE("RFC 9438 4.2: after K seconds the window is back where the loss had come, and rises slowly there") {
  Congestion congestion = started();
  grow_to(congestion, 2'000);
  reduce(congestion);
  const double plateau_s = std::cbrt(2'000 * 0.3 / 0.4);  // 11.4 s: long enough that Reno would be slower
  double at_plateau = 0, shortly_before = 0;
  Tick now{1'000'000};
  const Tick begin = now;
  for (; now - begin < 14'000'000; now = now + kRttUs) {
    round_trip(congestion, now);
    const double age = static_cast<double>(now - begin) / 1e6;
    if (age < plateau_s - 1) shortly_before = segments(congestion);
    if (age < plateau_s) at_plateau = segments(congestion);
  }
  CHECK(at_plateau == doctest::Approx(2'000).epsilon(0.02));
  CHECK(at_plateau - shortly_before < 10);
  CHECK(segments(congestion) > 2'000);
}

TEST_CASE("RFC 9438 4.3: with a small window the flow is as fast as Reno would be, half a segment in a round trip") {
  Congestion congestion = started();
  reduce(congestion);
  REQUIRE(congestion.window() == 7 * kMss);
  Tick now{1'000'000};
  constexpr std::uint64_t kShortUs = 10'000;
  for (int i = 0; i < 5; ++i, now = now + kShortUs) {
    for (std::uint32_t left = congestion.window() / kMss; left > 0; --left) congestion.grow(kMss, true, kShortUs, now);
  }
  CHECK(segments(congestion) == doctest::Approx(7 + 5 * 0.53).epsilon(0.08));
}

TEST_CASE("RFC 9937: recovery sends seven for ten that leave, never a burst, and ends at the new window") {
  Congestion congestion = started();
  grow_to(congestion, 100);
  std::uint32_t in_flight = 99 * kMss, sent = 0;
  congestion.enter_recovery(100 * kMss);
  for (int i = 0; i < 99; ++i) {
    in_flight -= kMss;
    congestion.recover(kMss, in_flight, false);
    std::uint32_t burst = 0;
    while (in_flight + kMss <= congestion.window()) {
      in_flight += kMss;
      burst += kMss;
      congestion.note_sent_in_recovery(kMss);
    }
    CHECK(burst <= 2 * kMss);
    sent += burst;
  }
  CHECK(sent >= 67 * kMss);
  CHECK(sent <= 71 * kMss);
  congestion.end_recovery();
  CHECK(congestion.window() == 70 * kMss);
}

TEST_CASE("RFC 3708: what turns out not to have been a loss leaves no trace") {
  Congestion congestion = started();
  grow_to(congestion, 40);
  congestion.enter_recovery(40 * kMss);
  congestion.recover(kMss, 30 * kMss, true);
  congestion.undo();
  CHECK(congestion.window() == 40 * kMss);
  CHECK(congestion.is_in_slow_start());
  congestion.time_out(true);
  CHECK(congestion.window() == kMss);
  congestion.time_out(false);
  congestion.undo();
  CHECK(congestion.window() == 40 * kMss);
}
