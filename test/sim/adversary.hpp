// Somebody beside the cable, in front of one side of the device. Off the path it knows addresses and numbers, but no key: it
// sends resets, SYNs, acknowledgements, data and clocks of its own. On the path it changes payload and mends the checksums.
// What it may not achieve is judged by run: blind segments change nothing; data under a false name may end a connection, and
// never become bytes that somebody reads (but those that `release: streaming` risks).
// Thread: one run, one thread. Used by: run.
#pragma once

#include <map>
#include <vector>

#include "sim/frame.hpp"
#include "sim/random.hpp"

namespace cutwater::sim {

/// Chances, each per segment that passes towards the device.
struct Malice {
  double blind_reset = 0;   // RST inside the window, not at its edge (RFC 5961 3)
  double blind_syn = 0;     // SYN inside the window (RFC 5961 4)
  double blind_ack = 0;     // acknowledges what was never sent, or what is long past (RFC 5961 5)
  double blind_clock = 0;   // outside of the window, with a timestamp hours ahead (RFC 7323 5.3)
  double injection = 0;     // data where the next byte is expected, or ahead of it
  double copy_behind = 0;   // a part of the segment with other bytes, behind it
  double copy_before = 0;   // the same, before it
  double forgery = 0;       // a bit of the payload changed on the way
  [[nodiscard]] bool is_any() const noexcept {
    return blind_reset + blind_syn + blind_ack + blind_clock + injection + copy_behind + copy_before + forgery > 0;
  }
};

class Adversary {
 public:
  Adversary(const Malice& malice, Random random) : malice_(malice), random_(random) {}

  struct Plot {
    std::vector<Frame> before, behind;  // of the segment itself
    bool touches_data = false;          // bytes under a false name: the connection may end over it
  };
  /// A segment is about to enter the device; `frame` may be changed. Requires: `segment` was decoded from `frame`.
  Plot plot(Frame& frame, const Segment& segment);
  /// The device said something to that side: where its window stands.
  void overhear(const Segment& from_device);

 private:
  /// What is known of one connection: numbers of the segments that enter, and of what the device says to them.
  struct Knowledge {
    std::uint32_t highest = 0, acked = 0, edge = 0, heard = 0;  // highest: end of what was sent; heard: end of what the device sent
    std::uint8_t shift = 0;
    bool has_sent = false, has_heard = false;
    bool is_ending = false;  // from then on a SYN may rightly begin another connection
  };
  void plan_blind(Plot& plot, const Segment& s, const Knowledge& k);
  void plan_data(Plot& plot, Frame& frame, const Segment& s, const Knowledge& k);
  Frame forged_part(const Segment& s);

  Malice malice_;
  Random random_;
  std::map<std::uint32_t, Knowledge> known_;  // by the two ports, the sender's first
};

}  // namespace cutwater::sim
