// A HelloRetryRequest made from raw bytes: no TLS object, no allocation, nothing kept but its own bytes until the client has them.
// What it chooses is what the service's TLS context will choose again at the second hello.
// Thread: owning worker. Implements: H3. Source: RFC 9846, "Hello Retry Request", "Cookie", 4.4.1 (transcript), D.4.
#pragma once

#include <vector>

#include "hello/client_hello.hpp"
#include "hello/cookie.hpp"
#include "hello/hello_blocks.hpp"

namespace cutwater::hello {

/// What a service offers by TLS 1.3.
struct RetryProfile {
  std::vector<std::uint16_t> suites;   // in our order; empty: no TLS 1.3, so nothing can be retried
  std::vector<std::uint16_t> groups;   // in our order
  bool follows_chacha = false;         // a client that puts ChaCha20 first gets it
};

/// Chooses for a first hello. Returns: nothing when it cannot be answered with a retry (no TLS 1.3, nothing shared).
std::optional<RetryMemory> choose_retry(const RetryProfile& profile, const ClientHello& hello, Bytes message) noexcept;
/// Whether a second hello is one that answers what was remembered.
bool fits_retry(const RetryMemory& memory, const ClientHello& second) noexcept;

/// Writes the record, and change_cipher_spec behind it for a client in compatibility mode. Returns: how many bytes.
/// Requires: room for kAnswerBlockBytes.
std::size_t emit_retry(const RetryMemory& memory, const CookieOwner& owner, Bytes session_id, CookieKeys& keys, std::uint8_t* out) noexcept;

}  // namespace cutwater::hello
