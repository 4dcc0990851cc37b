// One end of a TCP connection, moved by hand: it sends exactly the ranges of its stream that a test names, as often and in
// whatever cut the test wants, and keeps what it gets. It has no timer, no congestion control and no opinion.
// Used by: path_rig.
#pragma once

#include <map>
#include <vector>

#include "sim/frame.hpp"

namespace cutwater::support {

using ByteVector = std::vector<std::uint8_t>;

struct ScriptedEnd {
  sim::Host host;
  sim::Host gateway;       // where its packets go first: the device's own port on that side
  IpAddress peer;          // whom it talks to
  std::uint16_t port = 0, peer_port = 0;
  std::uint32_t isn = 0;
  std::uint32_t window_bytes = 1U << 20;
  std::uint8_t window_scale = 7;
  std::uint16_t mss = 1460;
  bool has_sack = true, has_timestamps = false;
  std::uint32_t clock_ms = 1;  // for timestamps

  ByteVector out;            // all it has to say; ranges are sent by segment()
  ByteVector in;             // all it got, in order
  std::map<std::size_t, ByteVector> ahead;  // got behind a gap, by offset
  std::uint32_t peer_isn = 0;
  bool has_fin = false, has_rst = false;
  bool is_contradicted = false;  // a byte came twice and was not the same: never to happen (A15)
  std::size_t acked = 0;         // of out, as it was told
  std::size_t window_end = 0;    // offset in out that it may send up to, as it was told
  std::uint32_t echo = 0;        // newest timestamp heard
  std::uint8_t peer_shift = 0;   // of the windows it is shown

  [[nodiscard]] std::uint32_t seq_at(std::size_t offset) const { return isn + 1U + static_cast<std::uint32_t>(offset); }
  [[nodiscard]] std::uint32_t ack_number() const {
    return peer_isn + 1U + static_cast<std::uint32_t>(in.size()) + (has_fin ? 1U : 0U);
  }

  /// A segment of its stream, acknowledging all it has. Requires: [offset, offset + bytes) lies in `out`.
  [[nodiscard]] sim::Segment segment(std::size_t offset, std::size_t bytes, std::uint8_t flags = sim::kAck) const;
  [[nodiscard]] sim::Segment syn(std::uint8_t flags) const;
  /// Takes a packet in. Duplicates are compared with what came first.
  void take(const sim::Segment& s);

 private:
  void keep(std::size_t offset, Bytes bytes);
  [[nodiscard]] sim::Segment blank() const;
};

}  // namespace cutwater::support
