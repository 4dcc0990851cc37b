#include "sim/adversary.hpp"

#include <algorithm>

namespace cutwater::sim {
namespace {

bool before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }
std::uint32_t ports(std::uint16_t sender, std::uint16_t receiver) { return std::uint32_t{sender} << 16 | receiver; }

/// A segment as the sender of `s` would send it, empty.
Segment under_the_name_of(const Segment& s) {
  Segment forged = s;
  forged.flags = kAck;
  forged.ecn = 0;
  forged.payload = {};
  forged.options.sack_count = 0;
  return forged;
}

}  // namespace

void Adversary::overhear(const Segment& s) {
  Knowledge& k = known_[ports(s.target_port, s.source_port)];
  if (s.has(kRst) || s.has(kFin)) k.is_ending = true;
  if (s.has(kRst)) return;
  if (s.has(kSyn)) {
    k.shift = s.options.window_scale.value_or(0);
    return;
  }
  const std::uint32_t end = s.seq + s.length();
  if (!k.has_heard || before(k.heard, end)) k.heard = end;
  if (!k.has_heard || before(k.acked, s.ack)) k.acked = s.ack;
  const std::uint32_t edge = s.ack + (std::uint32_t{s.window} << k.shift);
  if (!k.has_heard || before(k.edge, edge)) k.edge = edge;
  k.has_heard = true;
}

Adversary::Plot Adversary::plot(Frame& frame, const Segment& s) {
  Plot plot;
  Knowledge& k = known_[ports(s.source_port, s.target_port)];
  const std::uint32_t end = s.seq + s.length();
  if (!k.has_sent || before(k.highest, end)) k.highest = end;
  k.has_sent = true;
  if (s.has(kRst) || s.has(kFin)) k.is_ending = true;
  if (!malice_.is_any() || !k.has_heard || s.has(kSyn) || s.has(kRst)) return plot;
  plan_blind(plot, s, k);
  plan_data(plot, frame, s, k);
  return plot;
}

void Adversary::plan_blind(Plot& plot, const Segment& s, const Knowledge& k) {
  const auto place = [&](const Segment& forged) { (random_.chance(0.5) ? plot.before : plot.behind).push_back(encode(forged, Padding::none)); };
  // Inside the window, but behind everything that was sent: nobody who asks "is it exactly there?" can be deceived.
  const std::int64_t room = static_cast<std::int32_t>(k.edge - k.highest) - 1;
  if (room > 0 && random_.chance(malice_.blind_reset)) {
    Segment forged = under_the_name_of(s);
    forged.flags = static_cast<std::uint8_t>(kRst | (random_.chance(0.5) ? 0 : kAck));
    forged.seq = k.highest + 1 + static_cast<std::uint32_t>(random_.below(static_cast<std::uint64_t>(room)));
    place(forged);
  }
  if (!k.is_ending && random_.chance(malice_.blind_syn)) {
    Segment forged = under_the_name_of(s);
    forged.flags = static_cast<std::uint8_t>(kSyn | (random_.chance(0.7) ? 0 : kAck));
    forged.seq = k.acked + static_cast<std::uint32_t>(random_.below(static_cast<std::uint64_t>(std::max<std::int64_t>(room, 0)) + 1'000));
    forged.options.mss = 1460;
    place(forged);
  }
  if (random_.chance(malice_.blind_ack)) {
    Segment forged = under_the_name_of(s);
    const bool is_ahead = random_.chance(0.5);  // never sent, or further back than any window reaches
    const auto away = static_cast<std::uint32_t>(random_.between(is_ahead ? 100'000 : 0x4800'0000, 0x7000'0000));
    forged.ack = is_ahead ? k.heard + away : k.heard - away;
    forged.window = static_cast<std::uint16_t>(random_.next());
    static constexpr std::array<std::uint8_t, 64> kJunk{};
    if (random_.chance(0.5)) forged.payload = kJunk;  // "old, but its payload may be new" is what it hopes for
    place(forged);
  }
  if (s.options.timestamps && random_.chance(malice_.blind_clock)) {
    Segment forged = under_the_name_of(s);
    forged.seq = k.acked + 0x2000'0000U + static_cast<std::uint32_t>(random_.below(0x4000'0000));
    forged.options.timestamps->value += static_cast<std::uint32_t>(random_.between(1'000'000, 0x7000'0000));
    place(forged);
  }
}

void Adversary::plan_data(Plot& plot, Frame& frame, const Segment& s, const Knowledge& k) {
  if (random_.chance(malice_.injection)) {
    Segment forged = under_the_name_of(s);
    std::vector<std::uint8_t> junk(random_.between(1, 1'200));
    for (auto& byte : junk) byte = static_cast<std::uint8_t>(random_.next());
    if (random_.chance(0.5)) junk[0] = 23;
    if (junk.size() > 4 && random_.chance(0.5)) junk[1] = junk[2] = 3, junk[3] = 0;
    forged.seq = k.highest + (random_.chance(0.5) ? 0U : static_cast<std::uint32_t>(random_.below(3'000)));
    forged.payload = junk;
    plot.behind.push_back(encode(forged, Padding::none));
    plot.touches_data = true;
  }
  if (s.payload.empty()) return;
  if (random_.chance(malice_.copy_behind)) plot.behind.push_back(forged_part(s)), plot.touches_data = true;
  if (random_.chance(malice_.copy_before)) plot.before.push_back(forged_part(s)), plot.touches_data = true;
  if (!random_.chance(malice_.forgery)) return;
  const auto front = static_cast<std::size_t>(s.payload.data() - frame.data());
  frame[front + random_.below(s.payload.size())] ^= static_cast<std::uint8_t>(1U << random_.below(8));
  mend_checksums(frame);
  plot.touches_data = true;
}

/// The same place in the stream, or a part of it, with another byte in it.
Frame Adversary::forged_part(const Segment& s) {
  Segment forged = s;
  std::vector<std::uint8_t> bytes(s.payload.begin(), s.payload.end());
  const std::size_t from = random_.chance(0.5) ? 0 : random_.below(bytes.size());
  const std::size_t count = random_.chance(0.5) ? bytes.size() - from : random_.between(1, bytes.size() - from);
  bytes[from + random_.below(count)] ^= static_cast<std::uint8_t>(random_.between(1, 255));
  forged.flags = kAck;
  forged.seq = s.seq + static_cast<std::uint32_t>(from);
  forged.payload = Bytes{bytes}.subspan(from, count);
  return encode(forged, Padding::none);
}

}  // namespace cutwater::sim
