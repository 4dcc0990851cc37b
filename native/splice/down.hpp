// Server to client: what an established flow does with a segment of the server. Plaintext in, ciphertext out.
//   acknowledgement, window, SACK -> translate.cpp, custody.cpp     in order, admitted -> one record in one packet (seal.cpp)
//   not admitted by the window    -> hold queue (A14)               resent             -> resend.cpp
//   out of order                  -> reassembly.cpp                 FIN, RST           -> close.cpp
// Thread: owning worker. Implements: A2, A4, A14, A15, A16.
#pragma once

#include "splice/resources.hpp"

namespace cutwater::splice {

/// Takes one valid segment of the server. The packet's chunk follows the verdict.
Verdict down(Resources& r, Flow& f, const wire::Segment& s, const port::Packet& packet) noexcept;

/// Tells the server of all that lies behind a gap, by acknowledgements with SACK, as many as its runs take. `heard`, `twice`: as in
/// ack_server().
void tell_of_held(Resources& r, Flow& f, const wire::TcpOptions* heard, std::optional<wire::SackBlock> twice = {}) noexcept;

/// Seals what is held in order, as far as the client's window admits it.
void seal_held(Resources& r, Flow& f) noexcept;

}  // namespace cutwater::splice
