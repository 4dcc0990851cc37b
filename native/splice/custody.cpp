#include "splice/custody.hpp"

#include <algorithm>
#include <limits>

#include "http/exchange.hpp"
#include "splice/close.hpp"
#include "splice/control_record.hpp"
#include "splice/emit.hpp"
#include "splice/key_change.hpp"

namespace cutwater::splice {
namespace {

constexpr std::uint32_t kMinWindowBytes = 65'536;  // even on a crowded worker a record must fit, or custody would deadlock (A12)
constexpr std::size_t kMaxControlBytes = 64;       // the longest control fragment a client may send after the handshake is 5

record::KeyId key_id(const Flow& f) noexcept {
  return {f.index, f.generation, f.up.epoch, record::KeyId::Direction::up};
}

const record::ExpandedKey& open_key(Resources& r, const Flow& f) noexcept { return r.keys.at(key_id(f), *f.suite, f.up_keys); }

// Step 1 of a record: its front. Returns: bytes taken, or nullopt when the flow failed.
std::optional<std::size_t> take_front(Resources& r, Flow& f, Bytes in) noexcept {
  Custody::Partial& partial = f.custody->partial;
  const bool had_header = partial.front_bytes >= record::kHeaderBytes;
  const std::size_t wanted = had_header ? f.suite->front_bytes() : record::kHeaderBytes;
  const std::size_t n = std::min(wanted - partial.front_bytes, in.size());
  std::memcpy(partial.front.data() + partial.front_bytes, in.data(), n);
  partial.front_bytes = static_cast<std::uint8_t>(partial.front_bytes + n);
  if (!had_header && partial.front_bytes == record::kHeaderBytes) {
    const auto header = record::parse_header(partial.front);
    if (!header) return fail_framing(r, f, header.error()), std::nullopt;
    if (const HeaderFault fault = fault_of(*f.suite, *header); fault != HeaderFault::none) return fail_header(r, f, fault), std::nullopt;
    partial.header = *header;
    partial.plain_begin = f.custody->queue.end();
    partial.body_left = static_cast<std::uint32_t>(header->body_bytes - f.suite->explicit_nonce_bytes - record::kTagBytes);
  }
  if (partial.front_bytes == f.suite->front_bytes()) {
    r.aead.open_begin(f.custody->stream, open_key(r, f), f.up_keys, f.up.number, {partial.front.data(), partial.front_bytes});
  }
  return n;
}

// Lets everything before `end` go to the server.
void release_until(Resources& r, Flow& f, SeqNum end) noexcept {
  r.counters.add(Count::plaintext_up_bytes, static_cast<std::uint32_t>(end - f.custody->ready));
  f.custody->ready = f.up.plain_next = end;
}

// `release: streaming` (A13): plaintext leaves before its tag has come. In TLS 1.3 the last byte that is not zero may be the
// inner type, and what follows it padding, so they stay; and nothing leaves while the record may still be a control record.
void release_early(Resources& r, Flow& f) noexcept {
  Custody& custody = *f.custody;
  if (custody.partial.header.type != record::ContentType::application_data || f.post_handshake.has_partial()) return;
  SeqNum end = custody.queue.end();
  if (f.suite->version == record::Version::tls13) {
    while (end != custody.ready && custody.queue.at(r.chunks, end - 1U) == 0) end = end - 1U;
    if (end != custody.ready) end = end - 1U;
    if (end - custody.partial.plain_begin < static_cast<std::int32_t>(kMaxControlBytes)) return;
  }
  if (before(custody.ready, end)) release_until(r, f, end);
}

// Step 2: its body, decrypted straight into the queue. The chunk space was reserved by has_custody_room().
std::size_t take_body(Resources& r, Flow& f, Bytes in) noexcept {
  Custody& custody = *f.custody;
  const MutableBytes space = custody.queue.space(r.chunks);
  const std::size_t n = std::min({in.size(), space.size(), std::size_t{custody.partial.body_left}});
  r.aead.open_update(custody.stream, open_key(r, f), space.data(), in.data(), n);
  custody.queue.commit(static_cast<std::uint32_t>(n));
  custody.partial.body_left -= static_cast<std::uint32_t>(n);
  if (f.route->policy.release == Release::streaming) release_early(r, f);
  return n;
}

// TLS 1.3 inner type: the last byte that is not padding (RFC 9846 5.4). Takes both off the queue.
std::optional<record::ContentType> strip_inner_type(Resources& r, Custody& custody) noexcept {
  SeqNum end = custody.queue.end();
  while (end != custody.ready) {
    const std::uint8_t last = custody.queue.last(r.chunks);
    end = end - 1U;
    custody.queue.cut_back(r.chunks, end, ByteQueue::Wipe::no);
    if (last != 0) return static_cast<record::ContentType>(last);
  }
  return std::nullopt;
}

// Step 3: its tag, and with it the verdict on everything since `ready`.
bool finish_record(Resources& r, Flow& f) noexcept {
  Custody& custody = *f.custody;
  const SeqNum begin = custody.partial.plain_begin;
  if (!r.aead.open_finish(custody.stream, open_key(r, f), custody.partial.tag.data())) {
    custody.queue.cut_back(r.chunks, custody.ready, ByteQueue::Wipe::yes);
    fail(r, f, Reset::bad_tag, record::Alert::bad_record_mac);
    return false;
  }
  r.counters.add(Count::records_opened);
  ++f.up.number;
  auto type = custody.partial.header.type;
  if (f.suite->version == record::Version::tls13) {
    const auto inner = strip_inner_type(r, custody);
    if (!inner) return fail(r, f, Reset::unexpected_message, record::Alert::unexpected_message), false;
    type = *inner;
  }
  custody.partial = Custody::Partial{};
  const auto fragment_bytes = static_cast<std::uint32_t>(custody.queue.end() - begin);
  if (fragment_bytes > record::kMaxFragmentBytes) return fail(r, f, Reset::record_overflow, record::Alert::record_overflow), false;
  if (type == record::ContentType::application_data && !f.post_handshake.has_partial()) {
    release_until(r, f, custody.queue.end());
    return true;
  }
  if (type == record::ContentType::application_data || fragment_bytes == 0 || custody.ready != begin) {
    return fail(r, f, Reset::unexpected_message, record::Alert::unexpected_message), false;
  }
  std::array<std::uint8_t, record::kMaxFragmentBytes> control;  // a server's tickets may fill a record
  const std::size_t most = f.route->policy.peer == record::Writer::server ? control.size() : kMaxControlBytes;
  if (fragment_bytes > most) return fail(r, f, Reset::unexpected_message, record::Alert::unexpected_message), false;
  custody.queue.copy(r.chunks, custody.ready, {control.data(), fragment_bytes});
  custody.queue.cut_back(r.chunks, custody.ready, ByteQueue::Wipe::no);
  return take_control(r, f, type, {control.data(), fragment_bytes});
}

void send_range(Resources& r, Flow& f, const SendControl::Range& range) noexcept {
  Custody& custody = *f.custody;
  Outgoing out;
  if (!take_packet(r, out.packet, out.payload)) return;
  const bool has_fin = f.up.fin == FinState::owed && range.end == custody.queue.end() + 1U;
  out.payload_bytes = static_cast<std::uint32_t>(range.end - range.begin) - (has_fin ? 1U : 0U);
  custody.queue.copy(r.chunks, range.begin, {out.payload, out.payload_bytes});
  out.seq = range.begin;
  const bool is_last = range.begin + out.payload_bytes == custody.ready;
  out.flags = static_cast<std::uint8_t>(wire::kAck | (is_last && out.payload_bytes != 0 ? wire::kPsh : 0) | (has_fin ? wire::kFin : 0));
  if ((f.option_flags & Flow::kCwrToServer) != 0 && !range.is_resent && out.payload_bytes != 0) {
    out.flags |= wire::kCwr;
    f.note(Flow::kCwrToServer, false);
  }
  out.note = range.is_resent ? TraceNote::custody_resent : TraceNote::custody_out;
  if (range.is_resent) r.counters.add(Count::custody_resent);
  (void)send_to_server(r, f, out);
}

// Moves all numbers of the stream's end by as much: the bytes before it became more, or fewer.
void shift_up(Flow& f, std::uint32_t by) noexcept {
  f.custody->ready += by;
  f.custody->partial.plain_begin += by;
  f.up.plain_next += by;
}

}  // namespace

SeqNum send_end(const Flow& f) noexcept {
  const SeqNum ready = f.custody->ready;
  if (f.exchange != nullptr && before(f.exchange->allowed(), ready)) return f.exchange->allowed();
  return f.up.fin == FinState::owed ? ready + 1U : ready;
}

void renumber_up(Flow& f, SeqNum begin) noexcept {
  Custody& custody = *f.custody;
  const SeqNum old = custody.queue.begin();
  custody.queue.renumber(begin);
  shift_up(f, begin.value - old.value);
  f.exchange->shift(begin.value - old.value);
  f.up.plain_una = begin;
  custody.control.start(begin, f.server_tcp.mss, f.up.server_edge, f.has(Flow::kServerSack),
                         f.route->policy.custody_congestion);
}

bool replace_front(Resources& r, Flow& f, std::uint32_t old_bytes, Bytes bytes) noexcept {
  ByteQueue& queue = f.custody->queue;
  const SeqNum begin = queue.begin();
  queue.drop_before(r.chunks, begin + old_bytes);
  if (!queue.prepend(r.chunks, bytes)) return false;
  queue.renumber(begin);
  const std::uint32_t by = static_cast<std::uint32_t>(bytes.size()) - old_bytes;
  shift_up(f, by);
  f.exchange->shift_read(by);
  return true;
}

std::uint32_t Custody::window(const Resources& r) const noexcept {
  const std::uint32_t kept = queue.bytes();
  // A crowded pool shrinks everybody's window to what a record needs; half of it stays for packets on their way.
  const std::uint64_t free_bytes = std::uint64_t{r.chunks.free_chunks()} * port::kChunkBytes / 8;
  const auto cap = static_cast<std::uint32_t>(
      std::clamp<std::uint64_t>(free_bytes, kMinWindowBytes, kMaxCustodyWindowBytes));
  return kept < cap ? cap - kept : 0;
}

bool enter_custody(Resources& r, Flow& f) noexcept {
  if (f.custody != nullptr) return true;
  Custody* custody = r.custodies.take();
  if (custody == nullptr) return false;
  custody->queue.start(f.up.plain_next);
  custody->ready = f.up.plain_next;
  custody->partial = Custody::Partial{};
  custody->control.start(f.up.plain_next, f.server_tcp.mss, f.up.server_edge, f.has(Flow::kServerSack),
                         f.route->policy.custody_congestion);
  f.custody = custody;
  f.way_changed_ms = static_cast<std::uint32_t>(r.now.us / 1000);
  if (f.up.custodies != std::numeric_limits<std::uint16_t>::max()) ++f.up.custodies;
  r.counters.add(Count::custody_entered);
  return true;
}

bool has_custody_room(const Resources& r, const Flow& f, std::uint32_t bytes) noexcept {
  return f.custody->queue.has_room(r.chunks, bytes);
}

bool take_into_custody(Resources& r, Flow& f, Bytes in) noexcept {
  Custody::Partial& partial = f.custody->partial;
  while (!in.empty()) {
    if (f.up.end != UpEnd::open) {  // what follows a close_notify is ignored (RFC 9846 6.1)
      f.up.cipher_next += static_cast<std::uint32_t>(in.size());
      return true;
    }
    if (!settle_up_keys(r, f)) {
      r.counters.add(Drop::epoch_busy);
      return true;
    }
    std::size_t n = 0;
    if (partial.front_bytes < record::kHeaderBytes || partial.front_bytes < f.suite->front_bytes()) {
      const auto taken = take_front(r, f, in);
      if (!taken) return false;
      n = *taken;
    } else if (partial.body_left != 0) {
      n = take_body(r, f, in);
    } else {
      n = std::min(record::kTagBytes - partial.tag_bytes, in.size());
      std::memcpy(partial.tag.data() + partial.tag_bytes, in.data(), n);
      partial.tag_bytes = static_cast<std::uint8_t>(partial.tag_bytes + n);
    }
    in = in.subspan(n);
    f.up.cipher_next += static_cast<std::uint32_t>(n);
    if (partial.tag_bytes == record::kTagBytes && !finish_record(r, f)) return false;
  }
  return true;
}

void send_from_custody(Resources& r, Flow& f) noexcept {
  if (f.custody == nullptr || f.link != ServerLink::up) return;
  Custody& custody = *f.custody;
  while (const auto range = custody.control.next(send_end(f), r.now)) send_range(r, f, *range);
  const bool is_idle = custody.queue.bytes() == 0 && custody.partial.is_none() && f.up.fin != FinState::owed;
  if (is_idle) release_custody(r, f);
}

void custody_on_server_ack(Resources& r, Flow& f, SeqNum ack, const wire::TcpOptions& options, bool is_duplicate) noexcept {
  Custody& custody = *f.custody;
  custody.control.set_edge(f.up.server_edge);
  if (before(ack, custody.queue.begin())) return;  // still about spans that the client answers for
  custody.control.on_ack(ack, f.up.server_edge, {options.sack.data(), options.sack_count}, is_duplicate, r.now);
  const SeqNum una = custody.control.una();
  if (f.up.fin == FinState::owed && una == custody.queue.end() + 1U) {
    custody.queue.drop_before(r.chunks, custody.queue.end());
    f.up.fin = FinState::acked;
    f.up.plain_next = una;
  } else {
    custody.queue.drop_before(r.chunks, earlier(una, custody.queue.end()));
  }
}

bool keep_untouched(Resources& r, Flow& f, Bytes bytes) noexcept {
  if (!enter_custody(r, f)) return false;
  ByteQueue& queue = f.custody->queue;
  if (!queue.has_room(r.chunks, static_cast<std::uint32_t>(bytes.size()))) return false;
  while (!bytes.empty()) {
    const MutableBytes space = queue.space(r.chunks);
    const std::size_t n = std::min(space.size(), bytes.size());
    std::memcpy(space.data(), bytes.data(), n);
    queue.commit(static_cast<std::uint32_t>(n));
    bytes = bytes.subspan(n);
  }
  f.custody->ready = f.up.plain_next = queue.end();
  return true;
}

bool put_ahead(Resources& r, Flow& f, Bytes bytes) noexcept {
  if (!keep_untouched(r, f, bytes)) return false;
  f.up.first_plain = f.up.plain_next;
  return true;
}

void owe_fin_to_server(Resources& r, Flow& f) noexcept {
  if (f.up.fin != FinState::none || !enter_custody(r, f)) return;
  f.up.fin = FinState::owed;
}

void release_custody(Resources& r, Flow& f) noexcept {
  if (f.custody == nullptr) return;
  f.custody->queue.clear(r.chunks);
  f.custody->stream.clear();
  r.custodies.put(f.custody);
  f.custody = nullptr;
  f.way_changed_ms = static_cast<std::uint32_t>(r.now.us / 1000);
  r.counters.add(Count::custody_left);
}

SeqNum next_to_server(const Flow& f) noexcept { return f.custody != nullptr ? f.custody->control.nxt() : f.up.plain_next; }

}  // namespace cutwater::splice
