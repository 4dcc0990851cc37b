#include "splice/translate.hpp"

#include <algorithm>
#include <array>

#include "splice/custody.hpp"

namespace cutwater::splice {
namespace {

constexpr std::uint32_t kHandshakeWindowBytes = 65'535;  // a hello, a client's certificate chain, and data sent on their heels

std::size_t max_sack_blocks(const Flow& f) noexcept { return f.has_timestamps() ? 3 : 4; }  // 40 bytes of options

// Pieces of the oldest span that are here without a gap, as far as they may be acknowledged: all but the span's last byte,
// so that its sender goes on resending the end of it until the far side has the whole (I1).
SeqNum past_pieces(const Resources& r, const Reassembly& pieces, SeqNum begin, SeqNum last) noexcept {
  SeqNum at = begin;
  pieces.each(r.held, [&](const Held& piece) {
    if (before(at, piece.begin)) return false;
    at = later(at, piece.end());
    return true;
  });
  return earlier(at, last);
}

bool add_block(wire::TcpOptions& to, wire::SackBlock block, std::size_t limit) noexcept {
  for (std::size_t i = 0; i < to.sack_count; ++i) {
    if (to.sack[i].begin == block.begin) {
      to.sack[i].end = later(to.sack[i].end, block.end);
      return true;
    }
  }
  if (to.sack_count >= limit) return false;
  to.sack[to.sack_count++] = block;
  return true;
}

// The run of whole spans inside [block), in the other numbering. `from_begin` and `to_begin` choose the numbering.
template <class Begin, class End, class OtherBegin, class OtherEnd>
bool whole_spans(Resources& r, const SpanMap& spans, const wire::SackBlock& block, wire::SackBlock& out, Begin begin, End end,
                 OtherBegin other_begin, OtherEnd other_end) noexcept {
  bool has_any = false;
  spans.each(r.spans, [&](const Span& span) {
    if (!before(begin(span), block.end)) return false;
    if (at_or_before(block.begin, begin(span)) && at_or_before(end(span), block.end) && other_begin(span) != other_end(span)) {
      if (!has_any) out.begin = other_begin(span);
      out.end = other_end(span);
      has_any = true;
    }
    return true;
  });
  return has_any;
}

const auto kCipherBegin = [](const Span& s) { return s.cipher_begin; };
const auto kCipherEnd = [](const Span& s) { return s.cipher_end(); };
const auto kPlainBegin = [](const Span& s) { return s.plain_begin; };
const auto kPlainEnd = [](const Span& s) { return s.plain_end(); };

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
  if (f.state == FlowState::handshake) {
    edge += kHandshakeWindowBytes;
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

std::uint8_t sack_to_server(Resources& r, const Flow& f, const wire::TcpOptions& from, wire::TcpOptions& to) noexcept {
  if (!f.has_sack()) return 0;
  for (std::size_t i = 0; i < from.sack_count; ++i) {
    wire::SackBlock block;
    if (whole_spans(r, f.down.spans, from.sack[i], block, kCipherBegin, kCipherEnd, kPlainBegin, kPlainEnd)) {
      add_block(to, block, max_sack_blocks(f));
    }
  }
  return to.sack_count;
}

std::uint8_t sack_to_client(Resources& r, const Flow& f, const wire::TcpOptions& from, wire::TcpOptions& to) noexcept {
  if (!f.has_sack()) return 0;
  for (std::size_t i = 0; i < from.sack_count; ++i) {
    wire::SackBlock block;
    if (whole_spans(r, f.up.spans, from.sack[i], block, kPlainBegin, kPlainEnd, kCipherBegin, kCipherEnd)) {
      add_block(to, block, max_sack_blocks(f));
    }
  }
  return to.sack_count;
}

// The runs that changed last, newest first (RFC 2018 4): with more runs than blocks the sender hears of each when it grows, and
// does not resend what is here.
void add_held_sack(const Resources& r, const Flow& f, const Reassembly& ahead, SeqNum next, wire::TcpOptions& to) noexcept {
  if (!f.has_sack() || ahead.empty()) return;
  struct Run {
    wire::SackBlock block;
    std::uint16_t arrival = 0;
  };
  const auto came_after = [](const Run& a, const Run& b) { return static_cast<std::int16_t>(a.arrival - b.arrival) > 0; };
  std::array<Run, wire::SackBlocks::kMost + 1> newest{};  // and one to put the next into
  std::size_t count = 0;
  Run run{{next, next}};
  const auto close_run = [&] {
    if (!before(next, run.block.begin)) return;
    std::size_t at = count;
    for (; at > 0 && came_after(run, newest[at - 1]); --at) newest[at] = newest[at - 1];
    newest[at] = run;
    count = std::min(count + 1, newest.size() - 1);
  };
  ahead.each(r.held, [&](const Held& held) {
    const Run one{{held.begin, held.end()}, held.arrival};
    if (held.begin != run.block.end) {
      close_run();
      run = one;
    } else {
      run.block.end = held.end();
      if (came_after(one, run)) run.arrival = one.arrival;
    }
    return true;
  });
  close_run();
  for (std::size_t i = 0; i < count; ++i) add_block(to, newest[i].block, max_sack_blocks(f));
}

}  // namespace cutwater::splice
