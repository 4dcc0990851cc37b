#include "balance/chooser.hpp"

#include <algorithm>

namespace cutwater::balance {
namespace {

constexpr std::uint64_t kWeightUnit = 256;  // so that a weight of 1 can grow in steps while it starts slowly

// What a server may take of its weight by now. Never nothing: it would have no flow to warm up with.
std::uint64_t weight_now(const Member& member, const Rule& rule, Tick now) noexcept {
  const std::uint64_t full = member.weight * kWeightUnit;
  const Tick since = member.tally->up_since();
  if (rule.slow_start_us == 0 || since.us == 0 || now - since >= rule.slow_start_us) return full;
  return std::max<std::uint64_t>(full * (now - since) / rule.slow_start_us, 1);
}

}  // namespace

Chooser::Chooser(const ServerSet& set, std::uint64_t seed)
    : set_(set), candidates_(set.members().size()), random_state_(seed | 1) {
  std::uint64_t total = 0;
  for (const Member& member : set.members()) total += member.weight * kWeightUnit;
  for (Candidate& candidate : candidates_) candidate.turn = static_cast<std::int64_t>(total == 0 ? 0 : random() % total);
}

std::optional<std::uint32_t> Chooser::choose(const Asking& who, Tick now, std::span<const std::uint32_t> tried) noexcept {
  const auto chosen = choose_at(who, {.now = now, .tried = tried});
  return chosen ? chosen : choose_at(who, {.now = now, .tried = tried, .shunned = Shunned::taken_too});
}

std::optional<std::uint32_t> Chooser::choose_at(const Asking& who, const Moment& moment) noexcept {
  const Algorithm algorithm = set_.rule().algorithm;
  if (algorithm != Algorithm::consistent_hash) look(moment);
  // Each round either counts a session or finds a server that another worker has just filled.
  for (std::size_t round = 0; round <= set_.members().size(); ++round) {
    std::optional<std::uint32_t> chosen;
    switch (algorithm) {
      case Algorithm::least_sessions: chosen = least_loaded(); break;
      case Algorithm::round_robin: chosen = in_turn([](const Candidate&) { return true; }); break;
      case Algorithm::two_choices: chosen = of_two(); break;
      case Algorithm::consistent_hash: chosen = by_hash(who, moment); break;
    }
    if (!chosen) return std::nullopt;
    if (set_.members()[*chosen].tally->open(set_.members()[*chosen].max_sessions)) return chosen;
    candidates_[*chosen].weight = 0;
  }
  return std::nullopt;
}

bool Chooser::may_take(std::uint32_t index, const Moment& moment) const noexcept {
  const Member& member = set_.members()[index];
  if (member.weight == 0 || !member.tally->may_take()) return false;
  if (moment.shunned == Shunned::left_out && member.tally->is_shunned(moment.now)) return false;
  if (member.max_sessions != 0 && member.tally->sessions() >= member.max_sessions) return false;
  return std::find(moment.tried.begin(), moment.tried.end(), index) == moment.tried.end();
}

void Chooser::look(const Moment& moment) noexcept {
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    const Member& member = set_.members()[i];
    candidates_[i].weight = may_take(i, moment) ? weight_now(member, set_.rule(), moment.now) : 0;
    candidates_[i].sessions = member.tally->sessions();
  }
}

// Smooth weighted round robin: each that may come gains its weight, the richest is chosen and pays what all have gained.
template <class MayCome>
std::optional<std::uint32_t> Chooser::in_turn(MayCome&& may_come) noexcept {
  std::int64_t total = 0;
  std::optional<std::uint32_t> best;
  for (std::uint32_t i = 0; i < candidates_.size(); ++i) {
    Candidate& candidate = candidates_[i];
    if (candidate.weight == 0 || !may_come(candidate)) continue;
    candidate.turn += static_cast<std::int64_t>(candidate.weight);
    total += static_cast<std::int64_t>(candidate.weight);
    if (!best || candidate.turn > candidates_[*best].turn) best = i;
  }
  if (best) candidates_[*best].turn -= total;
  return best;
}

// Sessions per weight, compared without division. Among equals the turn decides: an idle service is spread like round robin.
std::optional<std::uint32_t> Chooser::least_loaded() noexcept {
  const auto is_lighter = [](const Candidate& a, const Candidate& b) { return a.sessions * b.weight < b.sessions * a.weight; };
  const Candidate* least = nullptr;
  for (const Candidate& candidate : candidates_) {
    if (candidate.weight != 0 && (least == nullptr || is_lighter(candidate, *least))) least = &candidate;
  }
  if (least == nullptr) return std::nullopt;
  const Candidate bar = *least;
  return in_turn([&](const Candidate& candidate) { return !is_lighter(bar, candidate); });
}

std::optional<std::uint32_t> Chooser::of_two() noexcept {
  std::uint64_t total = 0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  if (total == 0) return std::nullopt;
  const std::uint32_t a = draw(total), b = draw(total);
  const Candidate &one = candidates_[a], &other = candidates_[b];
  return other.sessions * one.weight < one.sessions * other.weight ? b : a;
}

// Requires: total is the sum of all weights, and not 0.
std::uint32_t Chooser::draw(std::uint64_t total) noexcept {
  std::uint64_t ticket = random() % total;
  std::uint32_t i = 0;
  while (ticket >= candidates_[i].weight) ticket -= candidates_[i++].weight;
  return i;
}

// The server the table names, or, when that one cannot take the flow, the one it names for the hash of the next attempt: so only flows of
// servers that are away go elsewhere, all over the rest, and nodes that see the same health still agree.
std::optional<std::uint32_t> Chooser::by_hash(const Asking& who, const Moment& moment) const noexcept {
  constexpr std::uint8_t kAttempts = 32;  // with half of the servers away, all 32 miss once in 4 billion; then any will do
  std::array<std::uint8_t, 19> bytes{};
  std::memcpy(bytes.data(), who.address.bytes.data(), 16);
  if (set_.rule().hash_on == HashOn::address_and_port) store_be16(bytes.data() + 16, who.port);
  std::uint32_t first = 0;
  for (std::uint8_t attempt = 0; attempt < kAttempts; ++attempt) {
    bytes[18] = attempt;
    const std::uint16_t index = set_.table()->at(siphash(set_.rule().hash_key, bytes));
    if (index == Maglev::kNobody) return std::nullopt;
    if (may_take(index, moment)) return index;
    if (attempt == 0) first = index;
  }
  const auto n = static_cast<std::uint32_t>(candidates_.size());
  for (std::uint32_t i = 1; i < n; ++i) {
    if (may_take((first + i) % n, moment)) return (first + i) % n;
  }
  return std::nullopt;
}

// xorshift64*: a draw needs spread, not secrecy.
std::uint64_t Chooser::random() noexcept {
  random_state_ ^= random_state_ >> 12;
  random_state_ ^= random_state_ << 25;
  random_state_ ^= random_state_ >> 27;
  return random_state_ * 0x2545'f491'4f6c'dd1dULL;
}

}  // namespace cutwater::balance
