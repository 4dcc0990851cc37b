#include "splice/congestion.hpp"

#include <algorithm>
#include <cmath>

namespace cutwater::splice {
namespace {

constexpr std::uint32_t kInitialWindowSegments = 10;  // RFC 6928 2
constexpr std::uint32_t kMaxWindow = 16U << 20;
constexpr double kBeta = 0.7, kScale = 0.4;                            // RFC 9438 4.6, 5
constexpr double kRenoGain = 3 * (1 - kBeta) / (1 + kBeta);            // RFC 9438 4.3
constexpr double kSecond = 1e6;

}  // namespace

void Congestion::start(std::uint16_t mss) noexcept {
  *this = Congestion{};
  mss_ = mss;
  window_ = kInitialWindowSegments * mss;
}

double Congestion::cubic_window(double seconds) const noexcept {
  const double from_plateau = seconds - plateau_s_;
  return peak_ + kScale * from_plateau * from_plateau * from_plateau;
}

void Congestion::grow(std::uint32_t delivered, bool was_full, std::uint64_t rtt_us, Tick now) noexcept {
  if (!was_full) return;  // a window nobody filled says nothing about the path (RFC 9438 4.2)
  if (is_in_slow_start()) {
    window_ = std::min(window_ + delivered, kMaxWindow);
    return;
  }
  const double window = static_cast<double>(window_) / mss_;
  if (epoch_ == kNever) {
    epoch_ = now;
    friendly_ = window;
    if (peak_ < window) peak_ = window;
    plateau_s_ = std::cbrt((peak_ - window) / kScale);
  }
  const double segments = static_cast<double>(delivered) / mss_;
  const double age = static_cast<double>(now - epoch_) / kSecond;
  friendly_ += (friendly_ < peak_ ? kRenoGain : 1.0) * segments / window;
  const double target = std::clamp(cubic_window(age + static_cast<double>(rtt_us) / kSecond), window, 1.5 * window);
  growth_ += (target - window) / window * segments;
  if (friendly_ > window + growth_) growth_ = friendly_ - window;
  const auto bytes = static_cast<std::uint32_t>(growth_ * mss_);
  window_ = std::min(window_ + bytes, kMaxWindow);
  growth_ -= static_cast<double>(bytes) / mss_;
}

void Congestion::remember() noexcept {
  window_before_ = window_;
  threshold_before_ = threshold_;
  peak_before_ = peak_;
}

void Congestion::reduce() noexcept {
  const double window = static_cast<double>(window_) / mss_;
  peak_ = window < peak_ ? window * (1 + kBeta) / 2 : window;  // a flow that finds less than before makes room (RFC 9438 4.7)
  threshold_ = std::max(static_cast<std::uint32_t>(window_ * kBeta), 2U * mss_);
  epoch_ = kNever;
  growth_ = 0;
}

void Congestion::enter_recovery(std::uint32_t in_flight) noexcept {
  remember();
  reduce();
  flight_before_ = std::max<std::uint32_t>(in_flight, mss_);
  delivered_ = sent_ = 0;
}

void Congestion::recover(std::uint32_t delivered, std::uint32_t in_flight, bool is_safe) noexcept {
  delivered_ += delivered;
  std::uint32_t allowance = 0;
  if (in_flight > threshold_) {
    const auto share = static_cast<std::uint32_t>((std::uint64_t{delivered_} * threshold_ + flight_before_ - 1) / flight_before_);
    allowance = share > sent_ ? share - sent_ : 0;
  } else {
    allowance = std::max(delivered_ > sent_ ? delivered_ - sent_ : 0U, delivered);
    if (is_safe) allowance += mss_;
    allowance = std::min(allowance, threshold_ - in_flight);
  }
  if (sent_ == 0) allowance = std::max<std::uint32_t>(allowance, mss_);  // the first goes at once
  window_ = in_flight + allowance;
}

void Congestion::end_recovery() noexcept { window_ = threshold_; }

void Congestion::time_out(bool is_first) noexcept {
  if (is_first) {
    remember();
    reduce();
  }
  window_ = mss_;
}

void Congestion::undo() noexcept {
  window_ = std::max(window_, window_before_);
  threshold_ = std::max(threshold_, threshold_before_);
  peak_ = peak_before_;
  epoch_ = kNever;
}

}  // namespace cutwater::splice
