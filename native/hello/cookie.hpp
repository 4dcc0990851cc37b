// The cookie of a stateless HelloRetryRequest: all that is remembered of a first hello, carried by the client itself. Its form is
// OpenSSL 3's own, so that the TLS object of a secure processor that sees only the second hello rebuilds the transcript from it;
// inside lies our own proof, under a key that all workers share and that changes with time.
// Not here: the message it travels in (retry.hpp). Thread: owning worker. Implements: H3.
#pragma once

#include <array>
#include <optional>

#include "base/ip_address.hpp"
#include "base/secret.hpp"

namespace cutwater::hello {

inline constexpr std::size_t kCookieKeyBytes = 32, kProofBytes = 16, kMostHashBytes = 48;
inline constexpr std::size_t kMostCookieBytes = 17 + 2 + kMostHashBytes + 1 + kProofBytes + 32;

/// What the first hello led to, and when.
struct RetryMemory {
  std::uint16_t suite = 0, group = 0;
  bool asks_for_share = false;  // the HelloRetryRequest names the group
  std::uint64_t wall_s = 0;
  std::array<std::uint8_t, kMostHashBytes> hello_hash{};
  std::uint8_t hash_bytes = 0;
};

/// Who may use a cookie.
struct CookieOwner {
  IpAddress client;
  std::uint32_t service = 0;
};

class CookieKeys {
 public:
  /// `secret`: of all workers of this appliance. `processor_key`: what their TLS contexts authenticate cookies with.
  CookieKeys(Bytes secret, Bytes processor_key) noexcept;

  /// Returns: the cookie's length. Cost: two short HMACs.
  std::size_t seal(const RetryMemory& memory, const CookieOwner& owner, std::uint8_t* out) noexcept;
  /// Returns: nothing when it is not ours, somebody else's, or too old. Constant time where it matters.
  std::optional<RetryMemory> open(Bytes cookie, const CookieOwner& owner, std::uint64_t wall_s) noexcept;

 private:
  using Proof = std::array<std::uint8_t, kProofBytes>;
  Proof prove(Bytes memory, const CookieOwner& owner, std::uint64_t wall_s) noexcept;
  const Secret<kCookieKeyBytes>& key_of(std::uint64_t period) noexcept;

  Secret<kCookieKeyBytes> secret_, processor_key_;
  struct PeriodKey {
    std::uint64_t period = ~0ULL;
    Secret<kCookieKeyBytes> key;
  };
  std::array<PeriodKey, 2> keys_;  // of an even and of an odd period: the current one and the one before
};

}  // namespace cutwater::hello
