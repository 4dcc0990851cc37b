// What workers know together of a server: the count is exact however many threads take part, and failures shun it.
#include <doctest/doctest.h>

#include <thread>
#include <vector>

#include "balance/tally.hpp"

using namespace cutwater;
using namespace cutwater::balance;

TEST_CASE("A8: a cap holds exactly while four threads open and close, and every session closed leaves none behind") {
  Tally tally;
  std::atomic<std::uint32_t> most{0};
  std::atomic<bool> is_over{false};
  std::vector<std::thread> threads;
  std::atomic<std::uint32_t> inside{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        if (!tally.open(3)) continue;
        const std::uint32_t now = inside.fetch_add(1) + 1;
        if (now > 3) is_over = true;
        if (now > most) most = now;
        inside.fetch_sub(1);
        tally.close();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK_FALSE(is_over);
  CHECK(most >= 1);
  CHECK(tally.sessions() == 0);
  CHECK(tally.opened() > 0);
}

TEST_CASE("A8: failures of a kind in a row shun a server for a while, the first after that shuns it again, and an answer forgives") {
  for (const Failing kind : {Failing::connect, Failing::early_reset}) {
    Tally tally;
    const Failing other = kind == Failing::connect ? Failing::early_reset : Failing::connect;
    const PassiveRule rule{.failures = 3, .shun_us = 1'000};
    CHECK_FALSE(tally.note_failure(kind, rule, Tick{10}));
    CHECK_FALSE(tally.note_failure(other, rule, Tick{11}));
    CHECK_FALSE(tally.note_failure(kind, rule, Tick{11}));
    tally.note_success(other);
    CHECK_FALSE(tally.is_shunned(Tick{11}));
    CHECK(tally.note_failure(kind, rule, Tick{12}));
    CHECK(tally.is_shunned(Tick{1'011}));
    CHECK_FALSE(tally.is_shunned(Tick{1'012}));
    CHECK(tally.note_failure(kind, rule, Tick{1'020}));
    CHECK(tally.is_shunned(Tick{2'019}));
    tally.note_success(kind);
    CHECK_FALSE(tally.note_failure(kind, rule, Tick{3'000}));
    CHECK(tally.failures() == 6);
  }
}

TEST_CASE("A8: with failures 0 nothing is shunned") {
  Tally tally;
  for (int i = 0; i < 100; ++i) CHECK_FALSE(tally.note_failure(Failing::connect, {.failures = 0, .shun_us = 1'000}, Tick{1}));
  CHECK_FALSE(tally.is_shunned(Tick{2}));
}

TEST_CASE("A8: a server that is down or draining takes nothing; one that comes up again begins anew, unshunned") {
  Tally tally;
  CHECK(tally.note_failure(Failing::connect, {.failures = 1, .shun_us = 1'000'000}, Tick{5}));
  tally.set(Health::down, Tick{10});
  CHECK_FALSE(tally.may_take());
  tally.set(Health::up, Tick{20});
  CHECK(tally.may_take());
  CHECK_FALSE(tally.is_shunned(Tick{20}));
  CHECK(tally.up_since() == Tick{20});
  tally.set(Health::up, Tick{30});  // it was up: no new start
  CHECK(tally.up_since() == Tick{20});
  tally.set(Admission::draining);
  CHECK_FALSE(tally.may_take());
}
