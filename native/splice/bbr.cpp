#include "splice/bbr.hpp"

#include <algorithm>

namespace cutwater::splice {
namespace {

constexpr std::uint32_t kInitialWindowSegments = 10;  // RFC 6928 2
constexpr std::uint32_t kLeastWindowSegments = 4;     // or a receiver that acknowledges every second segment would stop us
constexpr std::uint32_t kMaxWindow = 16U << 20;
constexpr double kWindowGain = 2;         // acknowledgements come late and together: one product on its way is too little
constexpr double kStartGain = 2.885;      // 2/ln 2: the least that doubles in a round trip
constexpr double kGrowth = 1.25;          // a round that brought less than that more has not grown
constexpr int kRoundsWithoutGrowth = 3;
constexpr std::array<double, 8> kCycle{1.25, 0.75, 1, 1, 1, 1, 1, 1};
constexpr double kTooManyLost = 0.1;      // of a round: more than any link loses by chance that is worth using
constexpr double kTooManyAtStart = 0.2;   // who doubles overfills a queue by a large part; a short round loses a tenth by chance
constexpr std::uint32_t kLeastLostSegments = 4;
constexpr double kBeta = 0.7;
constexpr std::uint64_t kShortestLastsUs = 10'000'000;  // then the shortest round trip is looked for anew,
constexpr std::uint64_t kShortPhaseUs = 200'000;        // for so long,
constexpr double kShortPhaseGain = 0.5;                 // with so much of the product on its way
constexpr std::uint64_t kBurstUs = 1'000;  // the grain of our timers
constexpr double kSecond = 1e6;

}  // namespace

void Bbr::start(std::uint16_t mss, std::uint32_t seed) noexcept {
  *this = Bbr{};
  mss_ = mss;
  window_ = kInitialWindowSegments * mss;
  step_ = static_cast<std::uint8_t>(2 + seed % (kCycle.size() - 2));  // any but up and down
}

double Bbr::rate() const noexcept { return *std::max_element(rates_.begin(), rates_.end()); }

std::uint32_t Bbr::share_of_product(double gain) const noexcept {
  const double bytes = gain * product();
  return bytes < kMaxWindow ? static_cast<std::uint32_t>(bytes) : kMaxWindow;
}

double Bbr::pacing_gain() const noexcept {
  switch (phase_) {
    case Phase::start: return kStartGain;
    case Phase::drain: return 1 / kStartGain;
    case Phase::short_rtt: return 1;
    case Phase::cruise: return kCycle[step_];
  }
  return 1;
}

// In slow start the acknowledgements are clock enough, and the rate is not known yet.
void Bbr::note_sent(std::uint32_t bytes, Tick now) noexcept {
  if (phase_ == Phase::start || shortest_us_ == 0) return;
  const double speed = std::max(pacing_gain() * rate(), 1.0);
  const auto takes_us = static_cast<std::uint64_t>(std::min(bytes * kSecond / speed, kSecond));
  const Tick earliest{now.us > kBurstUs ? now.us - kBurstUs : 0};  // what was not sent in time is no credit for later
  send_at_ = std::max(send_at_, earliest) + takes_us;
}

void Bbr::take(const Arrival& arrival, Tick now) noexcept {
  delivered_ += arrival.delivered;
  lost_ += arrival.lost;
  if (arrival.rtt_us != 0) take_rtt(arrival.rtt_us, now);
  if (!has_round_) {
    has_round_ = true;
    round_began_ = now;
    delivered_before_ = delivered_;
  } else if (arrival.has_sent && arrival.sent >= round_began_ && round_began_ < now) {
    end_round(arrival, now);
  }
  if (is_conserving_ && arrival.has_sent && arrival.sent > conserving_since_) is_conserving_ = false;
  go_through_phases(arrival, now);
  set_window(arrival);
}

// A round ends when something arrives that was sent after it began: what has arrived meanwhile is what the path carries in a
// round trip. The acknowledgement that ends it belongs to the next one, as the one that began it belonged to this.
void Bbr::end_round(const Arrival& arrival, Tick now) noexcept {
  const auto delivered = static_cast<std::uint32_t>(delivered_ - delivered_before_);
  const double seconds = static_cast<double>(std::max<std::uint64_t>(now - round_began_, shortest_us_)) / kSecond;
  const double seen = seconds > 0 ? delivered / seconds : 0;
  const bool is_of_path = starved_rounds_ == 0;  // else it is a lower bound
  bool has_grown = false;
  if (is_of_path || seen >= rate()) {
    newest_ = static_cast<std::uint8_t>((newest_ + 1) % kRoundsRemembered);
    rates_[newest_] = seen;
    if (phase_ == Phase::start) has_grown = judge_start(is_of_path);
  }
  judge_losses(delivered, arrival.in_flight, has_grown);
  round_began_ = now;
  delivered_before_ = delivered_;
  lost_ = 0;
  if (starved_rounds_ != 0) --starved_rounds_;
}

// Returns: whether the path has shown that it carries more.
bool Bbr::judge_start(bool is_of_path) noexcept {
  if (rate() >= kGrowth * fullest_) {
    fullest_ = rate();
    rounds_without_growth_ = 0;
    return true;
  }
  if (is_of_path && rounds_without_growth_ < kRoundsWithoutGrowth) ++rounds_without_growth_;
  return false;
}

bool Bbr::is_queue(std::uint32_t lost, std::uint32_t of) const noexcept {
  const double share = phase_ == Phase::start ? kTooManyAtStart : kTooManyLost;
  return lost >= kLeastLostSegments * mss_ && lost > share * of;
}

// Where a full queue throws away a large part of a round, less is kept on the way until the path shows that it carries more. In a
// round that grew it was none, or not yet: a segment that overtakes many makes them look lost.
void Bbr::judge_losses(std::uint32_t delivered, std::uint32_t in_flight, bool has_grown) noexcept {
  if (!has_grown && is_queue(lost_, delivered + lost_)) {
    const auto product = share_of_product(1);
    bound_ = std::max(static_cast<std::uint32_t>(std::min(window_, std::max(in_flight, product)) * kBeta), product);
    if (phase_ == Phase::start) rounds_without_growth_ = kRoundsWithoutGrowth;
  } else if (bound_ != ~0U) {
    bound_ = bound_ < kMaxWindow ? bound_ + std::max<std::uint32_t>(mss_, delivered / 8) : ~0U;
  }
}

void Bbr::take_rtt(std::uint64_t rtt_us, Tick now) noexcept {
  const bool is_stale = shortest_us_ != 0 && now - shortest_at_ > kShortestLastsUs;
  if (is_stale && phase_ == Phase::cruise) {
    phase_ = Phase::short_rtt;
    short_until_ = now + kShortPhaseUs + rtt_us;
  }
  if (shortest_us_ != 0 && rtt_us > shortest_us_ && !is_stale) return;
  shortest_us_ = std::max<std::uint64_t>(rtt_us, 1);
  shortest_at_ = now;
}

void Bbr::go_through_phases(const Arrival& arrival, Tick now) noexcept {
  if (phase_ == Phase::start && rounds_without_growth_ >= kRoundsWithoutGrowth) phase_ = Phase::drain;
  const std::uint32_t product = share_of_product(1);
  if (phase_ == Phase::drain && arrival.in_flight <= product) {
    phase_ = Phase::cruise;
    step_began_ = now;
  }
  if (phase_ == Phase::short_rtt && short_until_ <= now) {
    phase_ = Phase::cruise;
    step_began_ = now;
  }
  if (phase_ != Phase::cruise) return;
  const bool is_over = now - step_began_ > shortest_us_;
  const double gain = kCycle[step_];
  const bool has_pushed = arrival.lost != 0 || arrival.in_flight >= share_of_product(gain) || starved_rounds_ != 0;
  const bool goes_on = gain > 1 ? is_over && has_pushed : gain < 1 ? is_over || arrival.in_flight <= product : is_over;
  if (!goes_on) return;
  step_ = static_cast<std::uint8_t>((step_ + 1) % kCycle.size());
  step_began_ = now;
}

void Bbr::set_window(const Arrival& arrival) noexcept {
  const std::uint32_t least = kLeastWindowSegments * mss_;
  if (is_after_timeout_ || is_conserving_) {  // as much goes out as has come in
    window_ = std::max(window_, arrival.in_flight + arrival.delivered);
    if (is_after_timeout_) window_ += arrival.delivered;
    return;
  }
  const bool is_growing = phase_ == Phase::start && rounds_without_growth_ == 0;
  std::uint32_t target = kMaxWindow;
  if (!is_growing) {
    const double gain = phase_ == Phase::start ? kStartGain : phase_ == Phase::short_rtt ? kShortPhaseGain : kWindowGain;
    target = share_of_product(gain) + 3 * mss_;
  }
  target = std::max(std::min(target, bound_), least);
  if (window_ > target) window_ = target;
  else if (!is_growing || arrival.was_full) window_ = std::min(window_ + arrival.delivered, target);
}

void Bbr::enter_recovery(std::uint32_t before_it, std::uint32_t in_flight, Tick now) noexcept {
  window_before_ = window_;
  if (!is_queue(before_it - std::min(in_flight, before_it), before_it)) return;  // by chance, or the round will tell
  is_conserving_ = true;  // for a round: what is sent replaces what has arrived
  conserving_since_ = now;
  window_ = std::max<std::uint32_t>(in_flight, mss_);
}

void Bbr::end_recovery() noexcept {
  window_ = std::max(window_, window_before_);
  is_conserving_ = is_after_timeout_ = false;
}

void Bbr::time_out(bool is_first) noexcept {
  if (is_first) window_before_ = window_;
  window_ = mss_;
  is_after_timeout_ = true;
  is_conserving_ = false;
  send_at_ = Tick{};
}

void Bbr::undo() noexcept { end_recovery(); }

}  // namespace cutwater::splice
