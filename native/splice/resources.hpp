// What the splice works with and does not own: pools, keys, outboxes, counters, and the time of this turn. One per worker.
// Thread: owning worker.
#pragma once

#include <memory>
#include <vector>

#include "base/counters.hpp"
#include "base/object_pool.hpp"
#include "flow/timer_wheel.hpp"
#include "record/key_cache.hpp"
#include "splice/flow.hpp"
#include "splice/resent_log.hpp"
#include "splice/trace.hpp"

namespace cutwater::splice {

/// Packets to send on one side, in order. Bounded; at the cap a packet is dropped and counted, as a full ring would.
class Outbox {
 public:
  explicit Outbox(port::ChunkPool& pool) : pool_(pool), packets_(std::make_unique_for_overwrite<port::Packet[]>(kCapacity)) {}
  bool push(const port::Packet& packet) noexcept {
    if (count_ == kCapacity) {
      pool_.put(packet.chunk);
      return false;
    }
    packets_[count_++] = {packet.data, packet.bytes, packet.chunk};  // by member: a whole copy would wait for the stores before it
    return true;
  }
  [[nodiscard]] std::span<const port::Packet> packets() const noexcept { return {packets_.get(), count_}; }
  void clear() noexcept { count_ = 0; }

 private:
  static constexpr std::size_t kCapacity = 4096;
  port::ChunkPool& pool_;
  std::unique_ptr<port::Packet[]> packets_;
  std::size_t count_ = 0;
};

/// Our own end of a link.
struct LinkSide {
  MacAddress mac{};
  std::uint16_t mtu = 1500;
  std::uint16_t vlan = 0;
};

struct Resources {
  port::ChunkPool& chunks;
  const record::Aead& aead;
  Counters& counters;
  flow::TimerWheel& timers;
  SpanPool spans;
  HeldPool held;
  record::KeyCache keys;
  ObjectPool<Custody> custodies;
  ObjectPool<LocalSender> locals;
  ObjectPool<PreviousKeys> previous_keys;
  Outbox to_client, to_server;
  Outbox to_far;  // to servers that speak TLS: another flow of ours takes them up (path/far.cpp)
  LinkSide client_link, server_link;
  std::vector<Flow*> owing;  // flows that owe an acknowledgement when the burst ends
  std::uint64_t packets_to_client = 0, packets_to_server = 0;  // ever sent: tells whether a call has sent one
  ResentLog resent{};
  TraceSink* trace = nullptr;
  Tick now;
  std::uint32_t stamp_origin = 0;  // of our own timestamps, so that they do not tell how long we run
};

/// Where packets to the server of a route go.
inline Outbox& outbox_to_server(Resources& r, const Route& route) noexcept {
  return route.policy.speech == ServerSpeech::clear ? r.to_server : r.to_far;
}

/// Our own timestamp (RFC 7323), for who sees us before a server: milliseconds, as Linux counts.
inline std::uint32_t own_stamp(const Resources& r) noexcept { return static_cast<std::uint32_t>(r.now.us / 1000) + r.stamp_origin; }

}  // namespace cutwater::splice
