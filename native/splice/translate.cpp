#include "splice/translate.hpp"

#include <algorithm>

#include "splice/custody.hpp"

namespace cutwater::splice {
namespace {

constexpr std::uint32_t kHandshakeWindowBytes = 65'535;  // a hello, a client's certificate chain, and data sent on their heels

// Pieces of the oldest span that are here without a gap, as far as they may be acknowledged: all but the span's last byte,
// so that its sender goes on resending the end of it until the far side has the whole (I1).
SeqNum past_pieces(const Resources& r, const Reassembly& pieces, SeqNum begin, SeqNum last) noexcept {
  return earlier(pieces.missing_from(r.held, begin), last);
}

}  // namespace

SeqNum ack_for_client(const Resources& r, const Flow& f) noexcept {
  if (f.up.spans.empty()) return f.up.cipher_next;
  const Span& oldest = f.up.spans.front(const_cast<Resources&>(r).spans);
  if (f.up.pieces.empty()) return oldest.cipher_begin;
  return past_pieces(r, f.up.pieces, oldest.cipher_begin, oldest.cipher_end() - 1U);
}

SeqNum ack_for_server(const Resources& r, const Flow& f) noexcept {
  if (f.down.spans.empty()) return f.down.plain_next;
  const Span& oldest = f.down.spans.front(const_cast<Resources&>(r).spans);
  if (f.down.pieces.empty() || oldest.plain_bytes == 0) return oldest.plain_begin;
  return past_pieces(r, f.down.pieces, oldest.plain_begin, oldest.plain_end() - 1U);
}

SeqNum edge_for_client(const Resources& r, Flow& f) noexcept {
  SeqNum edge = f.up.cipher_next;
  if (f.state == FlowState::handshake || f.link != ServerLink::up) {  // nobody to pass it on to yet: ours to keep
    const std::uint32_t kept = f.custody != nullptr ? f.custody->queue.bytes() : 0;
    edge += kHandshakeWindowBytes - std::min(kept, kHandshakeWindowBytes);
  } else if (f.custody != nullptr) {
    edge += f.custody->window(r);
  } else if (before(f.up.plain_next, f.up.server_edge)) {
    // A record is never shorter than its fragment. No more than custody can hold: the client may cut a record any time.
    edge += std::min(static_cast<std::uint32_t>(f.up.server_edge - f.up.plain_next), kMaxCustodyWindowBytes);
  }
  f.up.edge_shown = later(f.up.edge_shown, edge);
  return f.up.edge_shown;
}

SeqNum edge_for_server(const Resources&, Flow& f) noexcept {
  if (f.state == FlowState::passing) return f.down.plain_next + static_cast<std::uint32_t>(f.down.client_edge - f.down.cipher_next);
  if (f.state != FlowState::established) return f.down.plain_next;
  SeqNum edge = f.down.plain_next;
  const std::int32_t budget = f.down.client_edge - f.down.cipher_next;
  const auto overhead = static_cast<std::uint32_t>(f.suite->overhead_bytes());
  if (budget > static_cast<std::int32_t>(overhead)) {
    const std::uint32_t fragment = f.client_tcp.mss - overhead;  // of a full segment
    const std::uint32_t full = static_cast<std::uint32_t>(budget) / f.client_tcp.mss;
    const std::uint32_t rest = static_cast<std::uint32_t>(budget) % f.client_tcp.mss;
    edge += full * fragment + (rest > overhead ? rest - overhead : 0);
  }
  f.down.edge_shown = later(f.down.edge_shown, edge);
  return f.down.edge_shown;
}

bool acknowledge_down(Resources& r, Flow& f, SeqNum ack) noexcept {
  bool has_changed = false;
  if (before(f.down.cipher_una, ack)) f.down.cipher_una = ack;
  while (!f.down.spans.empty()) {
    const Span& oldest = f.down.spans.front(r.spans);
    if (before(ack, oldest.cipher_end())) break;
    if (oldest.plain_bytes != 0) {
      has_changed = true;
      if (!f.down.pieces.empty()) f.down.pieces.drop_before(r.held, oldest.plain_end());
    }
    f.down.spans.pop_front(r.spans);
  }
  return has_changed;
}

bool acknowledge_up(Resources& r, Flow& f, SeqNum ack) noexcept {
  bool has_changed = false;
  if (before(f.up.plain_una, ack)) f.up.plain_una = ack;
  while (!f.up.spans.empty()) {
    const Span& oldest = f.up.spans.front(r.spans);
    if (before(ack, oldest.plain_end())) break;
    has_changed = true;
    if (!f.up.pieces.empty()) f.up.pieces.drop_before(r.held, oldest.cipher_end());
    f.up.spans.pop_front(r.spans);
  }
  return has_changed;
}

}  // namespace cutwater::splice
