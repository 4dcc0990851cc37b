// Failed handshakes of each service: how many for which reason, and the last few of them. Bounded: a ring of samples each, and a
// sample at most every millisecond, so that a flood of refusals costs counts.
// Thread: owning worker; the control side reads it by the worker's mailbox. Used by: path/, engine/.
#pragma once

#include <algorithm>
#include <array>
#include <memory>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/tick.hpp"
#include "secure/job.hpp"

namespace cutwater::path {

/// Text of bounded length; what a stranger sent becomes printable ASCII.
template <std::size_t kBytes>
class ShortText {
 public:
  void assign(std::string_view text) noexcept {
    size_ = static_cast<std::uint8_t>(std::min(text.size(), kBytes));
    for (std::size_t i = 0; i < size_; ++i) text_[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
  }
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  static_assert(kBytes < 256);
  std::array<char, kBytes> text_{};
  std::uint8_t size_ = 0;
};

struct FailureSample {
  Tick at = {};
  IpAddress client = {};
  std::uint16_t client_port = 0;
  secure::HandshakeFailure reason = secure::HandshakeFailure::none;
  std::uint8_t alert = 0;          // sent or received; 0: none
  ShortText<63> server_name = {};  // SNI, when so much of the hello was read
  ShortText<95> detail = {};       // what the TLS library said of it
};

class ServiceFailures {
 public:
  static constexpr std::size_t kSamples = 16;

  void add(const FailureSample& sample) noexcept {
    ++counts_[static_cast<std::size_t>(sample.reason)];
    if (taken_ != 0 && sample.at - samples_[(taken_ - 1) % kSamples].at < kSampleEveryUs) return;
    samples_[taken_++ % kSamples] = sample;
  }
  [[nodiscard]] std::uint64_t count(std::size_t reason) const noexcept { return counts_[reason]; }
  /// Newest first.
  template <class Visit>
  void each_sample(Visit visit) const {
    for (std::uint64_t i = taken_; i > 0 && taken_ - i < kSamples; --i) visit(samples_[(i - 1) % kSamples]);
  }

 private:
  static constexpr std::uint64_t kSampleEveryUs = 1000;
  std::array<std::uint64_t, secure::kHandshakeFailures> counts_{};
  std::array<FailureSample, kSamples> samples_{};
  std::uint64_t taken_ = 0;
};

/// By service ID; nullptr: none is called so.
using FailureBook = std::vector<std::unique_ptr<ServiceFailures>>;

}  // namespace cutwater::path
