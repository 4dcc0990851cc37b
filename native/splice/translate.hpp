// Acknowledgements and windows from one numbering into the other: arithmetic on the span maps.
// Not here: packets, SACK (sack.hpp). Thread: owning worker. Implements: A7, A14; invariants I1, I2 (test/invariants/).
#pragma once

#include "splice/resources.hpp"

namespace cutwater::splice {

/// What the client may be told is acknowledged (I1: the server has it or we hold it; I2: a span boundary out of custody).
SeqNum ack_for_client(const Resources& r, const Flow& f) noexcept;
/// What the server may be told is acknowledged (I1: whole records the client has acknowledged).
SeqNum ack_for_server(const Resources& r, const Flow& f) noexcept;

/// End of the window shown to the client, in ciphertext. Never moves back.
SeqNum edge_for_client(const Resources& r, Flow& f) noexcept;
/// End of the window shown to the server, in plaintext: what the client grants, less the overhead of filling it. Never moves
/// back; what exceeds the client's window then waits in the hold queue (A14).
SeqNum edge_for_server(const Resources& r, Flow& f) noexcept;

/// Forgets down spans that the client has acknowledged. Returns: true when what the server may be told has changed.
bool acknowledge_down(Resources& r, Flow& f, SeqNum ack) noexcept;
/// Forgets up spans that the server has acknowledged. Returns: true when what the client may be told has changed.
bool acknowledge_up(Resources& r, Flow& f, SeqNum ack) noexcept;

}  // namespace cutwater::splice
