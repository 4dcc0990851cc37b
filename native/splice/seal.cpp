#include "splice/seal.hpp"

#include "record/alert.hpp"
#include "record/key_update.hpp"
#include "splice/emit.hpp"

namespace cutwater::splice {
namespace {

[[gnu::always_inline]] inline const record::ExpandedKey& seal_key(Resources& r, const Flow& f) noexcept {
  return r.keys.at({f.index, f.generation, f.down.epoch, record::KeyId::Direction::down}, *f.suite, f.down_keys);
}

// One short record in memory of its own. Its number is used up, whatever becomes of it.
std::vector<std::uint8_t> seal_short(Resources& r, Flow& f, record::ContentType type, Bytes fragment) {
  const std::size_t front = f.suite->front_bytes();
  std::vector<std::uint8_t> out(fragment.size() + f.suite->overhead_bytes());
  std::memcpy(out.data() + front, fragment.data(), fragment.size());
  if (r.aead.seal(seal_key(r, f), f.down_keys, f.down.number++, type, out.data() + front, fragment.size()) == 0) out.clear();
  return out;
}

std::vector<std::uint8_t> clear_alert(const std::array<std::uint8_t, record::kAlertBytes>& alert) {
  return {static_cast<std::uint8_t>(record::ContentType::alert), 3, 3, 0, record::kAlertBytes, alert[0], alert[1]};
}

}  // namespace

Sealed seal_next(Resources& r, Flow& f, std::uint8_t* fragment, std::uint32_t fragment_bytes) noexcept {
  Sealed out;
  out.number = f.down.number++;
  out.record = fragment - f.suite->front_bytes();
  out.record_bytes = static_cast<std::uint32_t>(
      r.aead.seal(seal_key(r, f), f.down_keys, out.number, record::ContentType::application_data, fragment, fragment_bytes));
  if (out.record_bytes == 0) return out;
  out.cipher_begin = f.down.cipher_next;
  Span& span = *f.down.spans.extend(r.spans);
  span.cipher_begin = f.down.cipher_next;
  span.plain_begin = f.down.plain_next;
  span.cipher_bytes = out.record_bytes;
  span.plain_bytes = fragment_bytes;
  span.number = out.number;
  span.kind = Span::Kind::record;
  span.epoch = f.down.epoch;
  span.promised = Span::Promised::no;
  std::memcpy(span.tag.data(), out.record + out.record_bytes - record::kTagBytes, record::kTagBytes);
  f.down.cipher_next += out.record_bytes;
  f.down.plain_next += fragment_bytes;
  r.counters.add(Count::records_sealed);
  r.counters.add(Count::plaintext_down_bytes, fragment_bytes);
  return out;
}

bool append_local(Resources& r, Flow& f, std::vector<std::uint8_t>&& records, Ending ending) {
  if (!f.down.spans.has_room(r.spans)) return false;
  if (f.local == nullptr) {
    f.local = r.locals.take();
    if (f.local == nullptr) return false;
    f.local->start(f.client_tcp.mss, f.client_rtt_us);
  }
  const auto bytes = static_cast<std::uint32_t>(records.size()) + (ending == Ending::fin ? 1U : 0U);
  f.down.spans.push(r.spans, {.cipher_begin = f.down.cipher_next,
                              .plain_begin = f.down.plain_next,
                              .cipher_bytes = bytes,
                              .plain_bytes = 0,
                              .number = 0,
                              .kind = Span::Kind::local,
                              .epoch = f.down.epoch,
                              .tag = {}});
  f.local->append(f.down.cipher_next, std::move(records), ending);
  f.down.cipher_next += bytes;
  return true;
}

bool append_key_update(Resources& r, Flow& f) {
  if (!f.down.spans.has_room(r.spans)) return false;
  const auto fragment = record::emit_key_update(record::KeyUpdateRequest::not_requested);
  return append_local(r, f, seal_short(r, f, record::ContentType::handshake, fragment), Ending::none);
}

bool append_answer(Resources& r, Flow& f, Bytes plaintext) {
  return append_local(r, f, seal_short(r, f, record::ContentType::application_data, plaintext), Ending::none);
}

bool append_alert(Resources& r, Flow& f, std::uint8_t description, Ending ending) {
  const auto fragment = record::emit_alert(static_cast<record::Alert>(description));
  return append_local(r, f, f.suite != nullptr ? seal_short(r, f, record::ContentType::alert, fragment) : clear_alert(fragment),
                      ending);
}

void send_local(Resources& r, Flow& f) noexcept {
  if (f.local == nullptr) return;
  while (const auto piece = f.local->next(f.down.client_edge, r.now)) {
    Outgoing out;
    if (!take_packet(r, out.packet, out.payload)) return;
    out.payload_bytes = static_cast<std::uint32_t>(piece->bytes.size());
    if (!piece->bytes.empty()) std::memcpy(out.payload, piece->bytes.data(), piece->bytes.size());
    out.seq = piece->begin;
    out.flags = static_cast<std::uint8_t>(wire::kAck | wire::kPsh | (piece->ending == Ending::fin ? wire::kFin : 0));
    out.note = piece->is_resent ? TraceNote::local_resent : TraceNote::local_bytes;
    r.counters.add(piece->is_resent ? Count::local_resent : Count::local_sent);
    (void)send_to_client(r, f, out);
  }
}

void release_local(Resources& r, Flow& f) noexcept {
  if (f.local == nullptr) return;
  f.local->clear();
  r.locals.put(f.local);
  f.local = nullptr;
}

}  // namespace cutwater::splice
