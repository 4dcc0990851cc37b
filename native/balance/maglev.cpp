#include "balance/maglev.hpp"

#include <algorithm>
#include <numeric>

namespace cutwater::balance {
namespace {

/// A server's own order of the slots: from `at`, by steps of `step`, through all of them (the table's size is prime).
struct Preference {
  std::uint16_t entry;
  std::uint32_t at, step;
  std::uint64_t weight, turn = 0;  // takes a slot whenever its turns, counted in weights, have filled the largest weight
};

std::vector<Preference> preferences(std::span<const Maglev::Entry> entries) {
  std::vector<std::uint16_t> order(entries.size());
  std::iota(order.begin(), order.end(), std::uint16_t{0});
  // Who is asked first must not depend on who is written first.
  std::sort(order.begin(), order.end(), [&](std::uint16_t a, std::uint16_t b) { return entries[a].identity < entries[b].identity; });
  std::vector<Preference> out;
  for (const std::uint16_t i : order) {
    if (entries[i].weight == 0) continue;
    const std::uint64_t id = entries[i].identity;
    out.push_back({.entry = i,
                   .at = static_cast<std::uint32_t>((id & 0xffff'ffff) % Maglev::kSlots),
                   .step = static_cast<std::uint32_t>((id >> 32) % (Maglev::kSlots - 1)) + 1,
                   .weight = entries[i].weight});
  }
  return out;
}

}  // namespace

Maglev::Maglev(std::span<const Entry> entries) : slots_(kSlots, kNobody) {
  std::vector<Preference> asked = preferences(entries);
  if (asked.empty()) return;
  const std::uint64_t full =
      std::max_element(asked.begin(), asked.end(), [](const auto& a, const auto& b) { return a.weight < b.weight; })->weight;
  for (std::uint32_t taken = 0; taken < kSlots;) {
    for (Preference& p : asked) {
      p.turn += p.weight;
      if (p.turn < full) continue;
      p.turn -= full;
      while (slots_[p.at] != kNobody) p.at = (p.at + p.step) % kSlots;
      slots_[p.at] = p.entry;
      if (++taken == kSlots) return;
    }
  }
}

}  // namespace cutwater::balance
