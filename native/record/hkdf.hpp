// HKDF-Expand and the labels of TLS 1.3, the PRF of TLS 1.2: the arithmetic under traffic_secret.cpp.
// HMAC is OpenSSL's. Thread: any; a few microseconds, never per packet. Source: RFC 5869 2.3, RFC 9846 7.1, RFC 5246 5.
#pragma once

#include "base/bytes.hpp"
#include "record/suite.hpp"

namespace cutwater::record {

inline constexpr std::size_t kMaxHashBytes = 48;  // SHA-384
constexpr std::size_t hash_bytes(Hash hash) noexcept { return hash == Hash::sha256 ? 32 : 48; }

/// Requires: out.size() <= 255 hashes. Returns: false when HMAC failed (out of memory); `out` is then wiped.
bool hkdf_expand(Hash hash, Bytes secret, Bytes info, MutableBytes out) noexcept;

/// Requires: label at most 249 bytes without its "tls13 " prefix, context at most 255.
bool hkdf_expand_label(Hash hash, Bytes secret, std::string_view label, Bytes context, MutableBytes out) noexcept;

/// P_hash(secret, label + seed). Requires: label and seed together at most 128 bytes.
bool prf_tls12(Hash hash, Bytes secret, std::string_view label, Bytes seed, MutableBytes out) noexcept;

}  // namespace cutwater::record
