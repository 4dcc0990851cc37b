// Refuses what cannot be the start of a handshake, before a TLS object is made for it.
// Thread: any (pure function). Used by: processor.cpp.
#pragma once

#include <optional>

#include "base/bytes.hpp"
#include "secure/failure.hpp"

namespace cutwater::secure {

/// Returns: why the first bytes of a connection are no handshake record, or nothing when they may be one.
std::optional<FailureReport> refuse_first_record(Bytes bytes);

/// An alert record in clear, as it is sent before keys exist.
std::array<std::uint8_t, 7> plain_alert(std::uint8_t description) noexcept;

}  // namespace cutwater::secure
