// Client to server: what an established flow does with a segment of the client. Ciphertext in, plaintext out.
//   acknowledgement, window, SACK -> translate.cpp      in order, whole records -> opened in place and forwarded
//   a record cut by the segment   -> custody.cpp        resent                  -> resend.cpp
//   out of order                  -> reassembly.cpp     FIN, RST                -> close.cpp
// Thread: owning worker. Implements: A1, A6, A7, A12, A16.
#pragma once

#include "splice/resources.hpp"

namespace cutwater::splice {

/// Takes one valid segment of the client. The packet's chunk follows the verdict.
Verdict up(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept;

/// The acknowledgement part alone (handshake and draining use it too). Returns: false when the segment is to be dropped.
bool take_client_ack(Resources& r, Flow& f, const wire::Segment& s) noexcept;

/// Ciphertext that was received and acknowledged while the handshake was under way: what followed the Finished.
void take_early_ciphertext(Resources& r, Flow& f, Bytes ciphertext) noexcept;

/// The same for what was held out of order until now.
void take_held_ciphertext(Resources& r, Flow& f) noexcept;

/// Where we are the client's receiver (handshake, custody) its congestion marks end: they are echoed until its CWR comes, and
/// that goes on (RFC 3168 6.1.3).
void take_marks(Flow& f, std::uint8_t flags, std::uint8_t traffic_class) noexcept;

/// Does what may have become possible: sealing what was held, sending what was owed.
void do_owed_work(Resources& r, Flow& f) noexcept;
/// Everything that became possible by a segment. The rule: nothing, and the idle timer that stands fires too early, never too late.
inline void go_on(Resources& r, Flow& f) noexcept {
  const bool is_plain = f.local == nullptr && f.custody == nullptr && f.down.ahead.empty() && f.down.fin == FinState::none &&
                        f.down.update == UpdateState::none;
  if (!is_plain) do_owed_work(r, f);
}

}  // namespace cutwater::splice
