#include "splice/send_control.hpp"

namespace cutwater::splice {
namespace {
constexpr std::uint8_t kDuplicateThreshold = 3;  // RFC 5681 3.2
constexpr std::uint8_t kMaxReorderSteps = 32;    // the smoothed round trip caps the window anyway
constexpr std::uint8_t kStepsLast = 16;          // recoveries without D-SACK before the window shrinks again (RFC 8985 6.2)
constexpr std::uint64_t kDelayedAckUs = 200'000;  // for a lone segment the peer may wait that long (RFC 8985 7.2)
constexpr std::uint64_t kProbeSlackUs = 2'000;    // the timer's own grain
}  // namespace

void SendControl::start(SeqNum at, std::uint16_t mss, SeqNum window_edge, bool has_sack, CongestionControl congestion) noexcept {
  *this = SendControl{};
  flight_.start(at);
  congestion_.start(congestion, mss, at.value);
  edge_ = window_edge;
  recover_ = timed_ = steps_round_ = at;
  mss_ = mss;
  has_sack_ = has_sack;
}

void SendControl::set_mss(std::uint16_t mss, Tick now) noexcept {
  if (mss >= mss_) return;
  mss_ = mss;
  congestion_.set_mss(mss);
  if (is_idle()) return;
  flight_.lose(una(), nxt());
  reorder_at_ = probe_at_ = kNever;
  arm(now);
}

void SendControl::on_ack(SeqNum ack, SeqNum window_edge, std::span<const wire::SackBlock> sack, bool is_duplicate,
                         Tick now) noexcept {
  if (before(nxt(), ack) || before(ack, una())) return;
  edge_ = window_edge;
  if (is_probing_) rto_.answered();  // who answers probes may keep its window closed (RFC 9293 3.8.6.1)
  if (is_probing_ && ack == una() && before(una(), window_edge)) reopen_window();
  const auto acked = static_cast<std::uint32_t>(ack - una());
  const std::uint32_t was_in_flight = in_flight();
  const bool was_full = was_in_flight + mss_ > congestion_.window() ||
                        (congestion_.is_in_slow_start() && 2 * was_in_flight > congestion_.window());
  const bool has_duplicate_report = take_duplicate_report(ack, sack);
  Flight::News news = flight_.no_news();
  if (acked != 0) {
    flight_.take_ack(ack, news);
    rto_.progress();
  }
  for (const wire::SackBlock& block : sack) {
    const bool is_sound = before(block.begin, block.end) && before(una(), block.begin) && at_or_before(block.end, nxt());
    if (is_sound) flight_.take_sack(block, news);
  }
  if (news.bytes != 0) measure(news, now);
  const std::uint32_t blind = sack.empty() ? count_duplicate(is_duplicate, acked) : 0;
  if (acked != 0) settle_tail_probe(ack, has_duplicate_report);
  if (state_ != State::open && acked != 0 && !before(una(), recover_)) leave_recovery();
  std::uint32_t lost = find_lost(now);
  const bool is_at_hole = state_ == State::recovery && acked != 0 && !has_sack_;
  if (is_at_hole || (blind != 0 && duplicates_ == kDuplicateThreshold)) lost += flight_.lose(una(), una() + mss_);
  const std::uint32_t delivered = news.bytes + blind;
  take_losses(lost, delivered, now);
  congestion_.take({.of = {.delivered = delivered, .lost = lost, .in_flight = in_flight(), .has_sent = has_arrival_,
                           .sent = arrived_sent_, .rtt_us = news.has_fresh ? now - news.fresh_sent : 0, .was_full = was_full},
                    .acknowledged = news.bytes, .during = during(), .is_safe = acked != 0 && lost == 0,
                    .smoothed_rtt_us = rto_.smoothed_us()}, now);
  if (has_duplicate_report) undo_if_superfluous();
  if (is_idle()) {
    rto_at_ = probe_at_ = reorder_at_ = kNever;
  } else if (acked != 0) {
    arm(now);
    arm_tail_probe(now);
  } else if (news.bytes != 0) {
    arm_tail_probe(now);
  }
}

// The first block tells of bytes that came twice when it lies below the acknowledgement or inside the second (RFC 2883 4).
bool SendControl::take_duplicate_report(SeqNum ack, std::span<const wire::SackBlock> sack) noexcept {
  if (sack.empty() || !before(sack[0].begin, sack[0].end)) return false;
  const bool is_below = at_or_before(sack[0].end, ack);
  const bool is_inside = sack.size() > 1 && at_or_before(sack[1].begin, sack[0].begin) && at_or_before(sack[0].end, sack[1].end);
  if (!is_below && !is_inside) return false;
  is_reordering_seen_ = true;
  steps_left_ = kStepsLast;
  if (at_or_before(steps_round_, ack)) {  // once in a round trip
    steps_round_ = nxt();
    reorder_steps_ = static_cast<std::uint8_t>(std::min<int>(reorder_steps_ + 1, kMaxReorderSteps));
  }
  if (has_undo_ && before(undo_from_, sack[0].end)) {
    undo_left_ -= std::min(undo_left_, static_cast<std::uint32_t>(sack[0].end - sack[0].begin));
  }
  return true;
}

void SendControl::measure(const Flight::News& news, Tick now) noexcept {
  if (news.has_fresh) {
    const std::uint64_t rtt_us = now - news.fresh_sent;
    shortest_rtt_us_ = std::min(shortest_rtt_us_, rtt_us);
    if (at_or_before(timed_, una())) {
      rto_.sample(rtt_us);
      timed_ = nxt();
    }
  }
  if (news.is_reordered) is_reordering_seen_ = true;
  const std::uint64_t rtt_us = now - news.sent;
  if (news.is_resent && rtt_us < shortest_rtt_us_) return;  // it was the first copy that arrived
  const bool is_newest = !has_arrival_ || arrived_sent_ < news.sent || (arrived_sent_ == news.sent && before(arrived_end_, news.end));
  if (!is_newest) return;
  has_arrival_ = true;
  arrived_sent_ = news.sent;
  arrived_end_ = news.end;
  is_arrival_resent_ = news.is_resent;
  arrived_rtt_us_ = rtt_us;
}

// As long as nothing was seen to overtake anything, three segments behind a gap are proof enough (RFC 8985 6.2).
std::uint64_t SendControl::reorder_window_us() const noexcept {
  const bool is_proof = state_ != State::open || flight_.held_bytes() >= std::uint32_t{kDuplicateThreshold} * mss_;
  if (!is_reordering_seen_ && is_proof) return 0;
  if (shortest_rtt_us_ == ~0ULL) return 0;
  return std::min<std::uint64_t>(shortest_rtt_us_ * reorder_steps_ / 4, rto_.smoothed_us());
}

// Returns: how many bytes are lost by now, that were not. Sets the time at which more may be.
std::uint32_t SendControl::find_lost(Tick now) noexcept {
  reorder_at_ = kNever;
  if (!has_arrival_ || flight_.sent_bytes() == 0) return 0;
  const std::uint64_t patience = arrived_rtt_us_ + reorder_window_us();
  return flight_.lose_if([&](const Flight::Run& run, SeqNum end) {
    const bool is_as_old = run.sent == arrived_sent_ && before(end, arrived_end_) && (is_arrival_resent_ || !run.is_resent);
    const bool is_overtaken = run.sent < arrived_sent_ || is_as_old;
    if (!is_overtaken) return false;
    const Tick due = run.sent + patience;
    if (due <= now) return true;
    reorder_at_ = std::min(reorder_at_, due);
    return false;
  });
}

// Without SACK every duplicate stands for a segment that left the network, nobody knows which (RFC 5681 3.2).
// Returns: the bytes this one stands for.
std::uint32_t SendControl::count_duplicate(bool is_duplicate, std::uint32_t acked) noexcept {
  if (acked != 0) {
    duplicates_ = 0;
    blind_bytes_ -= std::min(blind_bytes_, acked);
    return 0;
  }
  if (!is_duplicate || is_idle()) return 0;
  if (duplicates_ < 255) ++duplicates_;
  if (duplicates_ < kDuplicateThreshold && state_ == State::open) return 0;
  blind_bytes_ += mss_;
  return mss_;
}

void SendControl::take_losses(std::uint32_t lost, std::uint32_t delivered, Tick now) noexcept {
  if (lost == 0 || state_ != State::open) return;
  state_ = State::recovery;
  recover_ = nxt();
  begin_undo_record();
  congestion_.enter_recovery(flight_.sent_bytes() + flight_.lost_bytes() + delivered, in_flight(), now);
  tail_probe_ = TailProbe::none;
  probe_at_ = kNever;
}

void SendControl::begin_undo_record() noexcept {
  has_undo_ = true;
  undo_from_ = una();
  undo_resent_ = undo_left_ = 0;
}

void SendControl::leave_recovery() noexcept {
  if (state_ == State::recovery) congestion_.end_recovery();
  else congestion_.end_loss();
  state_ = State::open;
  blind_bytes_ = 0;
  if (has_undo_ && undo_resent_ == 0) {  // it all came before any of it was sent again
    congestion_.undo();
    has_undo_ = false;
  }
  if (steps_left_ != 0 && --steps_left_ == 0) reorder_steps_ = 1;
}

void SendControl::undo_if_superfluous() noexcept {
  if (!has_undo_ || undo_resent_ == 0 || undo_left_ != 0) return;
  congestion_.undo();
  has_undo_ = false;
  state_ = State::open;
  blind_bytes_ = 0;
}

// A probe that filled a hole hides a loss, which the congestion window has to hear of; one that was superfluous is reported
// as a duplicate (RFC 8985 7.4).
void SendControl::settle_tail_probe(SeqNum ack, bool has_duplicate_report) noexcept {
  if (tail_probe_ < TailProbe::fresh || before(ack, tail_probe_end_)) return;
  if (tail_probe_ == TailProbe::repeated && !has_duplicate_report) {
    if (ack == tail_probe_end_) return;  // its own answer may still come
    if (state_ == State::open) congestion_.take_mended_loss(mss_);
  }
  tail_probe_ = TailProbe::none;
}

// The probe's byte was not taken: it goes again with the rest.
void SendControl::reopen_window() noexcept {
  flight_.start(una());
  recover_ = timed_ = una();
  state_ = State::open;
  blind_bytes_ = 0;
  duplicates_ = 0;
  is_probing_ = has_arrival_ = has_undo_ = false;
  tail_probe_ = TailProbe::none;
  rto_at_ = probe_at_ = reorder_at_ = kNever;
  rto_.progress();
}

std::optional<SendControl::Range> SendControl::next_resend(Tick now) noexcept {
  if (in_flight() != 0 && in_flight() + mss_ > congestion_.window()) return std::nullopt;
  const auto block = flight_.resend(mss_, now, coalesce_us());
  if (!block) return std::nullopt;
  const auto bytes = static_cast<std::uint32_t>(block->end - block->begin);
  if (has_undo_) {
    undo_resent_ += bytes;
    undo_left_ += bytes;
  }
  congestion_.note_sent(bytes, during(), now);
  if (rto_at_ == kNever || block->begin == una()) arm(now);
  arm_tail_probe(now);
  return Range{block->begin, block->end, true};
}

SendControl::Range SendControl::send_new(std::uint32_t bytes, Tick now) noexcept {
  const Range range{nxt(), nxt() + bytes, false};
  flight_.append(range.end, now, coalesce_us());
  is_probing_ = false;
  congestion_.note_sent(bytes, during(), now);
  if (rto_at_ == kNever || range.begin == una()) arm(now);
  return range;
}

// One segment more than the window allows, so that a loss at the end of a burst is noticed by its echo and not by the timer.
std::optional<SendControl::Range> SendControl::tail_probe(SeqNum limit, Tick now) noexcept {
  arm(now);
  const bool is_recovering = state_ == State::recovery;
  if (!is_recovering && before(nxt(), limit)) {
    const Range range = send_new(std::min<std::uint32_t>(mss_, static_cast<std::uint32_t>(limit - nxt())), now);
    tail_probe_ = TailProbe::fresh;
    tail_probe_end_ = nxt();
    return range;
  }
  tail_probe_ = TailProbe::repeated;
  tail_probe_end_ = nxt();
  if (is_recovering) flight_.lose(una(), una() + mss_);  // it holds up all the rest
  else flight_.lose(later(una(), nxt() - mss_), nxt());
  const auto block = flight_.resend(mss_, now, coalesce_us());
  if (!block) return std::nullopt;
  return Range{block->begin, block->end, true};
}

std::optional<SendControl::Range> SendControl::next(SeqNum end, Tick now) noexcept {
  const SeqNum limit = earlier(end, edge_);
  paced_at_ = kNever;
  if (tail_probe_ == TailProbe::due) {
    tail_probe_ = TailProbe::none;
    if (!is_idle() && flight_.lost_bytes() == 0) return tail_probe(limit, now);
  }
  const std::int32_t open = limit - nxt();
  // A segment cut short by the peer's window waits until there is more of it (RFC 9293 3.8.6.2.1).
  const bool is_silly = open < std::int32_t{mss_} && limit == edge_ && before(limit, end) && !is_idle();
  const bool has_work = flight_.lost_bytes() != 0 || (open > 0 && !is_silly);
  if (!has_work && in_flight() < congestion_.window()) congestion_.note_starved();
  if (has_work && now < congestion_.send_at() && !is_idle()) {
    paced_at_ = congestion_.send_at();
    return std::nullopt;
  }
  if (flight_.lost_bytes() != 0) return next_resend(now);
  if (!has_work) {
    if (before(nxt(), end) && is_idle() && rto_at_ == kNever) {  // zero window: probe when the timer comes (RFC 9293 3.8.6.1)
      is_probing_ = true;
      arm(now);
    }
    return std::nullopt;
  }
  const auto bytes = std::min<std::uint32_t>(mss_, static_cast<std::uint32_t>(open));
  if (in_flight() + bytes > congestion_.window() && !is_idle()) return std::nullopt;
  const Range range = send_new(bytes, now);
  arm_tail_probe(now);
  return range;
}

// Also in a recovery when all that was lost is on its way again: the last of it may be lost too, and nothing behind it would show
// that before the timer. There, other than RFC 8985 7.2 has it, one segment in two round trips is no more than the timer's.
void SendControl::arm_tail_probe(Tick now) noexcept {
  probe_at_ = kNever;
  const bool is_behind_hole = flight_.held_bytes() != 0;
  const bool is_quiet = state_ == State::open ? !is_behind_hole : state_ == State::recovery && is_behind_hole;
  const bool has_use = has_sack_ && is_quiet && tail_probe_ == TailProbe::none && !is_probing_ && flight_.lost_bytes() == 0 &&
                       !is_idle() && rto_.smoothed_us() != 0;
  if (!has_use) return;
  const bool may_be_delayed = flight_.sent_bytes() <= mss_ && !is_behind_hole;  // what fills a gap is answered at once (RFC 5681 4.2)
  const std::uint64_t wait = 2ULL * rto_.smoothed_us() + (may_be_delayed ? kDelayedAckUs : kProbeSlackUs);
  if (now + wait < rto_at_) probe_at_ = now + wait;
}

bool SendControl::on_timer(Tick now, SeqNum end) noexcept {
  if (reorder_at_ <= now) {
    const std::uint32_t lost = find_lost(now);
    take_losses(lost, 0, now);
    if (state_ == State::recovery) {
      congestion_.take({.of = {.lost = lost, .in_flight = in_flight()}, .during = SendLimit::During::recovery}, now);
    }
  }
  if (paced_at_ <= now) paced_at_ = kNever;
  if (rto_at_ <= now) {
    rto_at_ = probe_at_ = kNever;
    return is_idle() && !before(nxt(), end) ? true : time_out(now);
  }
  if (probe_at_ <= now) {
    probe_at_ = kNever;
    tail_probe_ = TailProbe::due;
  }
  return true;
}

bool SendControl::time_out(Tick now) noexcept {
  const bool may_go_on = rto_.back_off();
  if (is_probing_) {  // one byte beyond the edge of a closed window; the peer is alive as long as it answers
    if (is_idle()) flight_.append(nxt() + 1U, now, 0);
    flight_.lose(una(), nxt());
    return may_go_on;
  }
  if (is_idle()) return true;
  const bool is_first = state_ == State::open || (state_ == State::loss && rto_.retries() == 1);
  if (is_first) begin_undo_record();
  congestion_.time_out(is_first);
  state_ = State::loss;
  recover_ = nxt();
  if (flight_.is_front_held() || rto_.retries() > 1) flight_.forget_sack();
  flight_.lose(una(), nxt());
  blind_bytes_ = 0;
  duplicates_ = 0;
  tail_probe_ = TailProbe::none;
  reorder_at_ = kNever;
  arm(now);
  return may_go_on;
}

}  // namespace cutwater::splice
