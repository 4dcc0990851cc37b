// What became of a packet or a flow, and why. One list makes enum, text and counter (docs/counters.md is generated from it).
// Thread: any.
#pragma once

#include <cstdint>
#include <string_view>

namespace cutwater {

// Each line: name, text. Whose fault, and what to do.
#define CUTWATER_DROPS(X)                                                                                            \
  X(none, "not dropped")                                                                                             \
  X(short_header, "headers cut short: sender or driver broken")                                                      \
  X(bad_length, "a length field contradicts the packet: sender broken, or an attack")                                \
  X(bad_checksum, "IP or TCP checksum wrong: line errors, or checksum offload left on at a veth peer (see doctor)")  \
  X(not_tcp, "not TCP: steered here by mistake")                                                                     \
  X(fragment, "an IP fragment: path MTU discovery is broken somewhere")                                              \
  X(no_service, "no service listens at that address and port")                                                       \
  X(no_flow, "no flow for that packet; answered with RST")                                                           \
  X(flow_table_full, "more flows than max_flows: raise it, or look for a flood")                                     \
  X(bad_sequence, "outside the receive window: old duplicate, or a blind attack (RFC 5961)")                         \
  X(bad_ack, "acknowledges bytes never sent")                                                                        \
  X(bad_flags, "a combination of TCP flags no sender uses")                                                          \
  X(paws, "timestamp older than one already seen (RFC 7323 5)")                                                      \
  X(window_exceeded, "the sender ignored our window")                                                                \
  X(reassembly_full, "too many bytes out of order: repaired by retransmission")                                      \
  X(custody_full, "custody at its cap: repaired by retransmission")                                                  \
  X(spans_full, "span map at its cap: repaired by retransmission")                                                   \
  X(no_chunk, "chunk pool dry: raise chunks, or look for a flow that holds them")                                    \
  X(tx_full, "transmit ring full: repaired by retransmission")                                                       \
  X(handshake_full, "too much handshake input, or too many handshakes at once")                                      \
  X(early_server_data, "the server sent before the handshake was done, against a zero window")                       \
  X(stale_record, "a resent record that does not open: damaged on the way; the first copy stands")                   \
  X(epoch_busy, "under a client's third key while records of two were unacknowledged: repaired by retransmission")   \
  X(no_neighbour, "the server's link address is not known yet")                                                      \
  X(no_server, "a new flow, and every server of its service is down or draining; answered with RST")                 \
  X(servers_full, "a new flow, and every server of its service has maxSessions; the client asks again")              \
  X(no_source_port, "no free port of the pool towards the server: more pool addresses")                              \
  X(after_close, "data for a flow that has ended")                                                                   \
  X(not_first, "the first bytes of a new connection are missing: repaired by retransmission")

#define CUTWATER_RESETS(X)                                                                                           \
  X(none, "not reset")                                                                                               \
  X(by_client, "the client sent RST")                                                                                \
  X(by_server, "the server sent RST; the client got RST, never a clean end")                                         \
  X(server_refused, "the server refused the connection")                                                             \
  X(server_tls_failed, "no server of the service could be trusted or spoken TLS with; internal_error sent, or 502")   \
  X(server_unreachable, "no server answered in time, or none may be asked; internal_error sent")                     \
  X(no_route, "no route of the service fits the connection, or the request; unrecognized_name, or 404")                \
  X(bad_request, "a request that is no sound HTTP/1.1; answered with 400 or 431")                                    \
  X(bad_response, "a server's answer that is no sound HTTP/1.1; 502, or reset when some of it was sent")             \
  X(server_lost, "a server ended or reset its connection and a request was left without an answer; 502")             \
  X(bad_tag, "a record did not authenticate: damaged or forged; bad_record_mac sent")                                \
  X(bad_record, "record framing broken by the client; alert sent")                                                   \
  X(record_overflow, "a record larger than the protocol allows; record_overflow sent")                               \
  X(unexpected_message, "a message that may not come here (renegotiation, unknown type); alert sent")                \
  X(truncated, "the client ended TCP without close_notify (truncation: reset)")                                      \
  X(truncated_in_record, "the client ended TCP inside a record")                                                     \
  X(client_alert, "the client sent a fatal alert")                                                                   \
  X(plaintext_changed, "the server resent other bytes under a used record number; refused (I3)")                     \
  X(key_update_flood, "more key updates than 100 a second")                                                          \
  X(handshake_failed, "the TLS handshake failed; see the handshake counters")                                        \
  X(handshake_timeout, "the client did not finish its handshake in time")                                            \
  X(half_open_reaped, "a half-open client gave way to newer ones: more of them than max_half_open, or hello blocks")  \
  X(idle_timeout, "nothing moved for the service's idle timeout")                                                    \
  X(retries_exhausted, "our own bytes were never acknowledged")                                                      \
  X(service_removed, "its service was taken out of the configuration")                                               \
  X(server_removed, "its server was taken out of the configuration, and `drainLimit` is over")                       \
  X(shutdown, "the appliance stopped")

enum class Drop : std::uint8_t {
#define X(name, text) name,
  CUTWATER_DROPS(X)
#undef X
      count_
};
enum class Reset : std::uint8_t {
#define X(name, text) name,
  CUTWATER_RESETS(X)
#undef X
      count_
};

enum class Action : std::uint8_t {
  forward,  // the chunk is in an outbox
  hold,     // the splice owns the chunk now
  consume,  // done with, nothing wrong: the chunk goes back
  drop,     // as consume, and counted under its reason
};
struct [[nodiscard]] Verdict {
  Action action = Action::consume;
  Drop reason = Drop::none;  // names a cause exactly when action is drop
};
constexpr Verdict kForward{Action::forward, Drop::none};
constexpr Verdict kHold{Action::hold, Drop::none};
constexpr Verdict kConsume{Action::consume, Drop::none};
constexpr Verdict dropped(Drop reason) noexcept { return {Action::drop, reason}; }

}  // namespace cutwater
