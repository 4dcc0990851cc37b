#include "splice/send_control.hpp"

namespace cutwater::splice {
namespace {
constexpr std::uint8_t kDuplicateThreshold = 3;      // RFC 5681 3.2
constexpr std::uint32_t kInitialWindowSegments = 10;  // RFC 6928 2
constexpr std::uint32_t kMaxCwnd = 16U << 20;
}  // namespace

void SendControl::start(SeqNum at, std::uint16_t mss, SeqNum window_edge, std::uint32_t rtt_us) noexcept {
  *this = SendControl{};
  una_ = nxt_ = recover_ = resend_ = at;
  edge_ = window_edge;
  mss_ = mss;
  cwnd_ = kInitialWindowSegments * mss;
  if (rtt_us != 0) rto_.sample(rtt_us);
}

void SendControl::set_mss(std::uint16_t mss, Tick now) noexcept {
  if (mss >= mss_) return;
  mss_ = mss;
  if (una_ == nxt_) return;
  state_ = State::loss;
  recover_ = nxt_;
  resend_ = una_;
  is_timing_ = false;
  arm(now);
}

void SendControl::on_ack(SeqNum ack, SeqNum window_edge, std::span<const wire::SackBlock> sack, bool is_duplicate,
                         Tick now) noexcept {
  if (before(nxt_, ack) || before(ack, una_)) return;
  edge_ = window_edge;
  if (is_probing_) rto_.answered();  // who answers probes may keep its window closed (RFC 9293 3.8.6.1)
  if (is_probing_ && ack == una_ && before(una_, window_edge)) {  // the window opened: the probe's byte goes again with the rest
    nxt_ = recover_ = resend_ = una_;
    state_ = State::open;
    cwnd_ = kInitialWindowSegments * mss_;
    is_probing_ = false;
    deadline_ = kNever;
    rto_.progress();
  }
  const auto acked = static_cast<std::uint32_t>(ack - una_);
  note_sack(sack);
  if (acked != 0) {
    una_ = ack;
    resend_ = later(resend_, una_);
    duplicates_ = 0;
    rto_.progress();
    if (is_timing_ && at_or_before(timed_, ack)) {
      rto_.sample(now - timed_at_);
      is_timing_ = false;
    }
    forget_sack_before(una_);
    if (state_ != State::open && !before(una_, recover_)) {
      cwnd_ = std::max(ssthresh_, 2U * mss_);
      state_ = State::open;
    } else if (state_ == State::recovery) {
      resend_ = una_;  // partial acknowledgement: the next hole begins here (RFC 6582 3.2)
      if (sack_count_ != 0) resend_ = later(resend_, una_);
    } else if (cwnd_ < ssthresh_) {
      cwnd_ = std::min(cwnd_ + acked, kMaxCwnd);
    } else {
      cwnd_ = std::min(cwnd_ + std::max(1U, static_cast<std::uint32_t>(std::uint64_t{mss_} * acked / cwnd_)), kMaxCwnd);
    }
    if (una_ == nxt_) deadline_ = kNever;
    else arm(now);
    return;
  }
  if (una_ == nxt_ || !is_duplicate || state_ != State::open) return;
  std::uint32_t sacked = 0;
  for (std::size_t i = 0; i < sack_count_; ++i) sacked += static_cast<std::uint32_t>(sack_[i].end - sack_[i].begin);
  if (++duplicates_ < kDuplicateThreshold && sacked < kDuplicateThreshold * mss_) return;
  state_ = State::recovery;
  recover_ = nxt_;
  resend_ = una_;
  ssthresh_ = std::max(static_cast<std::uint32_t>(nxt_ - una_) / 2, 2U * mss_);
  cwnd_ = ssthresh_ + kDuplicateThreshold * mss_;
  is_timing_ = false;  // Karn: what may have been resent is not a sample
}

std::uint32_t SendControl::outstanding() const noexcept {
  auto bytes = static_cast<std::uint32_t>(nxt_ - una_);
  if (state_ == State::open) return bytes;
  // Between resend_ and the highest byte the peer has, what is not there is taken as lost, not as on its way.
  const SeqNum high = state_ == State::loss ? recover_ : sack_count_ != 0 ? sack_[sack_count_ - 1].end : una_;
  SeqNum at = later(resend_, una_);
  for (std::size_t i = 0; i < sack_count_; ++i) {
    if (before(at, sack_[i].begin) && before(at, high)) bytes -= static_cast<std::uint32_t>(earlier(sack_[i].begin, high) - at);
    bytes -= static_cast<std::uint32_t>(sack_[i].end - sack_[i].begin);
    at = later(at, sack_[i].end);
  }
  if (before(at, high)) bytes -= static_cast<std::uint32_t>(high - at);
  return bytes;
}

std::optional<SendControl::Range> SendControl::next_resend(Tick now) noexcept {
  SeqNum limit = recover_;
  if (state_ == State::recovery) limit = sack_count_ != 0 ? sack_[sack_count_ - 1].begin : una_ + mss_;
  for (std::size_t i = 0; i < sack_count_; ++i) {
    if (!before(resend_, sack_[i].begin) && before(resend_, sack_[i].end)) resend_ = sack_[i].end;
  }
  SeqNum end = earlier(earlier(resend_ + mss_, limit), recover_);
  for (std::size_t i = 0; i < sack_count_; ++i) {
    if (before(resend_, sack_[i].begin)) {
      end = earlier(end, sack_[i].begin);
      break;
    }
  }
  if (!before(resend_, end)) return std::nullopt;
  const Range range{resend_, end, true};
  resend_ = end;
  arm(now);
  return range;
}

std::optional<SendControl::Range> SendControl::next(SeqNum end, Tick now) noexcept {
  if (state_ != State::open && (outstanding() + mss_ <= cwnd_ || resend_ == una_)) {
    if (const auto range = next_resend(now)) return range;
  }
  if (state_ == State::loss && before(resend_, recover_)) return std::nullopt;
  const SeqNum limit = earlier(end, edge_);
  if (!before(nxt_, limit)) {
    if (before(nxt_, end) && una_ == nxt_ && deadline_ == kNever) {  // zero window: probe when the timer comes (RFC 9293 3.8.6.1)
      is_probing_ = true;
      arm(now);
    }
    return std::nullopt;
  }
  auto bytes = std::min<std::uint32_t>(mss_, static_cast<std::uint32_t>(limit - nxt_));
  if (outstanding() + bytes > cwnd_ && nxt_ != una_) return std::nullopt;
  if (bytes < mss_ && limit == edge_ && before(limit, end) && nxt_ != una_) return std::nullopt;  // silly window (RFC 9293 3.8.6.2.1)
  const Range range{nxt_, nxt_ + bytes, false};
  nxt_ = range.end;
  is_probing_ = false;
  if (!is_timing_ && state_ == State::open) {
    is_timing_ = true;
    timed_ = range.end;
    timed_at_ = now;
  }
  if (deadline_ == kNever || range.begin == una_) arm(now);
  return range;
}

bool SendControl::on_timer(Tick now, SeqNum end) noexcept {
  deadline_ = kNever;
  if (una_ == nxt_ && !before(nxt_, end)) return true;
  const bool may_go_on = rto_.back_off();
  if (una_ == nxt_) {  // a probe of a closed window: one byte beyond the edge; the peer is alive as long as it answers
    if (!is_probing_) return true;
    nxt_ = nxt_ + 1;
    recover_ = nxt_;
    resend_ = una_;
    state_ = State::loss;
    cwnd_ = mss_;
    return may_go_on;
  }
  ssthresh_ = std::max(outstanding() / 2, 2U * mss_);
  cwnd_ = mss_;
  state_ = State::loss;
  recover_ = nxt_;
  resend_ = una_;
  sack_count_ = 0;  // the peer may have reneged (RFC 2018 8)
  duplicates_ = 0;
  is_timing_ = false;
  arm(now);
  return may_go_on;
}

void SendControl::note_sack(std::span<const wire::SackBlock> blocks) noexcept {
  for (const wire::SackBlock& block : blocks) {
    if (!before(block.begin, block.end) || !before(una_, block.begin) || before(nxt_, block.end)) continue;
    wire::SackBlock fresh = block;
    std::array<wire::SackBlock, 8> merged{};
    std::uint8_t count = 0;
    bool is_placed = false;
    for (std::size_t i = 0; i < sack_count_ && count < merged.size(); ++i) {
      const wire::SackBlock& old = sack_[i];
      if (before(old.end, fresh.begin)) {
        merged[count++] = old;
      } else if (before(fresh.end, old.begin)) {
        if (!is_placed) {
          merged[count++] = fresh;
          is_placed = true;
          if (count == merged.size()) break;
        }
        merged[count++] = old;
      } else {
        fresh = {earlier(fresh.begin, old.begin), later(fresh.end, old.end)};
      }
    }
    if (!is_placed && count < merged.size()) merged[count++] = fresh;
    sack_ = merged;
    sack_count_ = count;
  }
}

void SendControl::forget_sack_before(SeqNum limit) noexcept {
  std::uint8_t kept = 0;
  for (std::size_t i = 0; i < sack_count_; ++i) {
    if (before(limit, sack_[i].begin)) sack_[kept++] = sack_[i];
  }
  sack_count_ = kept;
}

}  // namespace cutwater::splice
