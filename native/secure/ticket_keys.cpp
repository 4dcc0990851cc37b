#include "secure/ticket_keys.hpp"

#include <openssl/core_names.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "record/hkdf.hpp"

namespace cutwater::secure {

namespace {

constexpr std::uint64_t kMinPeriodUs =
    3'600ULL * 1'000'000;             // an hour: keys are cheap, a stolen one should open little
constexpr std::size_t kIvBytes = 16;  // one AES block
constexpr std::uint64_t kMostPeriods = 1'000;  // of silence that are walked through one by one; beyond, nobody waits for those keys
constexpr std::string_view kPurpose = "cutwater ticket keys 1";

int set_mac_key(EVP_MAC_CTX* mac, Bytes key) noexcept {
  char digest[] = "SHA256";
  OSSL_PARAM params[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, const_cast<std::uint8_t*>(key.data()), key.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0), OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, params);
}

template <std::size_t N>
Secret<N> expand(Bytes seed, std::string_view label) noexcept {
  std::array<std::uint8_t, N> bytes;
  // Lengths are constants well within what HKDF allows.
  if (!record::hkdf_expand_label(record::Hash::sha256, seed, label, {}, bytes)) std::abort();
  Secret<N> secret{bytes};
  wipe(bytes.data(), bytes.size());
  return secret;
}

}  // namespace

TicketKeys::TicketKeys(std::function<Tick()> clock)
    : clock_(std::move(clock)), aes_(EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr)), period_us_(kMinPeriodUs) {
  begin_afresh(clock_());
}

void TicketKeys::keep_at_least(std::uint32_t lifetime_s) noexcept {
  const std::lock_guard lock(mutex_);
  period_us_ = std::max<std::uint64_t>(period_us_, lifetime_s * 1'000'000ULL);
}

int TicketKeys::prepare(unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                        bool is_sealing) noexcept {
  const Tick now = clock_();
  const std::lock_guard lock(mutex_);
  rotate(now);
  const Key* key = is_sealing ? &current_ : find(name);
  if (key == nullptr) return 0;
  if (is_sealing) {
    std::copy_n(key->expose().data(), kNameBytes, name);
    if (RAND_bytes(iv, kIvBytes) != 1) return -1;
  }
  const auto set_up = is_sealing ? EVP_EncryptInit_ex2 : EVP_DecryptInit_ex2;
  if (set_up(cipher, aes_.get(), key->expose().subspan(kNameBytes, 32).data(), iv, nullptr) != 1) return -1;
  if (set_mac_key(mac, key->expose().subspan(kNameBytes + 32)) != 1) return -1;
  return key == &previous_ ? 2 : 1;
}

std::vector<std::uint8_t> TicketKeys::seal(const SealKey& key) {
  std::array<std::uint8_t, 8 + kSeedBytes + kKeyBytes> state;
  {
    const Tick now = clock_();
    const std::lock_guard lock(mutex_);
    rotate(now);
    store_be64(state.data(), sealing_since_.us);
    std::copy_n(seed_.expose().data(), kSeedBytes, state.data() + 8);
    std::copy_n(previous_.expose().data(), kKeyBytes, state.data() + 8 + kSeedBytes);
  }
  std::vector<std::uint8_t> sealed = seal_box(key, kPurpose, state);
  wipe(state.data(), state.size());
  return sealed;
}

bool TicketKeys::restore(Bytes sealed, const SealKey& key) noexcept {
  std::array<std::uint8_t, 8 + kSeedBytes + kKeyBytes> state;
  if (!open_box(key, kPurpose, sealed, state)) return false;
  const Tick now = clock_();
  const Tick since{std::min(load_be64(state.data()), now.us)};  // a clock that began anew: the key seals for longer, at most a period
  const Bytes rest = Bytes{state}.subspan(8);
  {
    const std::lock_guard lock(mutex_);
    begin(Seed{rest.first(kSeedBytes)}, Key{rest.subspan(kSeedBytes)}, since);
  }
  wipe(state.data(), state.size());
  return true;
}

TicketKeys::Key TicketKeys::key_of(const Seed& seed) noexcept { return expand<kKeyBytes>(seed.expose(), "ticket key"); }

TicketKeys::Seed TicketKeys::after(const Seed& seed) noexcept { return expand<kSeedBytes>(seed.expose(), "ticket seed"); }

/// Requires: the lock, but in the constructor.
void TicketKeys::begin(Seed seed, Key previous, Tick since) noexcept {
  seed_ = std::move(seed);
  next_seed_ = after(seed_);
  previous_ = std::move(previous);
  current_ = key_of(seed_);
  next_ = key_of(next_seed_);
  sealing_since_ = since;
}

void TicketKeys::begin_afresh(Tick now) noexcept {
  std::array<std::uint8_t, kSeedBytes + kKeyBytes> random;
  // Predictable ticket keys would undo every session; without randomness there is no TLS at all.
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) std::abort();
  begin(Seed{Bytes{random}.first(kSeedBytes)}, Key{Bytes{random}.subspan(kSeedBytes)}, now);
  wipe(random.data(), random.size());
}

void TicketKeys::rotate(Tick now) noexcept {
  const std::uint64_t periods = (now - sealing_since_) / period_us_;
  if (periods > kMostPeriods) return begin_afresh(now);
  for (std::uint64_t n = 0; n < periods; ++n) begin(std::move(next_seed_), std::move(current_), sealing_since_ + period_us_);
}

/// Returns: nullptr when no key has that name.
const TicketKeys::Key* TicketKeys::find(const unsigned char* name) const noexcept {
  for (const Key* key : {&current_, &previous_, &next_}) {
    if (std::equal(name, name + kNameBytes, key->expose().data())) return key;
  }
  return nullptr;
}

}  // namespace cutwater::secure
