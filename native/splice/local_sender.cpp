#include "splice/local_sender.hpp"

#include <algorithm>

namespace cutwater::splice {
namespace {
constexpr std::uint32_t kInitialWindowSegments = 10;  // RFC 6928 2
constexpr std::uint8_t kDuplicateThreshold = 3;       // RFC 5681 3.2
}  // namespace

void LocalSender::start(std::uint16_t mss, std::uint32_t rtt_us) noexcept {
  items_.clear();
  mss_ = mss;
  cwnd_ = kInitialWindowSegments * mss;
  duplicates_ = 0;
  is_resend_due_ = is_timing_ = is_probe_due_ = is_window_closed_ = false;
  deadline_ = kNever;
  rto_ = Rto{};
  if (rtt_us != 0) rto_.sample(rtt_us);
}

void LocalSender::append(SeqNum at, std::vector<std::uint8_t>&& bytes, Ending ending) {
  if (items_.empty()) una_ = sent_ = highest_ = at;
  items_.push_back({at, std::move(bytes), ending});
}

void LocalSender::on_ack(SeqNum ack, Tick now) noexcept {
  if (items_.empty() || !before(una_, ack)) return;
  const std::uint32_t was = outstanding();
  una_ = ack;
  sent_ = later(sent_, ack);
  highest_ = later(highest_, ack);
  duplicates_ = 0;
  rto_.progress();
  if (is_timing_ && at_or_before(timed_, ack)) {
    rto_.sample(now - timed_at_);
    is_timing_ = false;
  }
  while (!items_.empty() && at_or_before(items_.front().end(), ack)) items_.pop_front();
  const std::uint32_t is = outstanding();
  if (is < was) cwnd_ += was - is;
  deadline_ = items_.empty() || is == 0 ? kNever : now + rto_.interval_us();
}

void LocalSender::on_duplicate(SeqNum ack, Tick now) noexcept {
  if (items_.empty() || ack != una_ || before(ack, items_.front().begin) || outstanding() == 0) return;
  if (++duplicates_ != kDuplicateThreshold) return;
  is_resend_due_ = true;
  is_timing_ = false;
  deadline_ = now + rto_.interval_us();
}

LocalSender::Piece LocalSender::cut(const Item& item, SeqNum at) const noexcept {
  const auto offset = static_cast<std::size_t>(std::max(at - item.begin, 0));
  const std::size_t bytes = std::min<std::size_t>(item.bytes.size() - std::min(offset, item.bytes.size()), mss_);
  const bool is_last = offset + bytes == item.bytes.size();
  return {item.begin + static_cast<std::uint32_t>(offset), Bytes{item.bytes.data() + offset, bytes},
          is_last ? item.ending : Ending::none, false};
}

std::optional<LocalSender::Piece> LocalSender::next(SeqNum client_edge, Tick now) noexcept {
  if (items_.empty()) return std::nullopt;
  if (is_resend_due_) {
    is_resend_due_ = false;
    Piece piece = cut(items_.front(), later(una_, items_.front().begin));
    const auto sent = static_cast<std::size_t>(std::max(highest_ - piece.begin, 0));
    if (sent < piece.bytes.size()) {  // a small window had cut it; what was never sent is not missing
      piece.bytes = piece.bytes.first(sent);
      piece.ending = Ending::none;
    }
    piece.is_resent = true;
    return piece;
  }
  for (const Item& item : items_) {
    if (at_or_before(item.end(), sent_)) continue;
    Piece piece = cut(item, later(sent_, item.begin));
    const bool is_first = outstanding() == 0;
    if (!is_first && outstanding() + piece.bytes.size() > cwnd_) return std::nullopt;
    const std::int32_t room = client_edge - piece.begin;
    if (room < static_cast<std::int32_t>(piece.bytes.size())) {
      if (!is_first) return std::nullopt;
      if (room <= 0 && !is_probe_due_) {  // closed: the timer will probe it (RFC 9293 3.8.6.1)
        if (deadline_ == kNever) deadline_ = now + rto_.interval_us();
        return std::nullopt;
      }
      piece.bytes = piece.bytes.first(static_cast<std::size_t>(std::max(room, 1)));
      piece.ending = Ending::none;
    }
    is_probe_due_ = false;
    const SeqNum end = piece.begin + static_cast<std::uint32_t>(piece.bytes.size());
    sent_ = end + (piece.ending == Ending::fin ? 1U : 0U);
    piece.is_resent = before(piece.begin, highest_);
    highest_ = later(highest_, sent_);
    if (!is_timing_ && !piece.is_resent) {
      is_timing_ = true;
      timed_ = sent_;
      timed_at_ = now;
    }
    if (deadline_ == kNever) deadline_ = now + rto_.interval_us();
    return piece;
  }
  return std::nullopt;
}

bool LocalSender::on_timer(Tick now) noexcept {
  deadline_ = kNever;
  if (items_.empty()) return true;
  const bool may_go_on = rto_.back_off() || is_window_closed_;
  is_probe_due_ = true;
  sent_ = later(una_, items_.front().begin);
  cwnd_ = mss_;
  duplicates_ = 0;
  is_timing_ = false;
  deadline_ = now + rto_.interval_us();
  return may_go_on;
}

// Local bytes sent and not acknowledged; the records between the items are not ours to count.
std::uint32_t LocalSender::outstanding() const noexcept {
  std::uint32_t bytes = 0;
  for (const Item& item : items_) {
    const SeqNum begin = later(item.begin, una_), end = earlier(item.end(), sent_);
    if (before(begin, end)) bytes += static_cast<std::uint32_t>(end - begin);
  }
  return bytes;
}

}  // namespace cutwater::splice
