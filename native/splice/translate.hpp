// Acknowledgements and windows from one numbering into the other: arithmetic on the span maps.
// Not here: packets, SACK (sack.hpp). Thread: owning worker. Implements: A7, A14; invariants I1, I2 (test/invariants/).
#pragma once

#include "splice/resources.hpp"

namespace cutwater::splice {

/// The same inside of the oldest span, where pieces of it are kept.
SeqNum ack_inside_up(const Resources& r, const Flow& f, const Span& oldest) noexcept;
SeqNum ack_inside_down(const Resources& r, const Flow& f, const Span& oldest) noexcept;
/// What the server may be told while the client has yet to acknowledge all of what it was promised.
inline SeqNum ack_before_promised(const Flow& f, const Span& oldest) noexcept {
  // An acknowledgement that ends where something was promised looks as if the promise were broken: the server resends all of it
  // (RFC 2018 8; Linux after 10 ms). So the last byte before it is kept back until the client has the whole.
  return oldest.promised == Span::Promised::first ? later(f.down.ack_shown, oldest.plain_begin - 1U) : f.down.ack_shown;
}

/// What the client may be told is acknowledged (I1: the server has it or we hold it; I2: a span boundary out of custody).
inline SeqNum ack_for_client(const Resources& r, const Flow& f) noexcept {
  if (f.up.spans.empty()) return f.up.cipher_next;
  const Span& oldest = f.up.spans.front(r.spans);
  return f.up.pieces.empty() ? oldest.cipher_begin : ack_inside_up(r, f, oldest);
}
/// What the server may be told is acknowledged (I1: whole records the client has acknowledged).
inline SeqNum ack_for_server(const Resources& r, const Flow& f) noexcept {
  if (f.down.spans.empty()) return f.down.plain_next;
  const Span& oldest = f.down.spans.front(r.spans);
  if (oldest.promised != Span::Promised::no) return ack_before_promised(f, oldest);
  return f.down.pieces.empty() || oldest.plain_bytes == 0 ? oldest.plain_begin : ack_inside_down(r, f, oldest);
}

/// End of the window shown to the client, in ciphertext. Never moves back.
SeqNum edge_for_client(const Resources& r, Flow& f) noexcept;
/// The end of the server's window while something is kept: behind a gap it goes on by as much, to a limit. Requires: `ahead` not empty.
SeqNum edge_past_gap(const Resources& r, const Flow& f, SeqNum edge, std::uint32_t fragment) noexcept;
/// End of the window shown to the server, in plaintext: what the client grants, less the overhead of filling it. Never moves
/// back; what exceeds the client's window then waits in the hold queue (A14).
inline SeqNum edge_for_server(const Resources& r, Flow& f) noexcept {
  if (f.state == FlowState::passing) return f.down.plain_next + static_cast<std::uint32_t>(f.down.client_edge - f.down.cipher_next);
  if (f.state != FlowState::established) return f.down.plain_next;
  SeqNum edge = f.down.plain_next;
  const std::int32_t budget = f.down.client_edge - f.down.cipher_next;
  const auto overhead = static_cast<std::uint32_t>(f.suite->overhead_bytes());
  const std::uint32_t fragment = f.client_tcp.mss - overhead;  // of a full segment
  if (budget > static_cast<std::int32_t>(overhead)) {
    const std::uint32_t full = static_cast<std::uint32_t>(budget) / f.client_tcp.mss;
    const std::uint32_t rest = static_cast<std::uint32_t>(budget) % f.client_tcp.mss;
    edge += full * fragment + (rest > overhead ? rest - overhead : 0);
  }
  if (!f.down.ahead.empty()) edge = edge_past_gap(r, f, edge, fragment);
  f.down.edge_shown = later(f.down.edge_shown, edge);
  return f.down.edge_shown;
}

/// Forget the spans that end at or before it. Return: true when what the other side may be told has changed.
bool drop_down_spans(Resources& r, Flow& f, SeqNum ack) noexcept;
bool drop_up_spans(Resources& r, Flow& f, SeqNum ack) noexcept;

/// Forgets down spans that the client has acknowledged. Returns: true when what the server may be told has changed.
inline bool acknowledge_down(Resources& r, Flow& f, SeqNum ack) noexcept {
  if (before(f.down.cipher_una, ack)) f.down.cipher_una = ack;
  return !f.down.spans.empty() && !before(ack, f.down.spans.front(r.spans).cipher_end()) && drop_down_spans(r, f, ack);
}
/// Forgets up spans that the server has acknowledged. Returns: true when what the client may be told has changed.
inline bool acknowledge_up(Resources& r, Flow& f, SeqNum ack) noexcept {
  if (before(f.up.plain_una, ack)) f.up.plain_una = ack;
  return !f.up.spans.empty() && !before(ack, f.up.spans.front(r.spans).plain_end()) && drop_up_spans(r, f, ack);
}

}  // namespace cutwater::splice
