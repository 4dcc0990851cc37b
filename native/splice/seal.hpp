// Seals plaintext into the down stream: numbers the record, writes the span, advances both streams. Each (key, number) is
// used here once, and once more only by resend.cpp for the very same bytes (I3, test/invariants/).
// Thread: owning worker. Implements: A2, A16.
#pragma once

#include <vector>

#include "splice/local_sender.hpp"
#include "splice/resources.hpp"

namespace cutwater::splice {

struct Sealed {
  std::uint8_t* record = nullptr;
  std::uint32_t record_bytes = 0;
  SeqNum cipher_begin;
  std::uint64_t number = 0;
};

/// Seals one fragment in place as the next record of the stream.
/// Requires: front_bytes() free before it and trailer_bytes behind; spans.has_room(); 1 <= n <= max_fragment_bytes.
Sealed seal_next(Resources& r, Flow& f, std::uint8_t* fragment, std::uint32_t fragment_bytes) noexcept;

/// Appends bytes of our own behind everything sealed so far, and hands them to the local sender.
/// Returns: false at a cap. Nothing is sent yet: see send_local().
bool append_local(Resources& r, Flow& f, std::vector<std::uint8_t>&& records, Ending ending);
/// Seals a KeyUpdate (not_requested) under the current key as local bytes.
bool append_key_update(Resources& r, Flow& f);
/// Seals plaintext of our own, such as an answer that no server gave, as local bytes. Requires: at most 1 kB.
bool append_answer(Resources& r, Flow& f, Bytes plaintext);
/// Seals an alert as local bytes, with or without the end of the stream. Before there are keys the alert goes in clear, as
/// TLS has it (RFC 9846 6); it is a framed record all the same (I4).
bool append_alert(Resources& r, Flow& f, std::uint8_t description, Ending ending);

/// Sends local bytes as far as windows allow.
void send_local(Resources& r, Flow& f) noexcept;
void release_local(Resources& r, Flow& f) noexcept;

}  // namespace cutwater::splice
