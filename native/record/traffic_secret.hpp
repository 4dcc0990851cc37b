// TLS 1.3 key schedule after the handshake: a traffic secret gives keys, and a key update gives the next secret.
// TLS 1.2: the key block. Not here: handshake secrets (OpenSSL's). Thread: any; a few microseconds, never per packet.
#pragma once

#include "base/secret.hpp"
#include "record/aead.hpp"

namespace cutwater::record {

using TrafficSecret = Secret<48>;  // 32 or 48 bytes, by the suite's hash

/// key and iv by HKDF-Expand-Label. Source: RFC 9846 7.3.
TrafficKeys derive_keys(const Suite& suite, const TrafficSecret& secret) noexcept;
/// application_traffic_secret_N+1. Source: RFC 9846 7.2 (4.7.3 says when).
TrafficSecret next_secret(const Suite& suite, const TrafficSecret& secret) noexcept;

struct KeyBlock {
  TrafficKeys client_write, server_write;
};
/// TLS 1.2 key expansion for AEAD suites. Source: RFC 5246 6.3, RFC 5288 3, RFC 7905 2.
KeyBlock derive_key_block(const Suite& suite, Bytes master_secret, Bytes client_random, Bytes server_random) noexcept;

}  // namespace cutwater::record
