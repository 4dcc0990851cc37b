#include "record/hkdf.hpp"

#include <algorithm>
#include <array>

#include "record/hmac.hpp"

namespace cutwater::record {

namespace {

/// Bytes put one behind the other in a fixed place, and wiped with it: what HMAC is to read in one call.
template <std::size_t N>
class Message {
 public:
  Message() noexcept = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;
  ~Message() { wipe(bytes_.data(), N); }

  Message& add(Bytes bytes) noexcept {
    is_whole_ = is_whole_ && bytes.size() <= N - size_;
    if (!is_whole_ || bytes.empty()) return *this;
    std::memcpy(bytes_.data() + size_, bytes.data(), bytes.size());
    size_ += bytes.size();
    return *this;
  }
  Message& add(std::string_view text) noexcept {
    return add(Bytes{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
  }
  Message& add(std::uint8_t byte) noexcept { return add(Bytes{&byte, 1}); }
  void restart() noexcept { size_ = 0; }

  [[nodiscard]] bool is_whole() const noexcept { return is_whole_; }  // false: something did not fit
  [[nodiscard]] Bytes view() const noexcept { return {bytes_.data(), size_}; }

 private:
  std::array<std::uint8_t, N> bytes_{};
  std::size_t size_ = 0;
  bool is_whole_ = true;
};

/// Copies as much of `block` as still fits. Returns: what of `out` is still to be filled.
MutableBytes fill(MutableBytes out, Bytes block) noexcept {
  const std::size_t n = std::min(out.size(), block.size());
  std::memcpy(out.data(), block.data(), n);
  return out.subspan(n);
}

}  // namespace

bool hkdf_expand(Hash hash, Bytes secret, Bytes info, MutableBytes out) noexcept {
  Message<kMaxHashBytes + 514 + 1> message;  // T(n-1), the longest HkdfLabel, the counter
  Digest block;
  MutableBytes rest = out;
  for (std::uint8_t counter = 1; !rest.empty(); ++counter) {
    message.restart();
    message.add(block.expose()).add(info).add(counter);
    if (!message.is_whole() || counter == 0) {
      wipe(out.data(), out.size());
      return false;
    }
    block = hmac(hash, secret, message.view());
    rest = fill(rest, block.expose());
  }
  return true;
}

bool hkdf_expand_label(Hash hash, Bytes secret, std::string_view label, Bytes context, MutableBytes out) noexcept {
  constexpr std::string_view kPrefix = "tls13 ";
  Message<514> info;  // two bytes of length, two vectors of at most 255 with a length byte each
  info.add(static_cast<std::uint8_t>(out.size() >> 8)).add(static_cast<std::uint8_t>(out.size()));
  info.add(static_cast<std::uint8_t>(kPrefix.size() + label.size())).add(kPrefix).add(label);
  info.add(static_cast<std::uint8_t>(context.size())).add(context);
  return info.is_whole() && hkdf_expand(hash, secret, info.view(), out);
}

bool prf_tls12(Hash hash, Bytes secret, std::string_view label, Bytes seed, MutableBytes out) noexcept {
  constexpr std::size_t kMaxLabelAndSeedBytes = 128;  // "key expansion" and two randoms are 77
  Message<kMaxLabelAndSeedBytes> first;
  first.add(label).add(seed);
  Message<kMaxHashBytes + kMaxLabelAndSeedBytes> message;
  if (!first.is_whole()) {
    wipe(out.data(), out.size());
    return false;
  }
  Digest a = hmac(hash, secret, first.view());  // A(i) of RFC 5246 5
  for (MutableBytes rest = out; !rest.empty(); a = hmac(hash, secret, a.expose())) {
    message.restart();
    message.add(a.expose()).add(first.view());
    rest = fill(rest, hmac(hash, secret, message.view()).expose());
  }
  return true;
}

}  // namespace cutwater::record
