// Records of the client that are not application data: KeyUpdate, alerts, and what may not come after the handshake.
// And a header's admission: what every record must satisfy before it is worth opening.
// Thread: owning worker. Implements: A16; TLS rules of the house (architecture.md).
#pragma once

#include "record/deframer.hpp"
#include "splice/resources.hpp"

namespace cutwater::splice {

/// Judges a header against the suite. Returns: false when the flow was failed over it.
bool admit_header(Resources& r, Flow& f, const record::RecordHeader& header) noexcept;
/// Ends the flow with the alert that a framing error deserves.
void fail_framing(Resources& r, Flow& f, record::DeframeError error) noexcept;
/// Acts on an authentic fragment that is not application data, when it comes for the first time.
/// Returns: false when the flow ended over it.
bool take_control(Resources& r, Flow& f, record::ContentType type, Bytes fragment) noexcept;

}  // namespace cutwater::splice
