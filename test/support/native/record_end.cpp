#include "support/native/record_end.hpp"

#include "record/deframer.hpp"
#include "record/key_update.hpp"
#include "support/forged_record.hpp"

namespace cutwater::support {
namespace {

using record::ContentType;

const record::Aead& judge() {
  static const record::Aead& aead = *record::find_aead("openssl");
  return aead;
}

constexpr std::uint8_t kKeyUpdateMessage = 24;  // RFC 9846 4.7.3

}  // namespace

void RecordEnd::start(Way& way, std::uint8_t seed) {
  if (suite_->version == record::Version::tls13) {
    way.secret.assign(ByteVector(suite_->hash == record::Hash::sha384 ? 48 : 32, seed));
    way.keys = record::derive_keys(*suite_, way.secret);
    way.number = 0;
  } else {
    way.secret.assign({});
    way.keys.key.fill(seed);
    way.keys.iv.fill(static_cast<std::uint8_t>(seed + 1));
    way.number = 1;  // Finished had 0
  }
  judge().expand(*suite_, way.keys, way.key);
}

void RecordEnd::start(const record::Suite& suite, std::uint8_t own, std::uint8_t peer) {
  suite_ = &suite;
  start(own_, own), start(peer_, peer);
  partial_.clear(), heard_.clear();
}

void RecordEnd::update(Way& way) {
  way.secret = record::next_secret(*suite_, way.secret);
  way.keys = record::derive_keys(*suite_, way.secret);
  way.number = 0;
  judge().expand(*suite_, way.keys, way.key);
}

void RecordEnd::tell(secure::Established& e) const {
  e.suite = suite_;
  e.up_keys = own_.keys, e.down_keys = peer_.keys;
  e.up_secret.assign(own_.secret.expose()), e.down_secret.assign(peer_.secret.expose());
  e.up_number = own_.number, e.down_number = peer_.number;
}

ByteVector RecordEnd::write(ContentType type, Bytes fragment, std::size_t padding) {
  ByteVector inner(fragment.begin(), fragment.end());
  const bool is_tls13 = suite_->version == record::Version::tls13;
  if (is_tls13) {
    inner.push_back(static_cast<std::uint8_t>(type));
    inner.resize(inner.size() + padding);
  }
  const Forgery forgery{.number = own_.number, .outer_type = is_tls13 ? ContentType::application_data : type, .explicit_nonce = own_.number};
  ++own_.number;
  return forged_record(judge(), own_.key, own_.keys, forgery, inner);
}

ByteVector RecordEnd::update_keys(bool is_answer_wanted) {
  const auto message = record::emit_key_update(is_answer_wanted ? record::KeyUpdateRequest::requested : record::KeyUpdateRequest::not_requested);
  ByteVector bytes = write(ContentType::handshake, message);
  update(own_);
  return bytes;
}

bool RecordEnd::take(Bytes bytes) {
  partial_.insert(partial_.end(), bytes.begin(), bytes.end());
  std::size_t at = 0;
  for (;;) {
    const MutableBytes rest = MutableBytes(partial_).subspan(at);
    const record::NextRecord next = record::next_record(rest);
    if (next.status == record::NextRecord::Status::bad) return false;
    if (next.status != record::NextRecord::Status::complete) break;
    const std::size_t bytes_of_it = next.header.record_bytes();
    const record::Opened opened = judge().open(peer_.key, peer_.keys, peer_.number, rest.first(bytes_of_it));
    if (opened.status != record::Opened::Status::ok) return false;
    ++peer_.number;
    at += bytes_of_it;
    if (opened.type == ContentType::application_data) heard_.insert(heard_.end(), opened.fragment.begin(), opened.fragment.end());
    const bool is_update = suite_->version == record::Version::tls13 && opened.type == ContentType::handshake && opened.fragment[0] == kKeyUpdateMessage;
    if (is_update) update(peer_);
  }
  partial_.erase(partial_.begin(), partial_.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

}  // namespace cutwater::support
