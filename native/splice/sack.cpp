#include "splice/sack.hpp"

#include <algorithm>
#include <array>

namespace cutwater::splice {
namespace {

// 40 bytes of options. `timestamps`: of the side that is told.
std::size_t max_sack_blocks(const Flow& f, std::uint16_t timestamps) noexcept { return f.has(timestamps) ? 3 : 4; }

// The blocks of one acknowledgement as they are written: a report of what came twice is first, and stays what it is.
class Blocks {
 public:
  Blocks(wire::TcpOptions& to, std::size_t limit) noexcept : to_(to), limit_(limit) {}
  void report(const wire::SackBlock& block) noexcept {
    if (has_report_) return;
    to_.sack[0] = block;
    to_.sack_count = 1;
    has_report_ = true;
  }
  void add(const wire::SackBlock& block) noexcept {
    for (std::size_t i = has_report_ ? 1 : 0; i < to_.sack_count; ++i) {
      if (to_.sack[i].begin == block.begin) {
        to_.sack[i].end = later(to_.sack[i].end, block.end);
        return;
      }
    }
    if (to_.sack_count < limit_) to_.sack[to_.sack_count++] = block;
  }

 private:
  wire::TcpOptions& to_;
  std::size_t limit_;
  bool has_report_ = false;
};

struct Range {
  SeqNum begin, end;
};
struct UpWay {  // the server's blocks become the client's
  static Range heard(const Span& s) noexcept { return {s.plain_begin, s.plain_end()}; }
  static Range told(const Span& s) noexcept { return {s.cipher_begin, s.cipher_end()}; }
  static Range heard(const Resent& s) noexcept { return {s.plain_begin, s.plain_end}; }
  static Range told(const Resent& s) noexcept { return {s.cipher_begin, s.cipher_end}; }
  static constexpr auto kDirection = record::KeyId::Direction::up;
};
struct DownWay {
  static Range heard(const Span& s) noexcept { return UpWay::told(s); }
  static Range told(const Span& s) noexcept { return UpWay::heard(s); }
  static Range heard(const Resent& s) noexcept { return UpWay::told(s); }
  static Range told(const Resent& s) noexcept { return UpWay::heard(s); }
  static constexpr auto kDirection = record::KeyId::Direction::down;
};

bool is_inside(const Range& range, const wire::SackBlock& block) noexcept {
  return at_or_before(block.begin, range.begin) && at_or_before(range.end, block.end);
}

// The run of whole spans inside the block, in the other numbering.
template <class Way>
std::optional<wire::SackBlock> whole_spans(Resources& r, const SpanMap& spans, const wire::SackBlock& block) noexcept {
  std::optional<wire::SackBlock> out;
  spans.each(r.spans, [&](const Span& span) {
    const Range heard = Way::heard(span), told = Way::told(span);
    if (!before(heard.begin, block.end)) return false;
    if (!is_inside(heard, block) || told.begin == told.end) return true;
    if (!out) out = wire::SackBlock{told.begin, told.end};
    out->end = told.end;
    return true;
  });
  return out;
}

// The spans of what came twice have left the map; those that were sent again lately are remembered.
template <class Way>
std::optional<wire::SackBlock> resent_spans(const Resources& r, const Flow& f, const wire::SackBlock& block) noexcept {
  std::optional<wire::SackBlock> out;
  r.resent.each(f.index, f.generation, Way::kDirection, [&](const Resent& span) {
    if (!is_inside(Way::heard(span), block)) return;
    const Range told = Way::told(span);
    if (!out) out = wire::SackBlock{told.begin, told.end};
    else if (told.end == out->begin) out->begin = told.begin;
    else if (told.begin == out->end) out->end = told.end;
  });
  return out;
}

// `heard_ack`: how far the far side's own acknowledgement goes. A first block below it, or inside the second, is a report.
template <class Way>
void translate(Resources& r, const Flow& f, const SpanMap& spans, SeqNum heard_ack, SeqNum ack, const wire::TcpOptions& from,
               Blocks& to) noexcept {
  std::size_t first = 0;
  if (from.sack_count != 0 && at_or_before(from.sack[0].end, heard_ack)) {
    const auto twice = resent_spans<Way>(r, f, from.sack[0]);
    if (twice && at_or_before(twice->end, ack)) to.report(*twice);
    first = 1;
  } else if (from.sack_count > 1 && is_inside({from.sack[0].begin, from.sack[0].end}, from.sack[1])) {
    const auto twice = whole_spans<Way>(r, spans, from.sack[0]);
    if (twice) to.report(*twice);
    first = 1;
  }
  for (std::size_t i = first; i < from.sack_count; ++i) {
    const auto block = whole_spans<Way>(r, spans, from.sack[i]);
    if (block) to.add(*block);
  }
}

// The runs that changed last, newest first (RFC 2018 4): with more runs than blocks the sender hears of each when it grows, and
// does not resend what is here.
void add_held(const Resources& r, const Reassembly& ahead, SeqNum next, Blocks& to) noexcept {
  if (ahead.empty()) return;
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
    if (!held.is_promised()) return true;
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
  for (std::size_t i = 0; i < count; ++i) to.add(newest[i].block);
}

// What came twice inside a run that we hold: that run is the second block (RFC 2883 4.2).
void add_around(const Resources& r, const Reassembly& ahead, const wire::SackBlock& twice, Blocks& to) noexcept {
  wire::SackBlock run{};
  ahead.each(r.held, [&](const Held& held) {
    if (held.begin == run.end) run.end = held.end();
    else if (at_or_before(held.begin, twice.begin)) run = {held.begin, held.end()};
    else return false;
    return true;
  });
  if (is_inside({twice.begin, twice.end}, run)) to.add(run);
}

}  // namespace

void put_sack_for_client(Resources& r, const Flow& f, SeqNum ack, const wire::TcpOptions* heard,
                         const std::optional<wire::SackBlock>& twice, wire::TcpOptions& to) noexcept {
  if (!f.has(Flow::kClientSack)) return;
  Blocks blocks(to, max_sack_blocks(f, Flow::kClientTimestamps));
  if (twice) blocks.report(*twice);
  if (heard != nullptr) translate<UpWay>(r, f, f.up.spans, f.up.plain_una, ack, *heard, blocks);
  if (twice && before(ack, twice->end)) add_around(r, f.up.ahead, *twice, blocks);
  add_held(r, f.up.ahead, f.up.cipher_next, blocks);
}

void put_sack_for_server(Resources& r, const Flow& f, SeqNum ack, const wire::TcpOptions* heard,
                         const std::optional<wire::SackBlock>& twice, wire::TcpOptions& to) noexcept {
  if (!f.has(Flow::kServerSack)) return;
  Blocks blocks(to, max_sack_blocks(f, Flow::kServerTimestamps));
  if (twice) blocks.report(*twice);
  if (heard != nullptr) translate<DownWay>(r, f, f.down.spans, f.down.cipher_una, ack, *heard, blocks);
  if (twice && before(ack, twice->end)) add_around(r, f.down.ahead, *twice, blocks);
  add_held(r, f.down.ahead, f.down.plain_next, blocks);
}

}  // namespace cutwater::splice
