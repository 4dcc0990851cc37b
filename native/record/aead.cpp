#include "record/aead.hpp"

#include <utility>

#include "record/backends.hpp"

namespace cutwater::record {

namespace {

Opened refused(MutableBytes plaintext, Alert alert) noexcept {
  if (!plaintext.empty()) wipe(plaintext.data(), plaintext.size());
  return {.status = Opened::Status::bad_shape, .alert = alert};
}

// How many bytes remain when the zeros at the end are cut: the last of them is the type. Eight at a time, because a client
// may send records that are nearly all padding. Plain time is fine: the plaintext is authentic, and padding is the sender's.
std::size_t without_padding(Bytes plaintext) noexcept {
  std::size_t end = plaintext.size();
  for (std::uint64_t word = 0; end >= 8; end -= 8) {
    std::memcpy(&word, plaintext.data() + end - 8, 8);
    if (word != 0) break;
  }
  while (end != 0 && plaintext[end - 1] == 0) --end;
  return end;
}

bool is_inner_type(std::uint8_t type) noexcept {
  return type >= static_cast<std::uint8_t>(ContentType::alert) &&
         type <= static_cast<std::uint8_t>(ContentType::application_data);
}

}  // namespace

void ExpandedKey::clear() noexcept {
  if (release != nullptr) release(*this);
  release = nullptr;
  suite = nullptr;
  functions = nullptr;
  wipe(space.data(), space.size());
}

void OpenStream::clear() noexcept {
  if (release != nullptr) release(*this);
  release = nullptr;
  wipe(state.data(), state.size());
}

void OpenStream::take(OpenStream& other) noexcept {
  state = other.state;
  release = std::exchange(other.release, nullptr);  // what the state points to has one owner
  wipe(other.state.data(), other.state.size());
}

Opened read_inner(const Suite& suite, ContentType outer_type, MutableBytes plaintext) noexcept {
  auto type = outer_type;
  auto fragment = plaintext;
  if (suite.version == Version::tls13) {
    if (outer_type != ContentType::application_data) return refused(plaintext, Alert::unexpected_message);
    // The limit holds with padding counted: TLSInnerPlaintext is at most 2^14 + 1 bytes (RFC 9846 5.4).
    if (plaintext.size() > kMaxFragmentBytes + 1) return refused(plaintext, Alert::record_overflow);
    const std::size_t end = without_padding(plaintext);
    if (end == 0 || !is_inner_type(plaintext[end - 1])) return refused(plaintext, Alert::unexpected_message);
    type = static_cast<ContentType>(plaintext[end - 1]);
    fragment = plaintext.first(end - 1);
  } else if (plaintext.size() > kMaxFragmentBytes) {
    return refused(plaintext, Alert::record_overflow);
  }
  if (fragment.empty() && type != ContentType::application_data) return refused(plaintext, Alert::unexpected_message);
  return {.status = Opened::Status::ok, .type = type, .fragment = fragment};
}

const Aead* find_aead(std::string_view name) noexcept {
  for (const Aead* aead : {ipsecmb_aead(), openssl_aead()}) {
    if (aead != nullptr && aead->name == name) return aead;
  }
  return nullptr;
}

const Aead& default_aead() noexcept {
  const Aead* const fast = ipsecmb_aead();
  return fast != nullptr ? *fast : *openssl_aead();
}

}  // namespace cutwater::record
