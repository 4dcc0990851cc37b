#include "secure/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <algorithm>
#include <cstdlib>

namespace cutwater::secure {

namespace {

constexpr std::uint64_t kMinPeriodUs =
    3'600ULL * 1'000'000;             // an hour: keys are cheap, a stolen one should open little
constexpr std::size_t kIvBytes = 16;  // one AES block

int set_mac_key(EVP_MAC_CTX* mac, Bytes key) noexcept {
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key.data()), key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, params);
}

}  // namespace

TicketKeys::TicketKeys(std::function<Tick()> clock)
    : clock_(std::move(clock)),
      aes_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)),
      current_(make_key()),
      previous_(make_key()),
      sealing_since_(clock_()),
      period_us_(kMinPeriodUs) {}

void TicketKeys::keep_at_least(std::uint32_t lifetime_s) noexcept {
  const std::lock_guard lock(mutex_);
  period_us_ = std::max<std::uint64_t>(period_us_, lifetime_s * 1'000'000ULL);
}

int TicketKeys::prepare(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        bool is_sealing) noexcept {
  const Tick now = clock_();
  const std::lock_guard lock(mutex_);
  rotate(now);
  const Key* key = &current_;
  int verdict = 1;
  if (is_sealing) {
    std::copy(current_.name.begin(), current_.name.end(), name);
    if (RAND_bytes(iv, kIvBytes) != 1) return -1;
  } else if (!std::equal(current_.name.begin(), current_.name.end(), name)) {
    if (!std::equal(previous_.name.begin(), previous_.name.end(), name)) return 0;
    key = &previous_;
    verdict = 2;
  }
  const auto set_up = is_sealing ? EVP_EncryptInit_ex2 : EVP_DecryptInit_ex2;
  if (set_up(cipher, aes_.get(), key->cipher.expose().data(), iv, nullptr) != 1) return -1;
  return set_mac_key(mac, key->mac.expose()) == 1 ? verdict : -1;
}

TicketKeys::Key TicketKeys::make_key() const noexcept {
  std::array<std::uint8_t, kNameBytes + 64> random;
  // Predictable ticket keys would undo every session; without randomness there is no TLS at all.
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) std::abort();
  Key key;
  std::copy_n(random.begin(), kNameBytes, key.name.begin());
  key.cipher.assign(Bytes{random}.subspan(kNameBytes, 32));
  key.mac.assign(Bytes{random}.subspan(kNameBytes + 32, 32));
  wipe(random.data(), random.size());
  return key;
}

void TicketKeys::rotate(Tick now) noexcept {
  const std::uint64_t age_us = now - sealing_since_;
  if (age_us < period_us_) return;
  // After two periods of silence even the current key has outlived every ticket it sealed.
  previous_ = age_us < 2 * period_us_ ? std::move(current_) : make_key();
  current_ = make_key();
  sealing_since_ = now;
}

}  // namespace cutwater::secure
