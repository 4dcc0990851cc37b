#include "splice/flight.hpp"

#include <algorithm>

namespace cutwater::splice {
namespace {

// Whether two neighbours need not be told apart. What is lost or held has no use for its time any more.
bool are_alike(const Flight::Run& a, const Flight::Run& b, std::uint64_t coalesce_us) noexcept {
  if (a.state != b.state) return false;
  if (a.state == Flight::State::held) return true;
  if (a.is_resent != b.is_resent) return false;
  return a.state == Flight::State::lost || (a.sent <= b.sent && b.sent - a.sent <= coalesce_us);
}

}  // namespace

void Flight::start(SeqNum at) noexcept {
  begin_ = end_ = highest_held_ = at;
  sent_bytes_ = lost_bytes_ = held_bytes_ = 0;
  count_ = 0;
}

void Flight::append(SeqNum end, Tick now, std::uint64_t coalesce_us) noexcept {
  coalesce_us_ = coalesce_us;
  const Run fresh{.begin = end_, .state = State::sent, .is_resent = false, .sent = now};
  if (count_ == 0 || !are_alike(runs_[count_ - 1], fresh, coalesce_us)) {
    if (count_ == kMaxRuns) make_room();
    runs_[count_++] = fresh;
  }
  sent_bytes_ += static_cast<std::uint32_t>(end - end_);
  end_ = end;
}

std::optional<wire::SackBlock> Flight::resend(std::uint32_t limit, Tick now, std::uint64_t coalesce_us) noexcept {
  coalesce_us_ = coalesce_us;
  if (lost_bytes_ == 0) return std::nullopt;
  if (count_ == kMaxRuns) make_room();
  for (std::size_t i = 0; i < count_; ++i) {
    if (runs_[i].state != State::lost) continue;
    const SeqNum from = runs_[i].begin;
    if (bytes_of(i) > limit) cut_at(from + limit);
    const wire::SackBlock block{from, end_of(i)};
    runs_[i] = {.begin = from, .state = State::sent, .is_resent = true, .sent = now};
    settle();
    return block;
  }
  return std::nullopt;
}

void Flight::take_ack(SeqNum ack, News& news) noexcept {
  std::size_t gone = 0;
  for (; gone < count_ && before(runs_[gone].begin, ack); ++gone) {
    const SeqNum end = earlier(end_of(gone), ack);
    if (runs_[gone].state != State::held) note(runs_[gone], end, news);
    if (before(ack, end_of(gone))) {
      runs_[gone].begin = ack;
      break;
    }
  }
  erase(0, gone);
  begin_ = ack;
  highest_held_ = later(highest_held_, ack);
  settle();
}

void Flight::take_sack(const wire::SackBlock& block, News& news) noexcept {
  if (count_ + 2 > kMaxRuns) make_room();
  const std::size_t first = cut_at(block.begin), last = cut_at(block.end);
  for (std::size_t i = first; i < last; ++i) {
    if (runs_[i].state == State::held) continue;
    note(runs_[i], end_of(i), news);
    runs_[i].state = State::held;
  }
  settle();
}

std::uint32_t Flight::lose(SeqNum from, SeqNum to) noexcept {
  const std::uint32_t before_it = lost_bytes_;
  if (count_ + 2 > kMaxRuns) make_room();
  const std::size_t first = cut_at(later(from, begin_)), last = cut_at(earlier(to, end_));
  for (std::size_t i = first; i < last; ++i) {
    if (runs_[i].state == State::sent) runs_[i].state = State::lost;
  }
  settle();
  return lost_bytes_ - before_it;
}

void Flight::forget_sack() noexcept {
  for (std::size_t i = 0; i < count_; ++i) {
    if (runs_[i].state == State::held) runs_[i].state = State::lost;
  }
  highest_held_ = begin_;
  settle();
}

// Puts a boundary there. Returns: the index of the run that begins at it, or the count when it is the end.
std::size_t Flight::cut_at(SeqNum at) noexcept {
  std::size_t i = 0;
  while (i < count_ && before(runs_[i].begin, at)) ++i;
  const bool is_boundary = i == 0 || (i < count_ && runs_[i].begin == at) || at_or_before(end_, at);
  if (is_boundary || count_ == kMaxRuns) return i;
  std::copy_backward(runs_.begin() + static_cast<std::ptrdiff_t>(i), runs_.begin() + static_cast<std::ptrdiff_t>(count_),
                     runs_.begin() + static_cast<std::ptrdiff_t>(count_ + 1));
  runs_[i] = runs_[i - 1];
  runs_[i].begin = at;
  ++count_;
  return i;
}

void Flight::note(const Run& run, SeqNum end, News& news) noexcept {
  const bool is_newest = news.bytes == 0 || news.sent < run.sent || (news.sent == run.sent && before(news.end, end));
  news.bytes += static_cast<std::uint32_t>(end - run.begin);
  if (is_newest) {
    news.sent = run.sent;
    news.end = end;
    news.is_resent = run.is_resent;
  }
  if (run.is_resent) return;
  if (!news.has_fresh || news.fresh_sent < run.sent) news.fresh_sent = run.sent;
  news.has_fresh = true;
  if (before(run.begin, news.highest_held)) news.is_reordered = true;
}

void Flight::erase(std::size_t at, std::size_t n) noexcept {
  std::copy(runs_.begin() + static_cast<std::ptrdiff_t>(at + n), runs_.begin() + static_cast<std::ptrdiff_t>(count_),
            runs_.begin() + static_cast<std::ptrdiff_t>(at));
  count_ -= n;
}

// Makes a few neighbours one: first those that differ only in time, then any two; of the two the doubtful fate and the later
// time stand, so that the worst is a resend too many or a little later.
void Flight::make_room() noexcept {
  std::size_t freed = 0;
  for (std::size_t i = count_ - 1; i > 0 && freed < 4; --i) {
    Run& left = runs_[i - 1];
    const Run& right = runs_[i];
    if (left.state != right.state || left.is_resent != right.is_resent) continue;
    left.sent = std::max(left.sent, right.sent);
    erase(i, 1);
    ++freed;
  }
  for (; freed < 4; ++freed) {
    Run& left = runs_[count_ - 2];
    const Run& right = runs_[count_ - 1];
    if (left.state != right.state) left.state = State::sent;
    left.is_resent = left.is_resent || right.is_resent;
    left.sent = std::max(left.sent, right.sent);
    --count_;
  }
  settle();
}

// Joins what need not be told apart, and counts.
void Flight::settle() noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (kept != 0 && are_alike(runs_[kept - 1], runs_[i], coalesce_us_)) continue;
    runs_[kept++] = runs_[i];
  }
  count_ = kept;
  sent_bytes_ = lost_bytes_ = held_bytes_ = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    const std::uint32_t bytes = bytes_of(i);
    switch (runs_[i].state) {
      case State::sent: sent_bytes_ += bytes; break;
      case State::lost: lost_bytes_ += bytes; break;
      case State::held:
        held_bytes_ += bytes;
        highest_held_ = later(highest_held_, runs_[i].begin + bytes);
        break;
    }
  }
}

}  // namespace cutwater::splice
