// Retransmissions: bytes below what was already translated are translated again to the very same bytes (A15). Records are
// taken whole: a resent segment is cut along their boundaries, however its sender regrouped it; parts of a record are kept
// until the record is whole (I3). Nothing here moves a stream forward.
// Thread: owning worker. Implements: A6, A15; I2, I3.
#pragma once

#include "splice/resources.hpp"

namespace cutwater::splice {

/// Ciphertext of the client that was received before. Opens whole records again under their numbers and forwards them.
void resend_up(Resources& r, Flow& f, const wire::Segment& s, MutableBytes ciphertext) noexcept;

/// Plaintext of the server that was sealed before. Seals whole records again and compares the tags before anything is sent.
/// Leaves: the flow reset when the server resent other bytes (Reset::plaintext_changed).
void resend_down(Resources& r, Flow& f, const wire::Segment& s, Bytes plaintext) noexcept;

}  // namespace cutwater::splice
