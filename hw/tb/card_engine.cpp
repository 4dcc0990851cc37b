#include "tb/card_engine.hpp"

#include <algorithm>
#include <cstring>

namespace cutwater::hw::tb {

namespace {

using Operation = record::EngineJob::Operation;

KeySize key_size_of(record::Cipher cipher) noexcept {
  switch (cipher) {
    case record::Cipher::aes_128_gcm: return KeySize::aes_128;
    case record::Cipher::aes_256_gcm: return KeySize::aes_256;
    case record::Cipher::chacha20_poly1305: break;
  }
  return static_cast<KeySize>(0xff);  // the card has no such cipher, and says so
}

RecordJob descriptor(const record::EngineJob& job, JobId id) noexcept {
  const record::Suite& suite = *job.key->suite;
  RecordJob out{};
  std::memcpy(out.key.items, job.keys->key.data(), job.keys->key.size());
  std::memcpy(out.iv.items, job.keys->iv.data(), job.keys->iv.size());
  out.number = job.number;
  out.key_size = key_size_of(suite.cipher);
  out.version = suite.version == record::Version::tls13 ? RecordVersion::tls_1_3 : RecordVersion::tls_1_2;
  out.id = id;
  if (job.operation == Operation::seal) {
    out.type = static_cast<std::uint8_t>(job.type);
    out.bytes = job.size;
    return out;
  }
  out.type = job.bytes[0];
  out.wire_version = load_be16(job.bytes + 1);
  out.bytes = job.size - static_cast<std::uint32_t>(record::kHeaderBytes);
  if (suite.explicit_nonce_bytes != 0 && job.size >= kFrontBytes) {
    std::memcpy(out.explicit_nonce.items, job.bytes + record::kHeaderBytes, kExplicitNonceBytes);
  }
  return out;
}

}  // namespace

bool CardEngine::submit(const record::EngineJob& job) noexcept {
  if (in_flight() == kCapacity) return false;
  const record::Suite& suite = *job.key->suite;
  Slot& to = slot(head_++);
  to = {.job = job, .completion = {.user = job.user, .operation = job.operation}};
  if (job.operation == Operation::seal) {
    to.in_bytes = job.size;
    to.out_bytes = job.size + suite.trailer_bytes;
  } else {
    to.text_at = std::min<std::size_t>(suite.front_bytes(), job.size);
    to.in_bytes = job.size - to.text_at;
  }
  return true;
}

std::size_t CardEngine::complete(std::span<record::EngineCompletion> out) noexcept {
  std::size_t done = 0;
  while (done < out.size() && in_flight() != 0) {
    const Slot& oldest = slot(tail_);
    if (!oldest.is_judged || !oldest.is_fed || oldest.written_bytes != oldest.out_bytes) break;
    out[done++] = oldest.completion;
    ++tail_;
  }
  return done;
}

void CardEngine::turn(unsigned clocks) noexcept {
  for (unsigned i = 0; i < clocks; ++i) {
    clock(seal_);
    clock(open_);
  }
}

void CardEngine::clock(Card& card) noexcept {
  ask(card);
  feed(card);
  card.top(card.jobs, card.in, card.out, card.completions);
  if (!card.completions.empty()) judge(card.completions.read());
  if (!card.out.empty()) write(card.out.read());
}

void CardEngine::pass_others(const Card& card, std::size_t& number) noexcept {
  while (number < head_ && slot(number).job.operation != card.operation) ++number;
}

void CardEngine::ask(Card& card) noexcept {
  pass_others(card, card.asking);
  if (card.asking == head_ || card.jobs.full()) return;
  card.jobs.write(descriptor(slot(card.asking).job, static_cast<JobId>(card.asking % kCapacity)));
  ++card.asking;
}

void CardEngine::feed(Card& card) noexcept {
  pass_others(card, card.feeding);
  if (card.feeding >= card.asking || card.in.full()) return;
  Slot& from = slot(card.feeding);
  const std::size_t bytes = std::min<std::size_t>(from.in_bytes - from.fed_bytes, kBlockBytes);
  InBlock block{};
  std::memcpy(block.data.items, from.job.bytes + from.text_at + from.fed_bytes, bytes);
  from.fed_bytes += bytes;
  from.is_fed = block.is_last = from.fed_bytes == from.in_bytes;
  card.in.write(block);
  if (from.is_fed) ++card.feeding;
}

void CardEngine::write(const OutBlock& block) noexcept {
  Slot& to = slots_[block.id];
  const std::size_t bytes = std::min<std::size_t>(to.out_bytes - to.written_bytes, kBlockBytes);
  std::memcpy(to.job.bytes + to.text_at + to.written_bytes, block.data.items, bytes);
  to.written_bytes += bytes;
}

void CardEngine::judge(const RecordCompletion& from) noexcept {
  Slot& to = slots_[from.id];
  const record::Suite& suite = *to.job.key->suite;
  to.is_judged = true;
  if (to.job.operation == Operation::seal) {
    if (from.status != RecordStatus::ok) to.out_bytes = to.written_bytes;
    if (from.status != RecordStatus::ok) return wipe(to.job.bytes, to.job.size);
    std::memcpy(to.job.bytes - suite.front_bytes(), from.front.items, suite.front_bytes());
    to.completion.sealed_bytes = suite.front_bytes() + from.bytes;
    return;
  }
  record::Opened& opened = to.completion.opened;
  opened.alert = static_cast<record::Alert>(from.alert);
  opened.status = from.status == RecordStatus::ok        ? record::Opened::Status::ok
                  : from.status == RecordStatus::bad_tag ? record::Opened::Status::bad_tag
                                                         : record::Opened::Status::bad_shape;
  if (from.status != RecordStatus::ok) {
    if (to.in_bytes >= record::kTagBytes) wipe(to.job.bytes + to.text_at, to.in_bytes - record::kTagBytes);
    return;
  }
  opened.alert = record::Alert::bad_record_mac;  // as software leaves it when there is nothing to tell
  opened.type = static_cast<record::ContentType>(from.type);
  opened.fragment = {to.job.bytes + to.text_at, from.bytes};
  to.out_bytes = from.bytes;
}

}  // namespace cutwater::hw::tb
