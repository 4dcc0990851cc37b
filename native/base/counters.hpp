// Counters of one worker: written by it alone, read by anyone. Relaxed: a snapshot may be a packet late, never torn.
// Thread: add() by the owner, value() by any.
#pragma once

#include <array>
#include <atomic>

#include "base/verdict.hpp"

namespace cutwater {

// name, help: exported as they stand, stable.
#define CUTWATER_COUNTERS(X)                                                       \
  X(packets_from_clients, "packets received on the client side")                   \
  X(packets_from_servers, "packets received on the server side")                   \
  X(packets_to_clients, "packets sent to clients")                                 \
  X(packets_to_servers, "packets sent to servers")                                 \
  X(plaintext_up_bytes, "plaintext bytes sent to servers, resent ones not counted") \
  X(plaintext_down_bytes, "plaintext bytes sealed for clients")                    \
  X(records_opened, "records opened")                                              \
  X(records_sealed, "records sealed for the first time")                           \
  X(records_resealed, "records sealed again, byte for byte, for a retransmission (A15)") \
  X(records_reopened, "records opened again because the client resent them")       \
  X(cut_through_up_packets, "client packets opened in place and forwarded")        \
  X(custody_up_packets, "client packets taken into custody")                       \
  X(cut_through_down_packets, "server packets sealed in place and forwarded")      \
  X(custody_entered, "times a direction went into custody (A11)")                  \
  X(custody_left, "times it came out again")                                       \
  X(custody_resent, "segments resent from custody")                                \
  X(local_sent, "segments of our own bytes sent to clients")                       \
  X(local_resent, "segments of our own bytes sent again")                          \
  X(held_down_packets, "server packets held for order or window (A14)")            \
  X(held_up_packets, "client packets held for order")                              \
  X(pieces_kept, "partly resent records kept until whole (I3)")                    \
  X(acks_sent, "acknowledgements of our own")                                      \
  X(key_updates_received, "KeyUpdate messages from clients")                       \
  X(key_updates_sent, "KeyUpdate messages of our own")                             \
  X(flows_opened, "flows admitted")                                                \
  X(syns_answered, "SYNs of clients answered by the device itself, with a cookie and without state (A9)") \
  X(cookies_taken, "clients that came back with their cookie and their first bytes") \
  X(connects_sent, "SYNs of our own to servers (A9)")                              \
  X(flows_established, "TLS handshakes completed")                                 \
  X(flows_resumed, "of those, resumed")                                            \
  X(flows_passed, "flows whose bytes pass untouched, from when their server answered")  \
  X(passed_up_packets, "packets of clients with bytes that passed untouched")      \
  X(passed_down_packets, "packets of servers with bytes that passed untouched")    \
  X(passed_up_bytes, "bytes of clients that passed untouched, resent ones not counted") \
  X(passed_down_bytes, "bytes of servers that passed untouched, resent ones not counted") \
  X(flows_closed, "flows that ended cleanly on both sides")                        \
  X(flows_moved, "flows that another server got because the first refused or did not answer (A8)") \
  X(servers_shunned, "times a server failed so often in a row that it gets nothing for a while") \
  X(requests_passed, "HTTP/1.1 requests given to servers (A10)")                   \
  X(requests_switched, "of those, to another server than the one before on their connection") \
  X(requests_retried, "of those, given to a server again because the first ended without a word") \
  X(legs_reused, "of those switched, over a connection that had been kept")        \
  X(request_bad_line, "requests refused: a first line that is none of HTTP/1.1 or 1.0") \
  X(request_bad_target, "requests refused: a malformed target, or another host than the Host header") \
  X(request_bad_field, "requests refused: a header line without a sound name, colon and value") \
  X(request_folded, "requests refused: a header continued on the next line (obs-fold)") \
  X(request_bare_line_end, "requests refused: a CR or LF by itself, or a NUL")     \
  X(request_host_missing, "requests refused: no Host")                             \
  X(request_host_repeated, "requests refused: more than one Host")                 \
  X(request_bad_length, "requests refused: a Content-Length that is no number, or more than one") \
  X(request_length_and_coding, "requests refused: Content-Length and Transfer-Encoding together") \
  X(request_bad_coding, "requests refused: a transfer coding other than chunked")  \
  X(request_bad_chunk, "requests refused: a malformed chunk size, line end or trailer") \
  X(request_head_too_long, "requests refused: a head longer than http.maxHead")    \
  X(ports_translated, "flows whose port was changed towards the server, where another flow had it already") \
  X(resets_answered, "packets without a flow answered with RST")                   \
  X(too_big_translated, "ICMP packet too big, believed and translated")            \
  X(challenge_acks, "challenge acknowledgements (RFC 5961)")                       \
  X(hellos_retried, "first hellos answered with a HelloRetryRequest, before anybody worked for them (H3)") \
  X(cookies_accepted, "second hellos that brought their cookie back")              \
  X(cookies_refused, "second hellos with another cookie, or none")                 \
  X(hellos_deferred, "TLS 1.2 hellos answered from a template, before anybody worked for them (RSA key exchange, H3)") \
  X(replies_handed_over, "of those, whose secret came and went to a processor together with their hello (H4)") \
  X(retries_switched_on, "times hellos piled up so that retries began (hello.retry: auto)") \
  X(tls12_established, "TLS 1.2 handshakes completed")                             \
  X(tls13_established, "TLS 1.3 handshakes completed")

enum class Count : std::uint8_t {
#define X(name, help) name,
  CUTWATER_COUNTERS(X)
#undef X
      count_
};

class Counters {
 public:
  void add(Count c, std::uint64_t n = 1) noexcept { bump(counts_[static_cast<std::size_t>(c)], n); }
  void add(Drop d) noexcept { bump(drops_[static_cast<std::size_t>(d)], 1); }
  void add(Reset r) noexcept { bump(resets_[static_cast<std::size_t>(r)], 1); }
  void add_handshake_failure(std::size_t reason) noexcept {
    if (reason < failures_.size()) bump(failures_[reason], 1);
  }
  [[nodiscard]] std::uint64_t value(Count c) const noexcept { return read(counts_[static_cast<std::size_t>(c)]); }
  [[nodiscard]] std::uint64_t value(Drop d) const noexcept { return read(drops_[static_cast<std::size_t>(d)]); }
  [[nodiscard]] std::uint64_t value(Reset r) const noexcept { return read(resets_[static_cast<std::size_t>(r)]); }
  [[nodiscard]] std::uint64_t handshake_failures(std::size_t reason) const noexcept { return read(failures_[reason]); }

  static constexpr std::size_t kFailureReasons = 32;

 private:
  using Cell = std::atomic<std::uint64_t>;
  static void bump(Cell& cell, std::uint64_t n) noexcept {  // one writer: a load and a store, no locked add
    cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  static std::uint64_t read(const Cell& cell) noexcept { return cell.load(std::memory_order_relaxed); }

  std::array<Cell, static_cast<std::size_t>(Count::count_)> counts_{};
  std::array<Cell, static_cast<std::size_t>(Drop::count_)> drops_{};
  std::array<Cell, static_cast<std::size_t>(Reset::count_)> resets_{};
  std::array<Cell, kFailureReasons> failures_{};
};

}  // namespace cutwater
