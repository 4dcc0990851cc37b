// One direction of a cable, and all that can go wrong on it: loss (single and in bursts), duplication, reordering, delay, jitter,
// corruption, a rate and a queue, a smaller MTU (with or without the ICMP message), outages, and the end of it all.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <functional>
#include <string>

#include "sim/frame.hpp"
#include "sim/random.hpp"
#include "sim/timeline.hpp"

namespace cutwater::sim {

enum class Icmp : std::uint8_t { silent, sends };

struct LinkConfig {
  double loss = 0, duplicate = 0, reorder = 0, corrupt = 0, ce_mark = 0;
  double burst_start = 0, burst_stop = 0.3;     // Gilbert-Elliott: in a burst everything is lost, for at most 400 ms
  std::uint64_t delay_us = 500, jitter_us = 0, reorder_us = 5'000;
  std::uint64_t bytes_per_s = 0;                // 0: as fast as can be
  std::uint32_t queue_packets = 100;            // beyond which a limited link drops
  std::uint32_t mtu = 65'535, later_mtu = 65'535;
  std::uint64_t later_mtu_at_us = kNoTime;      // when the path changes
  Icmp icmp = Icmp::sends;
  std::uint64_t outage_at_us = kNoTime, outage_us = 0;
  std::uint64_t dead_at_us = kNoTime;           // nothing crosses any more
  std::uint32_t lost_fins = 0;                  // of the first so many segments with a FIN nothing arrives
  std::uint32_t lost_syns = 0;                  // nor of those with a SYN
};

struct LinkStats {
  std::uint64_t sent = 0, lost = 0, duplicated = 0, reordered = 0, corrupted = 0, too_big = 0, overflowed = 0;
};

class Link {
 public:
  using Deliver = std::function<void(Frame&&)>;
  Link(const LinkConfig& config, Timeline& timeline, Random random) : config_(config), timeline_(timeline), random_(random) {}

  /// `deliver` gets what arrives; `answer` gets ICMP messages for the sender. `router` is who sends them.
  void attach(Deliver deliver, Deliver answer, const Host& router) {
    deliver_ = std::move(deliver);
    answer_ = std::move(answer);
    router_ = router;
  }
  void send(Frame&& frame);
  void kill(std::uint64_t at_us) noexcept { config_.dead_at_us = at_us; }
  [[nodiscard]] bool is_dead() const noexcept { return timeline_.now() >= config_.dead_at_us; }
  [[nodiscard]] const LinkStats& stats() const noexcept { return stats_; }

 private:
  bool is_lost();
  std::uint64_t departure(std::size_t bytes);
  void deliver_at(std::uint64_t at, Frame&& frame);
  void damage(Frame& frame);

  LinkConfig config_;
  Timeline& timeline_;
  Random random_;
  Deliver deliver_, answer_;
  Host router_;
  LinkStats stats_;
  std::uint64_t busy_until_ = 0, last_arrival_ = 0;
  std::uint64_t burst_until_ = 0;
  std::uint32_t fins_ = 0, syns_ = 0;
};

}  // namespace cutwater::sim
