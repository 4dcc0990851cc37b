// Several stream sockets carried by one TLS connection: pieces of them behind a channel (1 byte) and a length (3 bytes, network
// order, at most 16,384). Bounded both ways: what the other end does not take is not read. Thread: its caller's.
#pragma once

#include <vector>

#include "secure/openssl_ptr.hpp"

namespace cutwater::processor {

/// Carries until a channel ends, the TLS connection ends, or what comes is no such piece.
/// `tls` has finished its handshake on `file`; both ends have as many channels. Makes the files non-blocking.
void carry(SSL* tls, int file, const std::vector<int>& channels);

}  // namespace cutwater::processor
