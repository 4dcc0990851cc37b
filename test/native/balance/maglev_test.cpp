// Promises of the consistent hash: shares by weight, few values that change hands, and the same table on every node.
#include <doctest/doctest.h>

#include <cmath>
#include <vector>

#include "balance/maglev.hpp"
#include "sim/random.hpp"

using namespace cutwater;
using balance::Maglev;

namespace {

std::vector<Maglev::Entry> entries(std::size_t n, std::uint64_t seed) {
  sim::Random random{seed};
  std::vector<Maglev::Entry> out;
  for (std::size_t i = 0; i < n; ++i) out.push_back({.identity = random.next(), .weight = 1});
  return out;
}

std::vector<std::uint32_t> shares(const Maglev& table, std::size_t n) {
  std::vector<std::uint32_t> out(n);
  for (std::uint32_t slot = 0; slot < Maglev::kSlots; ++slot) ++out.at(table.at(slot));
  return out;
}

}  // namespace

TEST_CASE("A8: each server owns its weight's share of the table, within one slot in a hundred") {
  for (const std::size_t n : {1U, 2U, 7U, 50U, 300U}) {
    auto list = entries(n, n);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < n; ++i) total += list[i].weight = static_cast<std::uint32_t>(1 + i % 5);
    const auto owned = shares(Maglev(list), n);
    for (std::size_t i = 0; i < n; ++i) {
      const double fair = static_cast<double>(Maglev::kSlots) * list[i].weight / static_cast<double>(total);
      CHECK(std::abs(owned[i] - fair) <= std::max(fair / 100, 2.0));
    }
  }
}

TEST_CASE("A8: a server without weight owns nothing, and a table of such servers names nobody") {
  auto list = entries(4, 9);
  list[2].weight = 0;
  CHECK(shares(Maglev(list), 4)[2] == 0);
  for (auto& entry : list) entry.weight = 0;
  CHECK(Maglev(list).at(12'345) == Maglev::kNobody);
  CHECK(Maglev({}).at(0) == Maglev::kNobody);
}

TEST_CASE("A8: when one of n servers goes, only its own share and a few in a hundred others change hands; when it comes back, all do so again") {
  for (const std::size_t n : {4U, 10U, 40U}) {
    const auto list = entries(n, 100 + n);
    auto without = list;
    without.pop_back();
    const Maglev before(list), after(without);
    std::uint32_t moved = 0;
    for (std::uint32_t slot = 0; slot < Maglev::kSlots; ++slot) {
      if (before.at(slot) == n - 1) CHECK(after.at(slot) != n - 1);
      else if (before.at(slot) != after.at(slot)) ++moved;
    }
    CHECK(moved <= Maglev::kSlots * 4 / 100);
    const Maglev again(list);
    std::uint32_t differing = 0;
    for (std::uint32_t slot = 0; slot < Maglev::kSlots; ++slot) differing += before.at(slot) != again.at(slot);
    CHECK(differing == 0);
  }
}

TEST_CASE("A8: nodes that list the same servers in another order name the same server for every value") {
  const auto list = entries(9, 77);
  const std::vector<Maglev::Entry> reversed(list.rbegin(), list.rend());
  const Maglev one(list), other(reversed);
  for (std::uint32_t slot = 0; slot < Maglev::kSlots; ++slot) REQUIRE(list[one.at(slot)].identity == reversed[other.at(slot)].identity);
}
