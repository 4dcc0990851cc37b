#include "record/hkdf.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "base/secret.hpp"

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

using Digest = Secret<EVP_MAX_MD_SIZE>;

bool hmac(Hash hash, Bytes key, Bytes message, Digest& out) noexcept {
  std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest;
  unsigned int bytes = 0;
  const EVP_MD* const md = hash == Hash::sha256 ? EVP_sha256() : EVP_sha384();
  const bool is_done = HMAC(md, key.data(), static_cast<int>(key.size()), message.data(), message.size(), digest.data(), &bytes) != nullptr;
  out.assign({digest.data(), is_done ? bytes : 0});
  wipe(digest.data(), digest.size());
  return is_done;
}

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
    if (!message.is_whole() || counter == 0 || !hmac(hash, secret, message.view(), block)) {
      wipe(out.data(), out.size());
      return false;
    }
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
  Digest a, block;  // A(i) of RFC 5246 5, and the output block it gives
  bool is_right = first.is_whole() && hmac(hash, secret, first.view(), a);
  for (MutableBytes rest = out; is_right && !rest.empty();) {
    message.restart();
    message.add(a.expose()).add(first.view());
    is_right = hmac(hash, secret, message.view(), block);
    rest = is_right ? fill(rest, block.expose()) : rest;
    if (is_right && !rest.empty()) {
      message.restart();
      message.add(a.expose());
      is_right = hmac(hash, secret, message.view(), a);
    }
  }
  if (!is_right) wipe(out.data(), out.size());
  return is_right;
}

}  // namespace cutwater::record
