// The keys that seal session tickets, for every service and thread of the process: a current one, and the one before
// it, so that a ticket lives its whole life through a rotation. Keys are random and never leave the process. Thread:
// any (one lock, held for a copy). Implements: H6.
#pragma once

#include <openssl/evp.h>

#include <array>
#include <functional>
#include <mutex>

#include "base/secret.hpp"
#include "base/tick.hpp"
#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

class TicketKeys {
 public:
  explicit TicketKeys(std::function<Tick()> clock);

  /// A key seals for at least this long, so that the previous one opens every ticket that is still alive.
  void keep_at_least(std::uint32_t lifetime_s) noexcept;

  /// Prepares the contexts of one ticket, in OpenSSL's terms: `is_sealing` makes `name` and `iv`, opening reads them.
  /// Returns: 1, 2 (opened by the previous key: the client should get a fresh ticket), 0 (not our key), -1.
  /// Source: RFC 5077 4 (AES-CBC and HMAC-SHA-256, here with 256-bit keys).
  int prepare(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
              bool is_sealing) noexcept;

 private:
  static constexpr std::size_t kNameBytes = 16;
  struct Key {
    std::array<std::uint8_t, kNameBytes> name{};
    Secret<32> cipher, mac;
  };
  Key make_key() const noexcept;
  void rotate(Tick now) noexcept;

  std::function<Tick()> clock_;
  CipherPtr aes_;
  std::mutex mutex_;  // guards what follows
  Key current_, previous_;
  Tick sealing_since_{};
  std::uint64_t period_us_;
};

}  // namespace cutwater::secure
