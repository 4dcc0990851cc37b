// Handshake messages after the handshake: KeyUpdate is read and written; what only a server may send is passed over; everything else
// is refused.
// Not here: deriving the next keys (traffic_secret.hpp), deciding when to rekey. Thread: owning worker.
// Source: RFC 9846 4.7.3 (KeyUpdate), 5.1 (fragmentation; no message spans a key change).
#pragma once

#include <array>

#include "base/result.hpp"
#include "base/tick.hpp"
#include "record/alert.hpp"
#include "record/suite.hpp"

namespace cutwater::record {

enum class KeyUpdateRequest : std::uint8_t { not_requested = 0, requested = 1 };

inline constexpr std::size_t kKeyUpdateBytes = 5;

/// The fragment of a KeyUpdate record. The sender's keys change after this record.
std::array<std::uint8_t, kKeyUpdateBytes> emit_key_update(KeyUpdateRequest request) noexcept;

/// Who writes what is read: a client may say less after the handshake than a server.
enum class Writer : std::uint8_t { client, server };

/// Why a handshake fragment after the handshake is refused: the sender's fault, always.
enum class PostHandshakeError : std::uint8_t {
  renegotiation,    // TLS 1.2: a client's new hello; answered with no_renegotiation
  unexpected_type,  // not a KeyUpdate (of a server: nor a ticket), or nothing at all
  bad_length,       // a KeyUpdate of another length than one byte
  bad_request,      // neither 0 nor 1
  trailing_bytes,   // something behind a KeyUpdate in its record: it would span the key change
};
std::string_view to_string(PostHandshakeError error) noexcept;
Alert alert_for(PostHandshakeError error) noexcept;

/// What a handshake fragment amounted to.
enum class PostHandshake : std::uint8_t {
  partial,                // a message cut over records; the next record must go on with it
  key_update,             // change the keys for opening
  key_update_and_answer,  // and send a KeyUpdate (not_requested) of our own before the next record
  passed_over,            // whole messages of a server that nobody here needs: tickets, and a HelloRequest of TLS 1.2
};

/// Reads the handshake fragments of one direction after the handshake. Six bytes, part of the flow.
class PostHandshakeReader {
 public:
  /// Takes the fragment of one handshake record; an empty one is refused. Errors: the flow ends with alert_for().
  Result<PostHandshake, PostHandshakeError> take(Version version, Writer writer, Bytes fragment) noexcept;
  /// While true, a record of any other type is an unexpected_message (RFC 9846 5.1: messages are not interleaved).
  [[nodiscard]] bool has_partial() const noexcept { return size_ != 0; }

 private:
  static constexpr std::uint8_t kPassingOver = 0xff;  // size_: bytes_ holds how much of a server's message is still to come
  Bytes pass_over(Bytes fragment) noexcept;
  std::array<std::uint8_t, kKeyUpdateBytes> bytes_{};
  std::uint8_t size_ = 0;
};

/// At most 100 at once and 100 a second in the long run, in eight bytes. For KeyUpdates from a client: each costs the device
/// two HMACs and may ask for an answer.
class KeyUpdateLimit {
 public:
  static constexpr std::uint64_t kPerSecond = 100;  // house rule; no implementation sends more than a few an hour

  /// Returns: whether one more is within the limit; one that is not does not count.
  bool admit(Tick now) noexcept {
    constexpr std::uint64_t kIntervalUs = 1'000'000 / kPerSecond;
    constexpr std::uint64_t kBurstUs = (kPerSecond - 1) * kIntervalUs;  // how far ahead of its schedule a sender may be
    const Tick due = due_ > now ? due_ : now;
    if (due - now > kBurstUs) return false;
    due_ = due + kIntervalUs;
    return true;
  }

 private:
  Tick due_{};  // when the next one would come from a sender that keeps exactly to the rate
};

}  // namespace cutwater::record
