// One TCP connection through the device, both ends: everything that is kept while it is idle, in at most 512 bytes, keys
// included. What exists only while something is under way (custody, local bytes, an earlier epoch's keys) hangs off it.
// Not here: what is done with it (up.cpp, down.cpp, close.cpp). Thread: owning worker.
// Implements: H2, H10, A6.
#pragma once

#include "base/ip_address.hpp"
#include "base/tick.hpp"
#include "base/verdict.hpp"
#include "record/key_update.hpp"
#include "record/traffic_secret.hpp"
#include "splice/reassembly.hpp"
#include "splice/route.hpp"
#include "splice/span_map.hpp"
#include "wire/tcp.hpp"

namespace cutwater::http {
class Exchange;
}

namespace cutwater::splice {

class Custody;
class LocalSender;

enum class FlowState : std::uint8_t {
  free,
  syn_sent,      // the client's SYN went to the server
  syn_answered,  // the server's SYN-ACK went to the client
  handshake,     // TCP is up; TLS is being negotiated; the server is shown a zero window
  established,   // the splice is at work
  passing,       // its bytes pass untouched, by path/pass.cpp; or wait for its server (`link`)
  draining,      // the server side is gone; the client still has an alert and a FIN to get
  lingering,     // both ends have closed; late retransmissions are answered
};

/// How far the connection to the server is. In direct mode the client's own SYN makes it; in proxy mode it is ours and comes last.
enum class ServerLink : std::uint8_t { none, asked /* our SYN is out */, up };
/// A FIN that the device answers for: none yet, sent until acknowledged, acknowledged.
enum class FinState : std::uint8_t { none, owed, acked };
/// A change of keys. Down: a KeyUpdate of our own is due before the next record. Up: the client's has come, and waits for
/// records of older epochs to be acknowledged.
enum class UpdateState : std::uint8_t { none, owed };
/// How far the client's stream has come to its end.
enum class UpEnd : std::uint8_t { open, notified /* close_notify read */, finished /* its FIN consumed too */ };

/// What both directions of a flow need to know of one side's TCP.
struct SideState {
  std::uint32_t ts_value = 0;      // newest timestamp value seen from that side (RFC 7323)
  std::uint16_t mss = 536;         // payload bytes a segment to that side may carry, options already taken off
  std::uint8_t window_shift = 0;   // of the windows that side advertises
  std::uint8_t ttl = 64;           // of its packets, less our hop

  /// What we send is stamped with the newest value of all that came from there.
  void note_clock(const wire::TcpOptions& options) noexcept {
    if (options.has_timestamps && static_cast<std::int32_t>(options.ts_value - ts_value) > 0) ts_value = options.ts_value;
  }
};

/// Client to server: ciphertext comes, plaintext goes.
struct Up {
  SeqNum cipher_next;    // next byte expected from the client
  SeqNum plain_next;     // next plaintext byte, as numbered towards the server
  SeqNum first_plain;    // where the stream began
  SeqNum plain_una;      // the server has acknowledged everything before
  SeqNum server_edge;    // end of the server's window, in plaintext
  SeqNum ack_shown, edge_shown;  // what the client was last told, in ciphertext
  SpanMap spans;
  Reassembly ahead;      // ciphertext behind a gap
  Reassembly pieces;     // parts of records that were resent in another cut
  std::uint32_t ts_recent = 0;  // TS.Recent of RFC 7323 4.3: no segment of the client may be older
  std::uint64_t number = 0;  // of the next record; while bytes pass untouched, the end of what the server was sent
  std::uint8_t epoch = 0;
  UpEnd end = UpEnd::open;
  FinState fin = FinState::none;  // our FIN to the server
  UpdateState update = UpdateState::none;
  std::uint8_t shift_shown = 0;   // of the windows the client is shown
  std::uint16_t custodies = 0;    // times the direction went into custody; stays at its largest value

  [[nodiscard]] SeqNum sent() const noexcept { return SeqNum{static_cast<std::uint32_t>(number)}; }
  void set_sent(SeqNum end) noexcept { number = end.value; }
};

/// Server to client: plaintext comes, ciphertext goes.
struct Down {
  SeqNum plain_next;     // next byte expected from the server; everything before is sealed
  SeqNum first_plain;    // where the stream began
  SeqNum cipher_next;    // next ciphertext byte towards the client
  SeqNum cipher_una;     // the client has acknowledged everything before
  SeqNum client_edge;    // end of the client's window, in ciphertext
  SeqNum ack_shown, edge_shown;  // what the server was last told, in plaintext
  SpanMap spans;
  Reassembly ahead;      // plaintext behind a gap, or not admitted by the client's window (A14)
  Reassembly pieces;
  std::uint32_t ts_recent = 0;  // of the server's segments, as in Up
  std::uint64_t number = 0;  // as above, the client
  std::uint8_t epoch = 0;
  FinState fin = FinState::none;  // our close_notify and FIN to the client
  UpdateState update = UpdateState::none;
  std::uint8_t shift_shown = 0;     // of the windows the server is shown
  std::uint32_t stamp_offset = 0;   // the client sees the server's timestamps so much later (proxy mode: it saw ours first)

  [[nodiscard]] SeqNum sent() const noexcept { return SeqNum{static_cast<std::uint32_t>(number)}; }
  void set_sent(SeqNum end) noexcept { number = end.value; }
};

/// Keys of the epoch before, kept while spans of it may be unacknowledged.
struct PreviousKeys {
  record::TrafficKeys up, down;
  PreviousKeys() noexcept = default;
  PreviousKeys(const PreviousKeys&) = delete;
  PreviousKeys& operator=(const PreviousKeys&) = delete;
  ~PreviousKeys() { wipe(this, sizeof(record::TrafficKeys) * 2); }
};

// What a flow needs before a secure processor works for it is kept in 200 bytes meanwhile: a new member that says something
// about a half-open client belongs into path/half_open.cpp too.
struct Flow {
  // Touched by every packet.
  Up up;
  Down down;
  const record::Suite* suite = nullptr;
  record::TrafficKeys up_keys, down_keys;
  SideState client_tcp, server_tcp;
  FlowState state = FlowState::free;
  Reset reset_reason = Reset::none;
  std::uint8_t owed_acks = 0;          // kAckClient, kAckServer, kDuplicate: settled when the burst ends
  std::uint8_t answered_at = 0;        // when a segment that moves nothing was last answered, in quarter seconds modulo 256
  ServerLink link = ServerLink::none;
  std::uint8_t untold = 0;             // segments behind a gap of which the server is told when the client has answered; stays at 255
  std::uint16_t option_flags = 0;      // which end agreed on timestamps and SACK; what is to be told of congestion (RFC 3168)
  std::uint16_t max_fragment_bytes = 16384;
  MacAddress client_mac{};
  std::uint32_t index = 0, generation = 0;
  Tick last_active;

  // Who it is.
  const Route* route = nullptr;        // kept alive by its flows
  End client;
  std::uint16_t source_port = 0;       // of the client, as the server sees it: its own unless that was taken
  std::uint16_t tried = 0;             // servers that failed it, by path/place
  bool has_session = false;            // counted at its server; ends when the server's side is done

  // Under way.
  Custody* custody = nullptr;
  LocalSender* local = nullptr;
  http::Exchange* exchange = nullptr;  // where requests are read: what of them may go to the server
  PreviousKeys* previous = nullptr;
  std::uint32_t handshake = ~0U;       // index into the handshakes under way
  std::uint32_t opened_ms = 0;         // when its SYN came, modulo 2^32 (49 days)
  std::uint32_t client_rtt_us = 0;     // of the TCP handshake: where our own timer starts
  std::uint32_t way_changed_ms = 0;    // when the up direction last changed between cut-through and custody, as opened_ms

  // Rarely needed.
  Tick expires;                        // of the handshake, of draining, of lingering
  record::KeyUpdateLimit update_limit;
  record::PostHandshakeReader post_handshake;
  record::TrafficSecret up_secret, down_secret;

  static constexpr std::uint16_t kClientTimestamps = 1, kClientSack = 2, kClientScale = 4;  // what each end offered
  static constexpr std::uint16_t kEceFromServer = 8, kEceFromClient = 16;  // its newest segment echoed a mark: so do ours to the other
  static constexpr std::uint16_t kMarkTaken = 32;                          // a marked segment ended in custody: we echo it, until CWR
  static constexpr std::uint16_t kCwrToServer = 64;                        // came into custody: its next new data takes it along
  static constexpr std::uint16_t kServerTimestamps = 128, kServerSack = 256;
  static constexpr std::uint8_t kAckClient = 1, kAckServer = 2, kListed = 4;
  [[nodiscard]] bool has(std::uint16_t option) const noexcept { return (option_flags & option) != 0; }
  void note(std::uint16_t flag, bool is_set) noexcept {
    option_flags = static_cast<std::uint16_t>(is_set ? option_flags | flag : option_flags & ~flag);
  }
  /// The client's address as the server sees it.
  [[nodiscard]] const IpAddress& source() const noexcept { return route->has_pool ? route->pool : client.address; }
};
static_assert(sizeof(Flow) <= 512, "the budget of an idle flow (splice.md)");

}  // namespace cutwater::splice
