// The keys that seal session tickets, for every service and thread of the process: a current one; the one before it, so that a
// ticket lives its whole life through a rotation; and the one after it, so that tickets of whoever shares the keys and whose clock
// is ahead are opened too. Each comes from a seed that the next seed is made from: who learns one cannot go back, and a process
// that takes another's place goes on where that one was (docs/secure-processors.md, "Ticket keys").
// Thread: any (one lock, held for a copy). Implements: H6, H7.
#pragma once

#include <openssl/evp.h>

#include <functional>
#include <mutex>
#include <vector>

#include "base/secret.hpp"
#include "base/tick.hpp"
#include "secure/openssl_ptr.hpp"
#include "secure/seal_box.hpp"

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

  /// All that a successor with the same clock needs, for somebody to keep who must not read it.
  std::vector<std::uint8_t> seal(const SealKey& key);
  /// Goes on from what was sealed. Returns: false when it was not, or with another key; then nothing has changed.
  bool restore(Bytes sealed, const SealKey& key) noexcept;

 private:
  static constexpr std::size_t kNameBytes = 16, kKeyBytes = kNameBytes + 32 + 32, kSeedBytes = 32;
  using Key = Secret<kKeyBytes>;  // name, AES-256 key, HMAC key
  using Seed = Secret<kSeedBytes>;
  static Key key_of(const Seed& seed) noexcept;
  static Seed after(const Seed& seed) noexcept;
  void begin(Seed seed, Key previous, Tick since) noexcept;
  void begin_afresh(Tick now) noexcept;
  void rotate(Tick now) noexcept;
  [[nodiscard]] const Key* find(const unsigned char* name) const noexcept;

  std::function<Tick()> clock_;
  CipherPtr aes_;
  std::mutex mutex_;  // guards what follows
  Seed next_seed_;
  Seed seed_;  // of the current key
  Key previous_, current_, next_;
  Tick sealing_since_{};
  std::uint64_t period_us_;
};

}  // namespace cutwater::secure
