// Retransmission timer of bytes the device answers for. Source: RFC 6298; the floor is Linux's 200 ms, not the RFC's second,
// because that is what the ends of the connection use among themselves.
// Thread: owning worker.
#pragma once

#include <algorithm>

#include "base/tick.hpp"

namespace cutwater::splice {

class Rto {
 public:
  static constexpr std::uint32_t kMinUs = 200'000, kMaxUs = 60'000'000, kInitialUs = 1'000'000;  // RFC 6298 2.1, 2.4, 2.5
  static constexpr std::uint8_t kMaxRetries = 8;  // about 100 s with doubling from 400 ms (RFC 9293 3.8.3 R2)

  void sample(std::uint64_t rtt_us) noexcept {
    const auto rtt = static_cast<std::int64_t>(std::min<std::uint64_t>(rtt_us, kMaxUs));
    if (smoothed_us_ == 0) {
      smoothed_us_ = static_cast<std::uint32_t>(std::max<std::int64_t>(rtt, 1));
      variation_us_ = static_cast<std::uint32_t>(rtt / 2);
    } else {
      const std::int64_t error = rtt - smoothed_us_;
      const std::int64_t magnitude = error < 0 ? -error : error;
      variation_us_ = static_cast<std::uint32_t>((3 * std::int64_t{variation_us_} + magnitude) / 4);
      smoothed_us_ = static_cast<std::uint32_t>(std::max<std::int64_t>(smoothed_us_ + error / 8, 1));
    }
    progress();
  }
  /// Counts an expiry. Returns: false when it is time to give up.
  bool back_off() noexcept {
    if (retries_ < kMaxRetries) ++retries_;
    return ++unanswered_ <= kMaxRetries;
  }
  /// The peer is there, but nothing has moved: the interval stays long, the patience begins anew.
  void answered() noexcept { unanswered_ = 0; }
  void progress() noexcept { retries_ = unanswered_ = 0; }
  [[nodiscard]] std::uint64_t interval_us() const noexcept {
    const std::uint64_t base =
        smoothed_us_ == 0 ? kInitialUs : std::max<std::uint64_t>(smoothed_us_ + 4ULL * variation_us_, kMinUs);
    return std::min<std::uint64_t>(base << std::min<std::uint8_t>(retries_, 8), kMaxUs);
  }
  [[nodiscard]] std::uint32_t smoothed_us() const noexcept { return smoothed_us_; }
  [[nodiscard]] std::uint8_t retries() const noexcept { return retries_; }

 private:
  std::uint32_t smoothed_us_ = 0, variation_us_ = 0;
  std::uint8_t retries_ = 0;     // expiries since anything moved, for the interval
  std::uint8_t unanswered_ = 0;  // expiries since anything was heard
};

}  // namespace cutwater::splice
