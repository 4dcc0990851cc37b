#include "sim/scoreboard.hpp"

#include <algorithm>

namespace cutwater::sim {

Piece Scoreboard::acknowledge(std::uint64_t una) {
  Piece last;
  last.sends = 0;
  std::uint8_t most_sends = 0;
  while (!pieces_.empty() && pieces_.front().end <= una) {
    last = pieces_.front();
    most_sends = std::max(most_sends, last.sends);
    pieces_.pop_front();
  }
  if (!pieces_.empty() && pieces_.front().begin < una) pieces_.front().begin = una;
  last.sends = most_sends;
  return last;
}

void Scoreboard::sack(std::uint64_t begin, std::uint64_t end) {
  if (pieces_.empty() || end <= begin) return;
  cut(begin);
  cut(end);
  for (auto& p : pieces_) {
    if (p.begin >= begin && p.end <= end) p.is_sacked = true;
  }
}

void Scoreboard::mark_lost_below_sacks(std::uint64_t threshold) {
  std::uint64_t above = 0;
  for (auto p = pieces_.rbegin(); p != pieces_.rend(); ++p) {
    if (p->is_sacked) above += p->bytes();
    else if (above >= threshold && above > 0) p->is_lost = true;
  }
}

void Scoreboard::mark_front_lost() {
  if (!pieces_.empty() && !pieces_.front().is_sacked) pieces_.front().is_lost = true;
}

void Scoreboard::mark_all_lost() {
  if (!pieces_.empty() && pieces_.front().is_sacked) forget_sacks();  // the receiver reneged (RFC 2018 8)
  for (auto& p : pieces_) {
    if (p.is_sacked) continue;
    p.is_lost = true;
    p.is_resent = false;
  }
}

void Scoreboard::mark_lost_longer_than(std::uint64_t bytes) {
  for (auto& p : pieces_) {
    if (p.is_sacked || p.bytes() <= bytes) continue;
    p.is_lost = true;
    p.is_resent = false;
  }
}

void Scoreboard::forget_sacks() {
  for (auto& p : pieces_) p.is_sacked = false;
}

void Scoreboard::resend(std::uint64_t begin, std::uint64_t end, std::uint64_t now_us) {
  cut(begin);
  cut(end);
  auto first = std::find_if(pieces_.begin(), pieces_.end(), [&](const Piece& p) { return p.begin == begin; });
  if (first == pieces_.end()) return;
  auto last = first;
  std::uint8_t sends = 0;
  while (last != pieces_.end() && last->end <= end) sends = std::max(sends, (last++)->sends);
  *first = Piece{begin, end, now_us, static_cast<std::uint8_t>(std::min(sends + 1, 255)), false, true, true};
  pieces_.erase(first + 1, last);
}

const Piece* Scoreboard::next_lost() const noexcept {
  for (const auto& p : pieces_) {
    if (p.is_lost && !p.is_resent && !p.is_sacked) return &p;
  }
  return nullptr;
}

std::uint64_t Scoreboard::unsacked_until(std::uint64_t begin, std::uint64_t limit) const noexcept {
  for (const auto& p : pieces_) {
    if (p.end <= begin) continue;
    if (p.is_sacked) return std::min(limit, p.begin);
    if (p.end >= limit) return limit;
  }
  return pieces_.empty() ? begin : std::min(limit, pieces_.back().end);
}

std::uint64_t Scoreboard::in_flight_bytes() const noexcept {
  std::uint64_t bytes = 0;
  for (const auto& p : pieces_) {
    if (!p.is_sacked && (!p.is_lost || p.is_resent)) bytes += p.bytes();
  }
  return bytes;
}

bool Scoreboard::has_sacks() const noexcept {
  return std::any_of(pieces_.begin(), pieces_.end(), [](const Piece& p) { return p.is_sacked; });
}

void Scoreboard::cut(std::uint64_t at) {
  for (auto p = pieces_.begin(); p != pieces_.end(); ++p) {
    if (p->begin >= at) return;
    if (p->end <= at) continue;
    Piece left = *p;
    left.end = at;
    p->begin = at;
    pieces_.insert(p, left);
    return;
  }
}

}  // namespace cutwater::sim
