#include "splice/resend.hpp"

#include <algorithm>

#include "splice/close.hpp"
#include "splice/emit.hpp"
#include "splice/key_change.hpp"
#include "splice/sack.hpp"
#include "splice/translate.hpp"

namespace cutwater::splice {
namespace {

constexpr std::uint16_t kMaxPieces = 64;  // parts of records kept per flow and direction: more than one window of them is not honest

// Bytes of the segment at [begin, end), or nullptr when it does not have them all.
const std::uint8_t* inside(SeqNum seq, Bytes bytes, SeqNum begin, SeqNum end) noexcept {
  if (before(begin, seq) || before(seq + static_cast<std::uint32_t>(bytes.size()), end)) return nullptr;
  return bytes.data() + (begin - seq);
}

// Copies [begin, end) out of the pieces. Returns: false when some of it is missing.
bool gather(const Resources& r, const Reassembly& pieces, SeqNum begin, SeqNum end, std::uint8_t* out) noexcept {
  SeqNum at = begin;
  pieces.each(r.held, [&](const Held& piece) {
    if (before(at, piece.begin)) return false;
    if (at_or_before(piece.end(), at)) return true;
    const auto n = static_cast<std::uint32_t>(earlier(piece.end(), end) - at);
    std::memcpy(out + (at - begin), piece.data + (at - piece.begin), n);
    at += n;
    return before(at, end);
  });
  return at == end;
}

// Keeps the part of a segment that lies inside [begin, end), which it does not cover, in one piece with those it touches. At the cap
// what is earlier goes first: what stands behind it cannot be acknowledged before it.
void keep_piece(Resources& r, Reassembly& pieces, SeqNum seq, Bytes bytes, SeqNum begin, SeqNum end) noexcept {
  const SeqNum from = later(seq, begin);
  const SeqNum to = earlier(seq + static_cast<std::uint32_t>(bytes.size()), end);
  if (!before(from, to) || pieces.has(r.held, from, to)) return;
  const Bytes part = bytes.subspan(static_cast<std::size_t>(from - seq), static_cast<std::size_t>(to - from));
  if (pieces.extend(r.held, from, part)) return;
  port::Packet packet;
  std::uint8_t* span = nullptr;
  if (!take_packet(r, packet, span)) return;
  const auto n = static_cast<std::uint32_t>(part.size());
  Held piece{.begin = from, .bytes = n, .data = span + (from - begin), .chunk = packet.chunk};
  std::memcpy(piece.data, part.data(), n);
  pieces.absorb(r.held, piece, begin, end);
  // Whoever was absorbed has made room: what was acknowledged is never lost here.
  const bool has_room = pieces.size() < kMaxPieces || pieces.drop_last_from(r.held, piece.end());
  if (has_room && pieces.insert(r.held, piece)) r.counters.add(Count::pieces_kept);
  else r.chunks.put(packet.chunk);
}

// A span is one packet, unless the path has become narrower since it was first sent: its boundaries stay, so it takes two.
template <class Send>
void send_in_segments(Resources& r, Outgoing out, std::uint16_t mss, Send&& send) noexcept {
  while (out.payload_bytes > mss) {
    Outgoing part = out;
    part.payload_bytes = mss;
    part.flags = wire::kAck;
    if (!take_packet(r, part.packet, part.payload)) break;
    std::memcpy(part.payload, out.payload, mss);
    (void)send(part);
    out.payload += mss;
    out.payload_bytes -= mss;
    out.seq += mss;
  }
  (void)send(out);
}

// Opens one span's ciphertext, already in `bytes` of a packet of ours, and forwards what it carries.
void reopen(Resources& r, Flow& f, const Span& span, const port::Packet& packet, std::uint8_t* bytes, const wire::Segment& s) noexcept {
  const record::TrafficKeys& keys = up_keys_of(f, span.epoch);
  const auto& key = r.keys.at(up_key_id(f, span.epoch), *f.suite, keys);
  const record::Opened opened = r.aead.open(key, keys, span.number, {bytes, span.cipher_bytes});
  if (opened.status != record::Opened::Status::ok || opened.fragment.size() != span.plain_bytes) {
    r.counters.add(Drop::stale_record);  // damaged or forged: the first copy stands, as in any TCP
    r.chunks.put(packet.chunk);
    return;
  }
  r.counters.add(Count::records_reopened);
  r.resent.note(f.index, f.generation, record::KeyId::Direction::up, span);
  Outgoing out;
  out.packet = packet;
  out.payload = opened.fragment.data();
  out.payload_bytes = span.plain_bytes;
  out.seq = span.plain_begin;
  out.flags = wire::kAck | wire::kPsh;
  out.heard = &s.options;
  out.note = TraceNote::reopened;
  out.first_record = out.last_record = static_cast<std::int64_t>(span.number);
  send_in_segments(r, out, f.server_tcp.mss, [&](const Outgoing& part) { return send_to_server(r, f, part); });
}

// Seals one span's plaintext again. Returns: false when the flow ended over it.
bool reseal(Resources& r, Flow& f, const Span& span, const port::Packet& packet, std::uint8_t* fragment, const wire::Segment& s) noexcept {
  const record::TrafficKeys& keys = down_keys_of(f, span.epoch);
  const auto& key = r.keys.at(down_key_id(f, span.epoch), *f.suite, keys);
  const std::size_t bytes =
      r.aead.seal(key, keys, span.number, record::ContentType::application_data, fragment, span.plain_bytes);
  const std::uint8_t* record = fragment - f.suite->front_bytes();
  const bool is_same = bytes == span.cipher_bytes &&
                       std::memcmp(record + bytes - record::kTagBytes, span.tag.data(), record::kTagBytes) == 0;
  if (!is_same) {  // I3: two plaintexts for one nonce; the second never leaves
    r.chunks.put(packet.chunk);
    reset_both(r, f, Reset::plaintext_changed);
    return false;
  }
  r.counters.add(Count::records_resealed);
  r.resent.note(f.index, f.generation, record::KeyId::Direction::down, span);
  Outgoing out;
  out.packet = packet;
  out.payload = fragment - f.suite->front_bytes();
  out.payload_bytes = span.cipher_bytes;
  out.seq = span.cipher_begin;
  out.flags = wire::kAck | wire::kPsh;
  out.heard = &s.options;
  out.note = TraceNote::resealed;
  out.first_record = out.last_record = static_cast<std::int64_t>(span.number);
  send_in_segments(r, out, f.client_tcp.mss, [&](const Outgoing& part) { return send_to_client(r, f, part); });
  return true;
}

// Puts the bytes of a span, from the segment or from it and the pieces, at the payload place of a fresh packet.
// Returns: nullptr when the span is not whole yet (its part is then kept), or the pool is dry.
std::uint8_t* whole_span(Resources& r, Reassembly& pieces, SeqNum seq, Bytes bytes, SeqNum begin, SeqNum end, std::size_t front,
                         port::Packet& packet) noexcept {
  const std::uint8_t* direct = inside(seq, bytes, begin, end);
  if (direct == nullptr) keep_piece(r, pieces, seq, bytes, begin, end);
  std::uint8_t* payload = nullptr;
  if (!take_packet(r, packet, payload)) return nullptr;
  payload += front;
  if (direct != nullptr) {
    std::memcpy(payload, direct, static_cast<std::size_t>(end - begin));
    return payload;
  }
  if (gather(r, pieces, begin, end, payload)) return payload;
  r.chunks.put(packet.chunk);
  return nullptr;
}

}  // namespace

void resend_up(Resources& r, Flow& f, const wire::Segment& s, MutableBytes ciphertext) noexcept {
  const SeqNum end = s.seq + static_cast<std::uint32_t>(ciphertext.size());
  f.up.spans.each(r.spans, [&](const Span& span) {
    if (at_or_before(end, span.cipher_begin)) return false;
    if (at_or_before(span.cipher_end(), s.seq) || span.plain_bytes == 0) return true;
    port::Packet packet;
    std::uint8_t* bytes = whole_span(r, f.up.pieces, s.seq, ciphertext, span.cipher_begin, span.cipher_end(), 0, packet);
    if (bytes != nullptr) reopen(r, f, span, packet, bytes, s);
    return true;
  });
  if (const auto twice = twice_below(ack_for_client(r, f), s.seq, end)) ack_client(r, f, nullptr, twice);
  else owe_ack_to_client(r, f);
}

void resend_down(Resources& r, Flow& f, const wire::Segment& s, Bytes plaintext) noexcept {
  const SeqNum end = s.seq + static_cast<std::uint32_t>(plaintext.size());
  bool has_sent = false;
  f.down.spans.each(r.spans, [&](const Span& span) {
    if (at_or_before(end, span.plain_begin)) return false;
    if (at_or_before(span.plain_end(), s.seq) || span.plain_bytes == 0) return true;
    port::Packet packet;
    std::uint8_t* fragment = whole_span(r, f.down.pieces, s.seq, plaintext, span.plain_begin, span.plain_end(), f.suite->front_bytes(),
                                        packet);
    if (fragment == nullptr) return true;
    has_sent = true;
    return reseal(r, f, span, packet, fragment, s);
  });
  if (f.state == FlowState::free) return;
  if (const auto twice = twice_below(ack_for_server(r, f), s.seq, end)) ack_server(r, f, nullptr, twice);
  else if (!has_sent) owe_ack_to_server(r, f);
}

}  // namespace cutwater::splice
