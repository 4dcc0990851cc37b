// How flows end: cleanly by close_notify and FIN, by RST, by an alert, by time. A reset is never turned into a clean end.
// Thread: owning worker. Implements: A16, H10; I6.
#pragma once

#include "record/alert.hpp"
#include "splice/resources.hpp"

namespace cutwater::splice {

/// Our verdict: RST to the server, the alert and FIN to the client; then the flow drains.
[[gnu::cold]] void fail(Resources& r, Flow& f, Reset reason, record::Alert alert) noexcept;
/// The same for a flow whose alert was already made by a secure processor (`records`, may be empty).
[[gnu::cold]] void fail_handshake(Resources& r, Flow& f, Reset reason, std::vector<std::uint8_t>&& records) noexcept;
/// Our own answer in the server's place, then a clean end: RST to the server, plaintext, close_notify and FIN to the client.
[[gnu::cold]] void end_with_answer(Resources& r, Flow& f, Reset reason, Bytes answer) noexcept;
/// The client sent a fatal alert: RST to the server, RST to the client.
[[gnu::cold]] void end_by_client_alert(Resources& r, Flow& f) noexcept;
/// RST both ways, at once, for a reason.
[[gnu::cold]] void reset_both(Resources& r, Flow& f, Reset reason) noexcept;
/// RST towards one side because the other sent one (or is gone). The flow is over.
[[gnu::cold]] void pass_reset_to_server(Resources& r, Flow& f, Reset reason) noexcept;
[[gnu::cold]] void pass_reset_to_client(Resources& r, Flow& f, Reset reason) noexcept;

/// The client's FIN, in order. Out of nowhere it is a truncation.
[[gnu::cold]] void take_client_fin(Resources& r, Flow& f) noexcept;
/// The server's FIN, in order: close_notify and FIN to the client, which we answer for.
[[gnu::cold]] void take_server_fin(Resources& r, Flow& f) noexcept;
/// Looks whether both ends are done, or a FIN has just been acknowledged.
void settle_fins(Resources& r, Flow& f) noexcept;

/// A RST of a client that has said its close_notify and FIN and closed its socket before ours came: both streams are complete,
/// so the server's FIN is acknowledged and nothing is reset. Returns: false when it is not that; then nothing has changed.
bool take_late_reset(Resources& r, Flow& f) noexcept;

/// Gives back everything the flow holds; its owner then forgets it. State becomes `free`.
void release(Resources& r, Flow& f) noexcept;

/// The earliest time something must be done for the flow; arms the worker's timer when that is sooner than it stands.
void arm(Resources& r, Flow& f) noexcept;
/// Does what is due.
void on_timer(Resources& r, Flow& f) noexcept;

inline constexpr std::uint64_t kLingerUs = 4'000'000;    // several retransmission time-outs of either end
inline constexpr std::uint64_t kDrainUs = 10'000'000;    // for a client to fetch its alert

}  // namespace cutwater::splice
