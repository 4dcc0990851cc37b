// How servers are chosen: shares by weight under every algorithm, caps, drains, slow starts, ties between nodes.
#include <doctest/doctest.h>

#include <cmath>
#include <map>
#include <numeric>

#include "balance/chooser.hpp"
#include "sim/random.hpp"

using namespace cutwater;
using namespace cutwater::balance;

namespace {

constexpr std::array kAll{Algorithm::least_sessions, Algorithm::round_robin, Algorithm::two_choices, Algorithm::consistent_hash};

std::vector<Member> members(const std::vector<std::uint32_t>& weights, std::uint32_t max_sessions = 0) {
  std::vector<Member> out;
  for (std::uint32_t i = 0; i < weights.size(); ++i) {
    const std::uint8_t address[4] = {192, 0, 2, static_cast<std::uint8_t>(i + 1)};
    out.push_back({.address = IpAddress::from_v4(address), .port = 80, .weight = weights[i], .max_sessions = max_sessions, .tally = std::make_shared<Tally>()});
  }
  return out;
}

Asking client(std::uint32_t i) {
  std::uint8_t address[4];
  store_be32(address, 0x0a00'0000U + i / 50'000);
  return {IpAddress::from_v4(address), static_cast<std::uint16_t>(10'000 + i % 50'000)};
}

double worst_deviation(const std::vector<std::uint32_t>& chosen, const std::vector<std::uint32_t>& weights) {
  const double n = std::accumulate(chosen.begin(), chosen.end(), 0.0), total = std::accumulate(weights.begin(), weights.end(), 0.0);
  double worst = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    const double fair = n * weights[i] / total;
    worst = std::max(worst, std::abs(chosen[i] - fair) / fair);
  }
  return worst;
}

enum class Sessions : std::uint8_t { stay, end_at_once };
std::vector<std::uint32_t> spread(const ServerSet& set, std::uint32_t connections, Sessions sessions, std::uint32_t workers = 1) {
  std::vector<Chooser> choosers;
  choosers.reserve(workers);
  for (std::uint32_t w = 0; w < workers; ++w) choosers.emplace_back(set, 0x1234'5678 + w * 977);
  std::vector<std::uint32_t> chosen(set.members().size());
  for (std::uint32_t i = 0; i < connections; ++i) {
    const auto index = choosers[i % workers].choose(client(i), Tick{i});
    REQUIRE(index);
    ++chosen[*index];
    if (sessions == Sessions::end_at_once) set.members()[*index].tally->close();
  }
  return chosen;
}

}  // namespace

TEST_CASE("A8: 10,000 connections spread over 8 servers within 5 % of their weights, whether they stay or end at once") {
  for (const auto& weights : {std::vector<std::uint32_t>{1, 1, 1, 1, 1, 1, 1, 1}, std::vector<std::uint32_t>{3, 1, 2, 1, 1, 2, 3, 3}}) {
    for (const Algorithm algorithm : {Algorithm::least_sessions, Algorithm::round_robin}) {
      for (const Sessions sessions : {Sessions::stay, Sessions::end_at_once}) {
        CAPTURE(static_cast<int>(algorithm));
        CHECK(worst_deviation(spread(ServerSet(members(weights), {.algorithm = algorithm}), 10'000, sessions, 4), weights) < 0.05);
      }
    }
    CHECK(worst_deviation(spread(ServerSet(members(weights), {.algorithm = Algorithm::two_choices}), 10'000, Sessions::stay, 4), weights) < 0.05);
  }
}

TEST_CASE("A8: what is drawn by chance or by hash is fair over many connections: 400,000 within 5 %") {
  const std::vector<std::uint32_t> weights{3, 1, 2, 1, 1, 2, 3, 3};
  CHECK(worst_deviation(spread(ServerSet(members(weights), {.algorithm = Algorithm::two_choices}), 400'000, Sessions::end_at_once), weights) < 0.05);
  CHECK(worst_deviation(spread(ServerSet(members(weights), {.algorithm = Algorithm::consistent_hash}), 400'000, Sessions::stay), weights) < 0.05);
}

TEST_CASE("A8: least sessions sends new flows to a server that has fewer for its weight, until it has caught up") {
  const auto list = members({1, 1, 2});
  for (int i = 0; i < 10; ++i) {
    REQUIRE(list[0].tally->open(0));
    REQUIRE(list[1].tally->open(0));
  }
  const ServerSet set(list, {.algorithm = Algorithm::least_sessions});
  Chooser chooser(set, 1);
  for (int i = 0; i < 20; ++i) CHECK(chooser.choose(client(0), Tick{1}) == 2U);
}

TEST_CASE("A8: a server that is down, draining, weightless or tried is never chosen, a shunned one only when there is no other") {
  for (const Algorithm algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    const auto list = members({1, 1, 1, 0, 1, 1});
    list[0].tally->set(Health::down, Tick{1});
    list[1].tally->set(Admission::draining);
    (void)list[2].tally->note_failure(Failing::connect, {.failures = 1, .shun_us = 1'000'000}, Tick{1});
    const ServerSet set(list, {.algorithm = algorithm});
    Chooser chooser(set, 99);
    const std::uint32_t tried[] = {4};
    for (std::uint32_t i = 0; i < 1'000; ++i) REQUIRE(chooser.choose(client(i * 7), Tick{2}, tried) == 5U);
    list[5].tally->set(Health::down, Tick{3});
    CHECK(chooser.choose(client(1), Tick{4}) == 4U);
    CHECK(chooser.choose(client(1), Tick{4}, tried) == 2U);
    list[2].tally->set(Health::down, Tick{3});
    CHECK_FALSE(chooser.choose(client(1), Tick{4}, tried));
  }
}

TEST_CASE("A8: the cap of a server is never exceeded, and what does not fit goes to the others until all are full") {
  for (const Algorithm algorithm : kAll) {
    CAPTURE(static_cast<int>(algorithm));
    const auto list = members({5, 1, 1}, 10);
    const ServerSet set(list, {.algorithm = algorithm});
    Chooser chooser(set, 5);
    for (std::uint32_t i = 0; i < 30; ++i) REQUIRE(chooser.choose(client(i), Tick{1}));
    CHECK_FALSE(chooser.choose(client(31), Tick{1}));
    for (const Member& member : list) CHECK(member.tally->sessions() == 10);
    list[1].tally->close();
    CHECK(chooser.choose(client(32), Tick{1}) == 1U);
  }
}

TEST_CASE("A8: a server that came up takes a growing share while it starts slowly, and its full one afterwards") {
  const auto list = members({1, 1});
  list[1].tally->set(Health::down, Tick{1});
  list[1].tally->set(Health::up, Tick{1'000});
  const ServerSet set(list, {.algorithm = Algorithm::round_robin, .slow_start_us = 10'000});
  Chooser chooser(set, 3);
  const auto share = [&](Tick now) {
    int late = 0;
    for (std::uint32_t i = 0; i < 1'000; ++i) late += chooser.choose(client(i), now) == 1U;
    return late;
  };
  const int at_tenth = share(Tick{2'000}), at_half = share(Tick{6'000}), after = share(Tick{11'000});
  CHECK(at_tenth > 50);
  CHECK(at_tenth < 130);   // 0.1 / 1.1
  CHECK(at_half > 300);
  CHECK(at_half < 370);    // 0.5 / 1.5
  CHECK(after >= 499);
}

TEST_CASE("A8: nodes agree on the server of every client without a word, even while one server is down, and only its clients move") {
  const auto ours = members({1, 2, 1, 1, 3}), theirs = members({1, 2, 1, 1, 3});
  const Rule rule{.algorithm = Algorithm::consistent_hash, .hash_key = {7, 11}};
  const ServerSet our_set(ours, rule), their_set(theirs, rule);
  Chooser our_node(our_set, 1), their_node(their_set, 2);
  std::vector<std::uint32_t> before;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    const auto chosen = our_node.choose(client(i), Tick{1});
    REQUIRE(chosen);
    REQUIRE(chosen == their_node.choose(client(i), Tick{1}));
    before.push_back(*chosen);
  }
  for (const auto& list : {ours, theirs}) list[4].tally->set(Health::down, Tick{2});
  std::map<std::uint32_t, std::uint32_t> heirs;
  for (std::uint32_t i = 0; i < 5'000; ++i) {
    const auto chosen = our_node.choose(client(i), Tick{3});
    REQUIRE(chosen);
    REQUIRE(chosen == their_node.choose(client(i), Tick{3}));
    if (before[i] != 4) REQUIRE(*chosen == before[i]);
    else ++heirs[*chosen];
  }
  CHECK(heirs.size() == 4);  // they go all over the rest, not to one neighbour
}

TEST_CASE("A8: hashed by address alone, all connections of an address go to one server; another key gives another spread") {
  const ServerSet set(members({1, 1, 1, 1}), {.algorithm = Algorithm::consistent_hash, .hash_on = HashOn::address});
  Chooser chooser(set, 1);
  std::map<std::uint32_t, int> used;
  for (std::uint32_t host = 0; host < 64; ++host) {
    const auto first = chooser.choose(client(host * 50'000), Tick{1});
    REQUIRE(first);
    ++used[*first];
    for (std::uint32_t port = 1; port < 20; ++port) REQUIRE(chooser.choose(client(host * 50'000 + port), Tick{1}) == first);
  }
  CHECK(used.size() == 4);
  const ServerSet other(members({1, 1, 1, 1}), {.algorithm = Algorithm::consistent_hash, .hash_key = {1, 2}});
  const ServerSet plain(members({1, 1, 1, 1}), {.algorithm = Algorithm::consistent_hash});
  Chooser with_key(other, 1), without(plain, 1);
  int differing = 0;
  for (std::uint32_t i = 0; i < 1'000; ++i) differing += with_key.choose(client(i), Tick{1}) != without.choose(client(i), Tick{1});
  CHECK(differing > 600);
}

TEST_CASE("A8: workers do not all begin with the same server") {
  const ServerSet set(members({1, 1, 1, 1, 1, 1, 1, 1}), {.algorithm = Algorithm::round_robin});
  std::map<std::uint32_t, int> first;
  sim::Random random{4};
  for (int w = 0; w < 16; ++w) {
    const auto chosen = Chooser(set, random.next()).choose(client(0), Tick{1});
    REQUIRE(chosen);
    ++first[*chosen];
  }
  CHECK(first.size() >= 4);
}
