// The SACK blocks of an acknowledgement: what came twice (D-SACK, RFC 2883), what the far side has behind a gap, in this side's
// numbering, and what we hold ourselves. A sender that hears of superfluous resends undoes what they made it do.
// Not here: packets. Thread: owning worker. Implements: A7.
#pragma once

#include <optional>

#include "splice/resources.hpp"

namespace cutwater::splice {

/// Writes the blocks of a pure acknowledgement. `ack` is the one it carries; `heard`: the options it translates, or nullptr;
/// `twice`: what its receiver has sent in vain, in the receiver's own numbering.
void put_sack_for_client(Resources& r, const Flow& f, SeqNum ack, const wire::TcpOptions* heard,
                         const std::optional<wire::SackBlock>& twice, wire::TcpOptions& to) noexcept;
void put_sack_for_server(Resources& r, const Flow& f, SeqNum ack, const wire::TcpOptions* heard,
                         const std::optional<wire::SackBlock>& twice, wire::TcpOptions& to) noexcept;

/// The part of [begin, end) that lies below the acknowledgement: that much has come twice.
[[nodiscard]] inline std::optional<wire::SackBlock> twice_below(SeqNum ack, SeqNum begin, SeqNum end) noexcept {
  if (!before(begin, earlier(end, ack))) return std::nullopt;
  return wire::SackBlock{begin, earlier(end, ack)};
}

}  // namespace cutwater::splice
