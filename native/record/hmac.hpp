// HMAC over SHA-256 or SHA-384 in one call, on the stack: a TLS 1.3 handshake makes some thirty, and through the library's
// general interface each pays more for finding its algorithm by name than for hashing.
// Not here: labels and key schedules (hkdf.hpp). Thread: any. Source: RFC 2104.
#pragma once

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "record/suite.hpp"

namespace cutwater::record {

inline constexpr std::size_t kMaxHashBytes = 48;  // SHA-384
constexpr std::size_t hash_bytes(Hash hash) noexcept { return hash == Hash::sha256 ? 32 : 48; }

using Digest = Secret<kMaxHashBytes>;

/// What it worked with is wiped.
Digest hmac(Hash hash, Bytes key, Bytes message) noexcept;
/// The hash of no bytes at all.
Digest empty_hash(Hash hash) noexcept;

}  // namespace cutwater::record
