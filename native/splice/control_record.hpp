// Records of the client that are not application data: KeyUpdate, alerts, and what may not come after the handshake.
// And a header's admission: what every record must satisfy before it is worth opening.
// Thread: owning worker. Implements: A16; TLS rules of the house (architecture.md).
#pragma once

#include "record/deframer.hpp"
#include "splice/resources.hpp"

namespace cutwater::splice {

enum class HeaderFault : std::uint8_t { none, type, length };
/// What a header may not be under its suite.
[[nodiscard, gnu::always_inline]] inline HeaderFault fault_of(const record::Suite& suite, const record::RecordHeader& header) noexcept {
  const bool is_tls13 = suite.version == record::Version::tls13;
  const bool is_type_allowed = is_tls13 ? header.type == record::ContentType::application_data
                                        : header.type != record::ContentType::change_cipher_spec;
  const std::size_t least = std::size_t{suite.explicit_nonce_bytes} + record::kTagBytes + (is_tls13 ? 1 : 0);
  if (!is_type_allowed) return HeaderFault::type;
  return header.body_bytes < least ? HeaderFault::length : HeaderFault::none;
}
/// Ends the flow over it.
[[gnu::cold]] void fail_header(Resources& r, Flow& f, HeaderFault fault) noexcept;
/// Ends the flow with the alert that a framing error deserves.
[[gnu::cold]] void fail_framing(Resources& r, Flow& f, record::DeframeError error) noexcept;
/// Acts on an authentic fragment that is not application data, when it comes for the first time.
/// Returns: false when the flow ended over it.
[[gnu::cold]] bool take_control(Resources& r, Flow& f, record::ContentType type, Bytes fragment) noexcept;

}  // namespace cutwater::splice
