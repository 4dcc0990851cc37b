// What custody's sender may send next: RFC 5681, 6298 and 6675 as arithmetic, and a model network that loses at will.
#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "sim/random.hpp"
#include "splice/send_control.hpp"

using namespace cutwater;
using namespace cutwater::splice;

namespace {

constexpr std::uint16_t kMss = 1000;
constexpr SeqNum kStart{0xffff'f000};
constexpr Tick kNow{1'000'000};

std::vector<SendControl::Range> drain(SendControl& control, SeqNum end, Tick now = kNow) {
  std::vector<SendControl::Range> ranges;
  while (const auto range = control.next(end, now)) {
    ranges.push_back(*range);
    if (ranges.size() > 10'000) break;
  }
  return ranges;
}
SendControl started(std::uint32_t window = 1'000'000, CongestionControl congestion = CongestionControl::cubic) {
  SendControl control;
  control.start(kStart, kMss, kStart + window, true, congestion);
  return control;
}
void ack(SendControl& control, SeqNum to, Tick now = kNow, std::vector<wire::SackBlock> sack = {}, bool is_duplicate = false,
         std::uint32_t window = 1'000'000) {
  control.on_ack(to, to + window, sack, is_duplicate, now);
}

}  // namespace

TEST_CASE("RFC 6928: ten segments at first, then one more for each that is acknowledged (slow start)") {
  SendControl control = started();
  CHECK(drain(control, kStart + 100'000).size() == 10);
  ack(control, kStart + 1'000);
  CHECK(drain(control, kStart + 100'000).size() == 2);
  ack(control, kStart + 3'000);
  CHECK(drain(control, kStart + 100'000).size() == 4);
}

TEST_CASE("ranges are contiguous, at most an MSS, and never beyond the window or the end") {
  SendControl control = started(4'500);
  const auto ranges = drain(control, kStart + 100'000);
  SeqNum at = kStart;
  for (const auto& range : ranges) {
    CHECK(range.begin == at);
    CHECK(range.end - range.begin <= kMss);
    CHECK_FALSE(range.is_resent);
    at = range.end;
  }
  CHECK(at_or_before(at, kStart + 4'500U));
  CHECK(at - kStart >= 4'000);
  SendControl small = started();
  CHECK(drain(small, kStart + 1'500U).back().end == kStart + 1'500U);
}

TEST_CASE("RFC 5681 3.2: the third duplicate sends the first hole again, and the window is smaller afterwards") {
  SendControl control = started();
  drain(control, kStart + 100'000);
  for (int i = 0; i < 2; ++i) {
    ack(control, kStart, kNow, {}, true);
    for (const auto& range : drain(control, kStart + 10'000U)) CHECK_FALSE(range.is_resent);
  }
  ack(control, kStart, kNow, {}, true);
  const auto ranges = drain(control, kStart + 10'000U);
  REQUIRE(ranges.size() == 1);
  CHECK(ranges[0].is_resent);
  CHECK(ranges[0].begin == kStart);
  ack(control, kStart + 10'000U);
  CHECK(drain(control, kStart + 100'000U).size() == 7);  // RFC 9438 4.6
}

TEST_CASE("RFC 6675: SACK names the holes; only they are sent again, each once") {
  SendControl control = started();
  drain(control, kStart + 10'000U);
  std::vector<wire::SackBlock> sack{{kStart + 1'000U, kStart + 3'000U}, {kStart + 5'000U, kStart + 10'000U}};
  for (int i = 0; i < 3; ++i) ack(control, kStart, kNow, sack, true);
  std::vector<SendControl::Range> again;
  for (const auto& range : drain(control, kStart + 10'000U)) again.push_back(range);
  for (int i = 0; i < 5; ++i) {
    ack(control, kStart, kNow, sack, true);
    for (const auto& range : drain(control, kStart + 10'000U)) again.push_back(range);
  }
  std::set<std::uint32_t> offsets;
  for (const auto& range : again) {
    CHECK(range.is_resent);
    CHECK(offsets.insert(static_cast<std::uint32_t>(range.begin - kStart)).second);
    CHECK(range.end - range.begin <= kMss);
  }
  CHECK(offsets == std::set<std::uint32_t>{0, 3'000, 4'000});
}

TEST_CASE("RFC 8985 6: three segments behind a gap are proof at first; once something came late, only time is") {
  SendControl control = started();
  drain(control, kStart + 10'000U);
  const Tick later_on = kNow + 20'000;
  ack(control, kStart, later_on, {{kStart + 1'000U, kStart + 4'000U}}, true);
  REQUIRE(drain(control, kStart + 10'000U, later_on).size() == 1);
  const std::uint32_t reduced = control.congestion().window();
  CHECK(reduced < 8'000);
  // It was only late, and the superfluous copy is reported.
  ack(control, kStart + 10'000U, later_on + 1'000);
  ack(control, kStart + 10'000U, later_on + 20'000, {{kStart, kStart + 1'000U}}, true);
  CHECK(control.congestion().window() >= 10'000);
  CHECK(control.congestion().is_in_slow_start());
  // From now on a quarter of a round trip is waited, however many have overtaken it.
  const Tick second = later_on + 30'000;
  drain(control, kStart + 20'000U, second);
  const Tick answer = second + 20'000;
  ack(control, kStart + 10'000U, answer, {{kStart + 11'000U, kStart + 18'000U}}, true);
  CHECK(drain(control, kStart + 20'000U, answer).empty());
  REQUIRE(control.deadline() <= answer + 20'000);
  CHECK(control.on_timer(control.deadline(), kStart + 20'000U));
  const auto again = drain(control, kStart + 20'000U, answer + 20'000);
  REQUIRE(again.size() == 1);
  CHECK(again[0].begin == kStart + 10'000U);
}

TEST_CASE("RFC 8985 6: a resend that is lost too is sent a third time, without the timer") {
  SendControl control = started();
  drain(control, kStart + 10'000U);
  Tick now = kNow + 20'000;
  ack(control, kStart, now, {{kStart + 1'000U, kStart + 6'000U}}, true);
  REQUIRE(drain(control, kStart + 20'000U, now).front().begin == kStart);
  now = now + 5'000;
  ack(control, kStart, now, {{kStart + 1'000U, kStart + 10'000U}}, true);
  REQUIRE_FALSE(drain(control, kStart + 20'000U, now).empty());  // new data, later than the resend
  now = now + 20'000;
  ack(control, kStart, now, {{kStart + 1'000U, control.nxt()}}, true);
  const auto again = drain(control, kStart + 20'000U, now);
  REQUIRE_FALSE(again.empty());
  CHECK(again.front().begin == kStart);
  CHECK(again.front().is_resent);
}

TEST_CASE("RFC 8985 7: the end of a burst is probed after two round trips, once; what the probe repaired counts as a loss") {
  SendControl control = started();
  drain(control, kStart + 2'000U);
  Tick now = kNow + 20'000;
  ack(control, kStart + 2'000U, now);
  drain(control, kStart + 8'000U, now);  // all lost but the first two
  now = now + 20'000;
  ack(control, kStart + 4'000U, now);
  REQUIRE(control.deadline() < now + 60'000);
  now = control.deadline();
  const std::uint32_t window = control.congestion().window();
  CHECK(control.on_timer(now, kStart + 8'000U));
  const auto probe = drain(control, kStart + 8'000U, now);
  REQUIRE(probe.size() == 1);
  CHECK(probe[0].begin == kStart + 7'000U);
  CHECK(probe[0].is_resent);
  CHECK(control.deadline() >= now + Rto::kMinUs);
  now = now + 20'000;
  ack(control, kStart + 4'000U, now, {{kStart + 7'000U, kStart + 8'000U}}, true);  // its echo shows the hole before it
  if (control.deadline() < now + 50'000) CHECK(control.on_timer(now = control.deadline(), kStart + 8'000U));
  std::vector<std::uint32_t> offsets;
  for (std::uint32_t got = 4'000; got < 8'000; got += 1'000, now = now + 20'000) {
    for (const auto& range : drain(control, kStart + 8'000U, now)) offsets.push_back(static_cast<std::uint32_t>(range.begin - kStart));
    ack(control, kStart + std::min(got + 1'000, 7'000U), now + 20'000, {{kStart + 7'000U, kStart + 8'000U}});
  }
  CHECK(offsets == std::vector<std::uint32_t>{4'000, 5'000, 6'000});
  CHECK(control.congestion().window() < window);
}

TEST_CASE("RFC 8985 7: in a recovery, a resend that is lost with nothing behind it goes again after two round trips, once") {
  SendControl control = started();
  const SeqNum end = kStart + 10'000U;
  drain(control, end);
  Tick now = kNow + 20'000;
  ack(control, kStart, now, {{kStart + 1'000U, end}}, true);
  REQUIRE(drain(control, end, now).size() == 1);
  REQUIRE(control.deadline() < now + 60'000);
  now = control.deadline();
  CHECK(control.on_timer(now, end));
  const auto probe = drain(control, end, now);
  REQUIRE(probe.size() == 1);
  CHECK(probe[0].begin == kStart);
  CHECK(probe[0].is_resent);
  CHECK(control.deadline() >= now + Rto::kMinUs);
  ack(control, end, now + 20'000);
  CHECK(control.deadline() == kNever);
}

TEST_CASE("RFC 3708: a timer that fired too early costs nothing once every copy is reported as superfluous") {
  SendControl control = started();
  drain(control, kStart + 5'000U);
  Tick now = control.deadline();
  REQUIRE(control.on_timer(now, kStart + 5'000U));
  REQUIRE(drain(control, kStart + 5'000U, now).size() == 1);
  CHECK(control.congestion().window() == kMss);
  ack(control, kStart + 5'000U, now + 100);
  ack(control, kStart + 5'000U, now + 20'000, {{kStart, kStart + 1'000U}}, true);
  CHECK(control.congestion().window() >= 10'000);
}

TEST_CASE("RFC 6298: nothing fires before the timer; then the first segment goes again, alone, and the timer doubles until it gives up") {
  SendControl control = started();
  drain(control, kStart + 5'000U);
  Tick now = control.deadline();
  CHECK(now == kNow + 1'000'000);
  std::uint64_t last = 0;
  int expiries = 0;
  while (control.on_timer(now, kStart + 5'000U)) {
    const auto ranges = drain(control, kStart + 5'000U, now);
    REQUIRE(ranges.size() == 1);
    CHECK(ranges[0].begin == kStart);
    CHECK(ranges[0].is_resent);
    const std::uint64_t interval = control.deadline() - now;
    CHECK(interval >= last);
    CHECK(interval <= Rto::kMaxUs);
    last = interval;
    now = control.deadline();
    REQUIRE(++expiries < 20);
  }
  CHECK(expiries == Rto::kMaxRetries);
}

TEST_CASE("RFC 6298 5.2, 5.3: the timer stops when all is acknowledged, and starts anew when some is") {
  SendControl control = started();
  drain(control, kStart + 5'000U);
  ack(control, kStart + 1'000U, kNow + 50'000);
  CHECK(control.deadline() > kNow + 50'000);
  CHECK(control.deadline() != kNever);
  ack(control, kStart + 5'000U, kNow + 60'000);
  CHECK(control.deadline() == kNever);
}

TEST_CASE("RFC 9293 3.8.6.1: a closed window is probed by one byte, and the probe's byte goes again when it opens") {
  SendControl control = started(0);
  CHECK(drain(control, kStart + 3'000U).empty());
  REQUIRE(control.deadline() != kNever);
  Tick now = control.deadline();
  CHECK(control.on_timer(now, kStart + 3'000U));
  const auto probe = drain(control, kStart + 3'000U, now);
  REQUIRE(probe.size() == 1);
  CHECK(probe[0].end - probe[0].begin == 1);
  ack(control, kStart, now, {}, false, 1'000'000);  // not taken, but open now
  const auto rest = drain(control, kStart + 3'000U, now);
  REQUIRE_FALSE(rest.empty());
  CHECK(rest.front().begin == kStart);
  CHECK(rest.back().end == kStart + 3'000U);
}

TEST_CASE("RFC 9293 3.8.6.1: a peer that answers probes may keep its window closed for days; one that does not is given up") {
  for (const bool is_answering : {true, false}) {
    SendControl control = started(0);
    drain(control, kStart + 3'000U);
    Tick now = kNow;
    int probes = 0;
    bool is_going_on = true;
    for (; probes < 1000 && is_going_on; ++probes) {
      REQUIRE(control.deadline() > now);
      CHECK(control.deadline() - now <= Rto::kMaxUs);
      now = control.deadline();
      is_going_on = control.on_timer(now, kStart + 3'000U);
      for (const auto& range : drain(control, kStart + 3'000U, now)) CHECK(range.end == kStart + 1U);
      if (is_answering) ack(control, kStart, now, {}, false, 0);
    }
    CHECK(is_going_on == is_answering);
    CHECK((is_answering || probes == Rto::kMaxRetries + 1));
  }
}

TEST_CASE("acknowledgements of what was never sent, and old ones, change nothing") {
  SendControl control = started();
  drain(control, kStart + 5'000U);
  ack(control, kStart + 6'000U);
  CHECK(control.una() == kStart);
  ack(control, kStart + 2'000U);
  ack(control, kStart + 1'000U);
  CHECK(control.una() == kStart + 2'000U);
  ack(control, kStart + 2'000U, kNow, {{kStart + 9'000U, kStart + 20'000U}, {kStart + 4'000U, kStart + 3'000U}, {kStart, kStart + 1'000U}}, true);
  CHECK(control.una() == kStart + 2'000U);
}

TEST_CASE("I6: over a network that loses, reorders and closes windows, everything arrives and nothing is sent outside of the stream") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    CAPTURE(seed);
    sim::Random random{seed};
    constexpr std::uint32_t kTotal = 60'000;
    const SeqNum end = kStart + kTotal;
    SendControl control = started(20'000, seed % 2 == 0 ? CongestionControl::cubic : CongestionControl::bbr);
    std::vector<bool> has(kTotal);
    std::uint32_t received = 0;
    std::uint32_t window = 20'000, edge = 20'000;  // an edge once shown stays (RFC 9293 3.8.6)
    const auto shown = [&] { return kStart + (edge = std::max(edge, received + window)); };
    Tick now = kNow;
    const double loss = static_cast<double>(random.below(4)) * 0.05;
    int turns = 0;
    while (control.una() != end) {
      REQUIRE(++turns < 20'000);
      bool has_arrived = false;
      for (const auto& range : drain(control, end, now)) {
        REQUIRE(at_or_before(kStart, range.begin));
        REQUIRE(at_or_before(range.end, end));
        REQUIRE(range.end - range.begin <= kMss);
        if (random.chance(loss)) continue;
        has_arrived = true;
        for (auto i = static_cast<std::uint32_t>(range.begin - kStart); i < static_cast<std::uint32_t>(range.end - kStart); ++i) {
          if (i < edge) has[i] = true;  // what is beyond the window is not taken
        }
        const std::uint32_t before = received;
        while (received < kTotal && has[received]) ++received;
        std::vector<wire::SackBlock> sack;
        for (std::uint32_t i = received; i < kTotal && i < received + 25'000 && sack.size() < 3; ++i) {
          if (!has[i]) continue;
          const std::uint32_t from = i;
          while (i < kTotal && has[i]) ++i;
          sack.push_back({kStart + from, kStart + i});
        }
        if (random.chance(0.05)) window = static_cast<std::uint32_t>(random.below(3)) * 2'000;
        if (!random.chance(loss)) control.on_ack(kStart + received, shown(), sack, before == received, now);
      }
      now = now + 1'000;
      if (!has_arrived && window < 20'000 && random.chance(0.1)) {
        window = 20'000;
        control.on_ack(kStart + received, shown(), {}, false, now);
      }
      if (control.deadline() != kNever && control.deadline() <= now) REQUIRE(control.on_timer(now, end));
      else if (!has_arrived && control.deadline() != kNever) now = control.deadline();
      else if (!has_arrived) control.on_ack(kStart + received, shown(), {}, false, now);
      if (control.deadline() <= now) REQUIRE(control.on_timer(now, end));
    }
    CHECK(received == kTotal);
  }
}
