// What the splice saw and sent, packet by packet, for people: off unless somebody asks. A null sink costs one branch.
// Thread: owning worker writes; the sink decides who reads.
#pragma once

#include <cstdint>

namespace cutwater::splice {

enum class TraceSide : std::uint8_t { client, server };
enum class TraceDirection : std::uint8_t { rx, tx };
enum class TraceNote : std::uint8_t {
  none,
  opened_in_place,
  custody_in,        // ciphertext taken into custody
  custody_out,       // plaintext sent from custody
  custody_resent,
  sealed,
  resealed,
  reopened,
  local_bytes,
  local_resent,
  acknowledged,      // an acknowledgement of our own
  translated,        // a pure acknowledgement, translated
  held,
  reset,
  passed,            // SYN or SYN-ACK: numbers kept, MSS and options rewritten
  connecting,        // a SYN of our own
};

struct TraceRecord {
  std::uint64_t at_us = 0;
  std::uint32_t flow = 0;
  TraceSide side = TraceSide::client;
  TraceDirection direction = TraceDirection::rx;
  std::uint8_t flags = 0;
  TraceNote note = TraceNote::none;
  std::uint32_t seq = 0, ack = 0, window = 0, payload_bytes = 0;
  std::int64_t first_record = -1, last_record = -1;
};

class TraceSink {
 public:
  virtual ~TraceSink() = default;
  virtual void record(const TraceRecord& entry) noexcept = 0;
};

}  // namespace cutwater::splice
