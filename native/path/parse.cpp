// Stage 2: headers once, checksums once (wire/tcp_header.hpp). What is not a sound TCP segment ends here, counted by reason.
#include "path/state.hpp"
#include "wire/tcp_header.hpp"

namespace cutwater::path {
namespace {

Drop reason(wire::ParseError error) noexcept {
  switch (error) {
    case wire::ParseError::none: return Drop::none;
    case wire::ParseError::not_tcp: return Drop::not_tcp;
    case wire::ParseError::short_header: return Drop::short_header;
    case wire::ParseError::bad_length: return Drop::bad_length;
    case wire::ParseError::fragment: return Drop::fragment;
    case wire::ParseError::bad_checksum: return Drop::bad_checksum;
  }
  return Drop::bad_length;
}

// Combinations that no TCP sends and that only confuse the states behind (RFC 9293 3.1, 3.10).
bool has_sound_flags(const wire::Segment& s) noexcept {
  const bool is_syn = s.has(wire::kSyn), is_fin = s.has(wire::kFin), is_rst = s.has(wire::kRst);
  if (is_syn && (is_fin || is_rst)) return false;
  if (is_fin && is_rst) return false;
  return is_syn || is_rst || s.has(wire::kAck);
}

void parse_one(State& s, Side side, Work& w) noexcept {
  const wire::ParseError error = wire::read_headers(w.packet.view(), w.segment);
  if (error == wire::ParseError::not_tcp && take_too_big(s, side, w)) return;
  if (error != wire::ParseError::none) w.verdict = dropped(reason(error));
  else if (!has_sound_flags(w.segment)) w.verdict = dropped(Drop::bad_flags);
}

}  // namespace

void parse(State& s, Side side, std::span<Work> work) noexcept {
  for (Work& w : work) parse_one(s, side, w);
}

}  // namespace cutwater::path
