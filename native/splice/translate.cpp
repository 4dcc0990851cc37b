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

// What is kept behind a gap takes our room and not the client's, so the window goes on by as much. A receiver that had it in its own
// buffer would let that grow (Linux does); without it a server soon has nothing left to send that would tell it, by a SACK, that its
// resend was lost too, and waits for its timer. Only where windows that move do not hide repeated acknowledgements (RFC 5681 2).
SeqNum edge_past_gap(const Resources& r, const Flow& f, SeqNum edge, std::uint32_t fragment) noexcept {
  const bool is_crowded = r.chunks.free_chunks() <= r.chunks.capacity() / 2;
  const bool is_gap = f.down.ahead.front(r.held).begin != f.down.plain_next;
  if (!is_gap || is_crowded || !f.has(Flow::kServerSack)) return edge;
  const SeqNum most = f.down.plain_next + Reassembly::kMaxSegments / 2 * fragment;
  return later(edge, earlier(edge + f.down.ahead.size() * fragment, most));
}

SeqNum ack_inside_up(const Resources& r, const Flow& f, const Span& oldest) noexcept {
  return past_pieces(r, f.up.pieces, oldest.cipher_begin, oldest.cipher_end() - 1U);
}

SeqNum ack_inside_down(const Resources& r, const Flow& f, const Span& oldest) noexcept {
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

bool drop_down_spans(Resources& r, Flow& f, SeqNum ack) noexcept {
  bool has_changed = false;
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

bool drop_up_spans(Resources& r, Flow& f, SeqNum ack) noexcept {
  bool has_changed = false;
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
