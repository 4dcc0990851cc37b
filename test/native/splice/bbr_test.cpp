// Custody's sender by BBR over a model of a link: what it carries, what it queues, and what losses mean to it.
#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "sim/random.hpp"
#include "splice/send_control.hpp"

using namespace cutwater;
using namespace cutwater::splice;

namespace {

constexpr std::uint16_t kMss = 1000;
constexpr SeqNum kStart{0xffff'0000};

struct Link {
  std::uint64_t bytes_per_s = 2'000'000;
  std::uint64_t delay_us = 10'000;  // each way
  std::uint64_t queue_us = 100'000;
  double loss = 0;
  double overtaking = 0;            // segments that take half the delay
  std::uint32_t peer_window = 1U << 30;
};

// A sender that always has something to say, a link, and a receiver that acknowledges every segment with SACK.
class Trial {
 public:
  Trial(CongestionControl control, const Link& link, std::uint64_t seed = 1) : link_(link), random_{seed} {
    sender_.start(kStart, kMss, kStart + link.peer_window, true, control);
  }

  void run_until(std::uint64_t end_us) {
    while (now_.us < end_us) {
      send();
      Tick next = Tick{end_us};
      if (!arrivals_.empty()) next = std::min(next, arrivals_.front().at);
      if (!acks_.empty()) next = std::min(next, acks_.front().at);
      next = std::min(next, sender_.deadline());
      now_ = std::max(next, now_);
      while (!arrivals_.empty() && arrivals_.front().at <= now_) receive();
      while (!acks_.empty() && acks_.front().at <= now_) acknowledge();
      if (sender_.deadline() <= now_) REQUIRE(sender_.on_timer(now_, kStart + (1U << 30)));
    }
  }

  void set_link(const Link& link) { link_ = link; }
  [[nodiscard]] std::uint64_t received() const { return received_; }
  [[nodiscard]] std::uint64_t longest_queue_us() { return std::exchange(longest_queue_us_, 0); }
  [[nodiscard]] std::uint64_t most_at_once() { return std::exchange(most_at_once_, 0); }
  [[nodiscard]] std::uint64_t dropped() const { return dropped_; }
  [[nodiscard]] const SendControl& sender() const { return sender_; }

 private:
  struct Arrival {
    Tick at;
    std::uint32_t begin, end;
  };
  struct Ack {
    Tick at;
    std::uint32_t ack;
    std::vector<wire::SackBlock> sack;
  };

  void send() {
    std::uint64_t bytes = 0;
    while (const auto range = sender_.next(kStart + (1U << 30), now_)) {
      const auto n = static_cast<std::uint32_t>(range->end - range->begin);
      bytes += n;
      if (random_.chance(link_.loss)) continue;
      free_at_ = std::max(free_at_, now_);
      const std::uint64_t waits_us = free_at_ - now_;
      if (waits_us > link_.queue_us) {
        ++dropped_;
        continue;
      }
      longest_queue_us_ = std::max(longest_queue_us_, waits_us);
      free_at_ = free_at_ + n * 1'000'000 / link_.bytes_per_s;
      const Tick at = free_at_ + (random_.chance(link_.overtaking) ? link_.delay_us / 2 : link_.delay_us);
      const auto behind = std::upper_bound(arrivals_.begin(), arrivals_.end(), at, [](Tick t, const Arrival& a) { return t < a.at; });
      arrivals_.insert(behind, {at, static_cast<std::uint32_t>(range->begin - kStart), static_cast<std::uint32_t>(range->end - kStart)});
    }
    most_at_once_ = std::max(most_at_once_, bytes);
  }
  void receive() {
    const Arrival got = arrivals_.front();
    arrivals_.pop_front();
    std::vector<wire::SackBlock> sack;
    if (got.end <= next_) {
      sack.push_back({kStart + got.begin, kStart + got.end});  // D-SACK
    } else {
      ahead_[got.begin] = std::max(ahead_[got.begin], got.end);
      while (!ahead_.empty() && ahead_.begin()->first <= next_) {
        received_ += std::max(ahead_.begin()->second, next_) - next_;
        next_ = std::max(next_, ahead_.begin()->second);
        ahead_.erase(ahead_.begin());
      }
    }
    std::vector<wire::SackBlock> runs;
    for (const auto& [begin, end] : ahead_) {
      if (!runs.empty() && runs.back().end == kStart + begin) runs.back().end = kStart + end;
      else runs.push_back({kStart + begin, kStart + end});
    }
    std::stable_partition(runs.begin(), runs.end(), [&](const wire::SackBlock& run) { return at_or_before(run.begin, kStart + got.begin) && before(kStart + got.begin, run.end); });
    for (const auto& run : runs) {
      if (sack.size() < 3) sack.push_back(run);
    }
    acks_.push_back({now_ + link_.delay_us, next_, sack});
  }
  void acknowledge() {
    const Ack ack = acks_.front();
    acks_.pop_front();
    edge_ = std::max(edge_, ack.ack + link_.peer_window);
    sender_.on_ack(kStart + ack.ack, kStart + edge_, ack.sack, false, now_);
    send();
  }

  Link link_;
  sim::Random random_;
  SendControl sender_;
  Tick now_{1'000'000}, free_at_;
  std::deque<Arrival> arrivals_;
  std::deque<Ack> acks_;
  std::map<std::uint32_t, std::uint32_t> ahead_;
  std::uint32_t next_ = 0, edge_ = 0;
  std::uint64_t received_ = 0, longest_queue_us_ = 0, most_at_once_ = 0, dropped_ = 0;
};

double carried(CongestionControl control, const Link& link, std::uint64_t seconds, std::uint64_t seed = 1) {
  Trial trial(control, link, seed);
  trial.run_until(1'000'000 + seconds * 1'000'000);
  return static_cast<double>(trial.received()) / static_cast<double>(seconds * link.bytes_per_s);
}

}  // namespace

TEST_CASE("A11, BBR: a link without losses is filled, and its queue is short once the start is over") {
  Trial trial(CongestionControl::bbr, {});
  trial.run_until(3'000'000);
  const std::uint64_t before_it = trial.received();
  (void)trial.longest_queue_us();
  trial.run_until(9'000'000);
  CHECK(static_cast<double>(trial.received() - before_it) > 0.9 * 6 * 2'000'000);
  CHECK(trial.longest_queue_us() < 20'000);  // a round trip, while it looks for more
}

TEST_CASE("A11, BBR: one packet in twenty lost at random costs what it loses; CUBIC collapses on the same link") {
  const Link link{.loss = 0.05};
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    CAPTURE(seed);
    CHECK(carried(CongestionControl::bbr, link, 10, seed) > 0.7);
  }
  CHECK(carried(CongestionControl::cubic, link, 10) < 0.3);
}

TEST_CASE("A11, BBR: after the start, bytes leave as fast as they arrive: never more at once than two milliseconds carry") {
  Trial trial(CongestionControl::bbr, {});
  trial.run_until(3'000'000);
  (void)trial.most_at_once();
  trial.run_until(6'000'000);
  CHECK(trial.most_at_once() <= 2 * 2'000 * 5 / 4 + 2 * kMss);
}

TEST_CASE("A11, BBR: a queue too short for it throws away little: losses of a tenth of a round bound what is on the way") {
  Trial trial(CongestionControl::bbr, {.queue_us = 3'000});
  trial.run_until(11'000'000);
  CHECK(static_cast<double>(trial.received()) > 0.75 * 10 * 2'000'000);
  CHECK(static_cast<double>(trial.dropped()) * kMss < 0.1 * static_cast<double>(trial.received()));
}

TEST_CASE("A11, BBR: it finds what a link has become: four times as fast, then a quarter of it") {
  Trial trial(CongestionControl::bbr, {.bytes_per_s = 500'000});
  trial.run_until(4'000'000);
  trial.set_link({.bytes_per_s = 2'000'000});
  trial.run_until(7'000'000);
  std::uint64_t before_it = trial.received();
  trial.run_until(9'000'000);
  CHECK(static_cast<double>(trial.received() - before_it) > 0.85 * 2 * 2'000'000);
  trial.set_link({.bytes_per_s = 500'000});
  trial.run_until(12'000'000);
  before_it = trial.received();
  (void)trial.longest_queue_us();
  trial.run_until(14'000'000);
  CHECK(static_cast<double>(trial.received() - before_it) > 0.85 * 2 * 500'000);
  CHECK(trial.longest_queue_us() < 80'000);
}

TEST_CASE("A11, BBR: a round trip that has become longer is found, within ten seconds and a fifth of one") {
  Trial trial(CongestionControl::bbr, {.delay_us = 5'000});
  trial.run_until(3'000'000);
  trial.set_link({.delay_us = 40'000});
  trial.run_until(15'000'000);
  const std::uint64_t before_it = trial.received();
  trial.run_until(18'000'000);
  CHECK(static_cast<double>(trial.received() - before_it) > 0.85 * 3 * 2'000'000);
}

TEST_CASE("A11, BBR: after a silence of the link the timer begins with a segment, and the rate comes back") {
  Trial trial(CongestionControl::bbr, {});
  trial.run_until(3'000'000);
  trial.set_link({.loss = 1});
  trial.run_until(5'000'000);
  CHECK(trial.sender().congestion().window() == kMss);
  trial.set_link({});
  trial.run_until(8'000'000);
  const std::uint64_t before_it = trial.received();
  trial.run_until(10'000'000);
  CHECK(static_cast<double>(trial.received() - before_it) > 0.85 * 2 * 2'000'000);
}

TEST_CASE("A11, BBR: a peer whose window is small at first does not end the start: what came then says nothing of the path") {
  Link link{.bytes_per_s = 50'000'000, .peer_window = 30'500};  // and no whole number of segments
  Trial trial(CongestionControl::bbr, link);
  trial.run_until(1'300'000);
  const std::uint64_t before_it = trial.received();
  link.peer_window = 1U << 30;
  trial.set_link(link);
  trial.run_until(1'500'000);
  CHECK(trial.received() - before_it > 2'000'000);
}

TEST_CASE("A11, BBR: segments that overtake others make those look lost; while each round brings more, the start goes on") {
  std::vector<std::uint64_t> took_us;
  for (std::uint64_t seed = 1; seed <= 51; ++seed) {
    Trial trial(CongestionControl::bbr, {.bytes_per_s = 50'000'000, .loss = 0.05, .overtaking = 0.01}, seed);
    std::uint64_t now = 1'000'000;
    while (trial.received() < 1'000'000) trial.run_until(now += 1'000);
    took_us.push_back(now - 1'000'000);
  }
  std::sort(took_us.begin(), took_us.end());
  CHECK(took_us[25] < 300'000);
}
