#include "invariants/record_reader.hpp"

#include <openssl/hmac.h>

#include <algorithm>
#include <array>

namespace cutwater::invariants {
namespace {

constexpr std::size_t kHeader = 5, kTag = 16;
constexpr std::size_t kMaxBody = 16'384 + 256;
using Buffer = std::vector<std::uint8_t>;

struct SuiteFacts {
  const EVP_CIPHER* cipher;
  const EVP_MD* hash;
  std::size_t key_bytes;
  bool is_chacha;
};

SuiteFacts facts_of(std::uint16_t suite) {
  switch (suite) {
    case 0x1302:
    case 0xc02c:
    case 0xc030: return {EVP_aes_256_gcm(), EVP_sha384(), 32, false};
    case 0x1303:
    case 0xcca8:
    case 0xcca9: return {EVP_chacha20_poly1305(), EVP_sha256(), 32, true};
    default: return {EVP_aes_128_gcm(), EVP_sha256(), 16, false};
  }
}

Buffer hmac(const EVP_MD* hash, Bytes key, Bytes data) {
  Buffer out(EVP_MAX_MD_SIZE);
  unsigned length = 0;
  HMAC(hash, key.data(), static_cast<int>(key.size()), data.data(), data.size(), out.data(), &length);
  out.resize(length);
  return out;
}

/// RFC 9846 7.1 for outputs of one hash block, which is all that record keys need.
Buffer expand_label(const EVP_MD* hash, Bytes secret, std::string_view label, std::size_t bytes) {
  Buffer info{static_cast<std::uint8_t>(bytes >> 8), static_cast<std::uint8_t>(bytes), static_cast<std::uint8_t>(6 + label.size())};
  for (const char c : std::string_view{"tls13 "}) info.push_back(static_cast<std::uint8_t>(c));
  for (const char c : label) info.push_back(static_cast<std::uint8_t>(c));
  info.insert(info.end(), {0, 1});
  auto out = hmac(hash, secret, info);
  out.resize(bytes);
  return out;
}

/// RFC 5246 5, with "key expansion".
Buffer key_expansion(const EVP_MD* hash, Bytes master, Bytes server_random, Bytes client_random, std::size_t bytes) {
  Buffer seed;
  for (const char c : std::string_view{"key expansion"}) seed.push_back(static_cast<std::uint8_t>(c));
  seed.insert(seed.end(), server_random.begin(), server_random.end());
  seed.insert(seed.end(), client_random.begin(), client_random.end());
  Buffer out, a = seed;
  while (out.size() < bytes) {
    a = hmac(hash, master, a);
    Buffer input = a;
    input.insert(input.end(), seed.begin(), seed.end());
    const auto block = hmac(hash, master, input);
    out.insert(out.end(), block.begin(), block.end());
  }
  return out;
}

}  // namespace

void RecordReader::learn(const sim::Agreement& agreement) {
  if (agreement.suite == 0 || suite_ != 0) return;
  is_tls13_ = agreement.is_tls13;
  suite_ = agreement.suite;
  server_random_ = agreement.server_random;
}

void RecordReader::read(Bytes stream, const std::vector<sim::LoggedSecret>& secrets) {
  while (trouble_.empty() && stream.size() >= at_ + kHeader) {
    const auto rest = stream.subspan(at_);
    const std::size_t body = load_be16(rest.data() + 3);
    const auto type = rest[0];
    if (type < 20 || type > 23 || rest[1] != 3 || rest[2] > 3 || body > kMaxBody || body == 0) {
      trouble_ = "no TLS record at stream position " + std::to_string(at_);
      return;
    }
    if (rest.size() < kHeader + body) return;
    const ReadRecord before{at_, at_ + kHeader + body, plain_, plain_, is_protected_ ? epoch_ : 0, number_, type};
    records_.push_back(before);
    const auto index = records_.size() - 1;
    if (take_record(rest.first(kHeader + body), secrets) == Progress::waits) {
      records_.pop_back();
      return;
    }
    records_[index].plain_end = plain_;
    at_ += kHeader + body;
  }
}

std::uint64_t RecordReader::cipher_end_for(std::uint64_t plain) const noexcept {
  std::uint64_t end = 0;
  for (auto r = records_.rbegin(); r != records_.rend(); ++r) {
    if (r->plain_end > r->plain_begin && r->plain_end <= plain) {
      end = r->cipher_end;
      break;
    }
  }
  return end;
}

RecordReader::Progress RecordReader::take_record(Bytes record, const std::vector<sim::LoggedSecret>& secrets) {
  const auto type = record[0];
  const auto body = record.subspan(kHeader);
  if (type == 20) {
    if (body.size() != 1 || body[0] != 1) trouble_ = "a malformed ChangeCipherSpec";
    if (!is_tls13_ && suite_ != 0) is_protected_ = needs_secret_ = true;
    return Progress::done;
  }
  // A client's hellos, of which there may be two, are in clear, and all that follows is not.
  if (part_ == Part::client && is_tls13_ && !is_protected_ && type == 23) is_protected_ = needs_secret_ = true;
  if (is_tls13_ && is_protected_ && type != 23) {
    trouble_ = "a record in clear (type " + std::to_string(type) + ") behind the ServerHello, at " + std::to_string(at_);
    return Progress::done;
  }
  if (is_protected_) return open(record, secrets);
  if (type == 23) trouble_ = "application data before the keys, at " + std::to_string(at_);
  else take_content(type, body);
  return Progress::done;
}

RecordReader::Progress RecordReader::open(Bytes record, const std::vector<sim::LoggedSecret>& secrets) {
  if (needs_secret_) {
    if (!is_tls13_) {
      if (!install_tls12(secrets)) return Progress::waits;
    } else {
      const std::string label = std::string{part_ == Part::server ? "SERVER" : "CLIENT"} + (is_application_epoch_ ? "_TRAFFIC_SECRET_0" : "_HANDSHAKE_TRAFFIC_SECRET");
      const auto found = std::find_if(secrets.begin(), secrets.end(), [&](const auto& s) { return s.label == label; });
      if (found == secrets.end()) return Progress::waits;
      install(found->secret);
    }
  }
  if (!decrypt(key_, number_, record)) {
    blame(record);
    return Progress::done;
  }
  const bool has_explicit_nonce = !is_tls13_ && !facts_of(suite_).is_chacha;
  if (has_explicit_nonce && !explicit_nonces_.insert(load_be64(record.data() + kHeader)).second) {
    trouble_ = "I3: explicit nonce used twice, record " + std::to_string(number_);
    return Progress::done;
  }
  records_.back().key = key_;
  if (!audit_.note(key_, number_, record)) {
    trouble_ = "I3: another ciphertext under record number " + std::to_string(number_);
    return Progress::done;
  }
  records_.back().epoch = epoch_;
  records_.back().number = number_++;
  auto type = record[0];
  Bytes content{opened_};
  if (is_tls13_) {
    while (!content.empty() && content.back() == 0) content = content.first(content.size() - 1);
    if (content.empty()) {
      trouble_ = "a record of nothing but padding, at " + std::to_string(at_);
      return Progress::done;
    }
    type = content.back();
    content = content.first(content.size() - 1);
  }
  records_.back().type = type;
  take_content(type, content);
  return Progress::done;
}

/// Opens a record into opened_. An explicit nonce that has been there before is trouble by itself.
bool RecordReader::decrypt(NonceAudit::Key key, std::uint64_t number, Bytes record) {
  const auto facts = facts_of(suite_);
  const bool has_explicit_nonce = !is_tls13_ && !facts.is_chacha;
  const auto front = kHeader + (has_explicit_nonce ? 8U : 0U);
  if (record.size() < front + kTag) return false;
  const auto& used = keys_.at(key);
  const auto cipher = record.subspan(front, record.size() - front - kTag);
  std::array<std::uint8_t, 12> nonce{};
  std::array<std::uint8_t, 8> counted{};
  store_be64(counted.data(), number);
  std::copy(used.iv.begin(), used.iv.end(), nonce.begin());
  if (has_explicit_nonce) {
    std::copy_n(record.data() + kHeader, 8, nonce.begin() + 4);
  } else {
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] ^= counted[i];
  }
  Buffer aad(record.begin(), record.begin() + kHeader);
  if (!is_tls13_) {
    aad.insert(aad.begin(), counted.begin(), counted.end());
    store_be16(aad.data() + 11, static_cast<std::uint16_t>(cipher.size()));
  }
  opened_.resize(cipher.size());
  Buffer tag(record.end() - kTag, record.end());
  int length = 0;
  return EVP_DecryptInit_ex(context_, nullptr, nullptr, nullptr, nonce.data()) == 1 &&
         EVP_DecryptUpdate(context_, nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1 &&
         EVP_DecryptUpdate(context_, opened_.data(), &length, cipher.data(), static_cast<int>(cipher.size())) == 1 &&
         EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kTag, tag.data()) == 1 &&
         EVP_DecryptFinal_ex(context_, opened_.data() + cipher.size(), &length) == 1;
}

/// A record that does not open as it should: does it open under a key and number that were used before?
void RecordReader::blame(Bytes record) {
  constexpr std::size_t kMostTries = 4'000;
  trouble_ = "record " + std::to_string(number_) + " of epoch " + std::to_string(epoch_) + " does not open, at " + std::to_string(at_);
  std::size_t tries = 0;
  audit_.each([&](NonceAudit::Key key, std::uint64_t number) {
    if (key != key_) EVP_DecryptInit_ex(context_, nullptr, nullptr, keys_.at(key).key.data(), nullptr);
    const bool is_it = decrypt(key, number, record);
    if (is_it) trouble_ = "I3: record number " + std::to_string(number) + " used a second time, at " + std::to_string(at_);
    return !is_it && ++tries < kMostTries;
  });
}

void RecordReader::audit(std::uint64_t begin, Bytes bytes) {
  const auto end = begin + bytes.size();
  auto r = std::lower_bound(records_.begin(), records_.end(), begin, [](const ReadRecord& record, std::uint64_t at) { return record.cipher_begin < at; });
  for (; r != records_.end() && r->cipher_end <= end; ++r) {
    if (r->epoch == 0 || r->key == 0) continue;
    const auto record = bytes.subspan(r->cipher_begin - begin, r->cipher_end - r->cipher_begin);
    if (!audit_.note(r->key, r->number, record)) trouble_ = "I3: another ciphertext under record number " + std::to_string(r->number) + ", sent again";
  }
}

void RecordReader::take_content(std::uint8_t type, Bytes content) {
  if (close_notify_) trouble_ = "a record behind close_notify";
  switch (type) {
    case 21:
      if (content.size() != 2) trouble_ = "a malformed alert";
      else if (content[0] == 1 && content[1] == 0) close_notify_ = true;
      else fatal_alert_ = true;
      break;
    case 22: take_handshake(content); break;
    case 23:
      if (is_tls13_ && !is_application_epoch_) trouble_ = "application data under handshake keys";
      on_data_(plain_, content);
      plain_ += content.size();
      break;
    default: trouble_ = "inner type " + std::to_string(type);
  }
}

void RecordReader::take_handshake(Bytes content) {
  handshake_.insert(handshake_.end(), content.begin(), content.end());
  while (handshake_.size() >= 4 && trouble_.empty()) {
    const std::size_t length = load_be24(handshake_.data() + 1);
    if (handshake_.size() < 4 + length) return;
    const Buffer message(handshake_.begin() + 4, handshake_.begin() + 4 + static_cast<std::ptrdiff_t>(length));
    const auto type = handshake_[0];
    handshake_.erase(handshake_.begin(), handshake_.begin() + 4 + static_cast<std::ptrdiff_t>(length));
    if (type == 2 && part_ == Part::server && !is_protected_) take_server_hello(message);
    if (type == 20 && is_tls13_) is_application_epoch_ = needs_secret_ = true;
    if (type == 24 && is_tls13_) install(expand_label(facts_of(suite_).hash, secret_, "traffic upd", secret_.size()));
  }
}

void RecordReader::take_server_hello(Bytes m) {
  static constexpr std::array<std::uint8_t, 4> kRetryStart{0xcf, 0x21, 0xad, 0x74};  // RFC 9846 4.1.3: a HelloRetryRequest's random
  if (m.size() < 38 || m.size() < 38U + m[34]) {
    trouble_ = "a malformed ServerHello";
    return;
  }
  if (std::equal(kRetryStart.begin(), kRetryStart.end(), m.begin() + 2)) return;
  server_random_.assign(m.begin() + 2, m.begin() + 34);
  std::size_t at = 35U + m[34];
  suite_ = load_be16(m.data() + at);
  at += 5;  // suite, compression, length of extensions
  while (at + 4 <= m.size()) {
    const auto kind = load_be16(m.data() + at);
    const std::size_t length = load_be16(m.data() + at + 2);
    if (kind == 43 && length == 2 && at + 6 <= m.size() && load_be16(m.data() + at + 4) == 0x0304) is_tls13_ = true;
    at += 4 + length;
  }
  if (is_tls13_) is_protected_ = needs_secret_ = true;
}

void RecordReader::install(std::vector<std::uint8_t> secret) {
  const auto facts = facts_of(suite_);
  secret_ = std::move(secret);
  iv_ = expand_label(facts.hash, secret_, "iv", 12);
  use_key(expand_label(facts.hash, secret_, "key", facts.key_bytes));
}

bool RecordReader::install_tls12(const std::vector<sim::LoggedSecret>& secrets) {
  const auto found = std::find_if(secrets.begin(), secrets.end(), [](const auto& s) { return s.label == "CLIENT_RANDOM"; });
  if (found == secrets.end()) return false;
  const auto facts = facts_of(suite_);
  const std::size_t iv_bytes = facts.is_chacha ? 12 : 4;
  const auto block = key_expansion(facts.hash, found->secret, server_random_, found->client_random, 2 * (facts.key_bytes + iv_bytes));
  const std::size_t before = part_ == Part::server ? 1 : 0;  // the client's come first
  const auto key = Bytes{block}.subspan(before * facts.key_bytes, facts.key_bytes);
  const auto iv = Bytes{block}.subspan(2 * facts.key_bytes + before * iv_bytes, iv_bytes);
  iv_.assign(iv.begin(), iv.end());
  use_key(key);
  return true;
}

void RecordReader::use_key(Bytes key) {
  if (context_ == nullptr) context_ = EVP_CIPHER_CTX_new();
  EVP_DecryptInit_ex(context_, facts_of(suite_).cipher, nullptr, key.data(), nullptr);
  Buffer named(key.begin(), key.end());
  named.insert(named.end(), iv_.begin(), iv_.end());
  key_ = NonceAudit::hash(named);
  keys_[key_] = {.key = Buffer(key.begin(), key.end()), .iv = iv_};
  needs_secret_ = false;
  ++epoch_;
  number_ = 0;
  explicit_nonces_.clear();
}

}  // namespace cutwater::invariants
