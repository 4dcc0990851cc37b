// HKDF-Expand and the labels of TLS 1.3, the PRF of TLS 1.2: the arithmetic under traffic_secret.cpp.
// Thread: any; a microsecond or two, never per packet. Source: RFC 5869 2.3, RFC 9846 7.1, RFC 5246 5.
#pragma once

#include "base/bytes.hpp"
#include "record/hmac.hpp"

namespace cutwater::record {

/// Returns: false when `out` is longer than 255 hashes or `info` than a label can be; `out` is then wiped.
bool hkdf_expand(Hash hash, Bytes secret, Bytes info, MutableBytes out) noexcept;

/// Requires: label at most 249 bytes without its "tls13 " prefix, context at most 255.
bool hkdf_expand_label(Hash hash, Bytes secret, std::string_view label, Bytes context, MutableBytes out) noexcept;

/// P_hash(secret, label + seed). Requires: label and seed together at most 128 bytes.
bool prf_tls12(Hash hash, Bytes secret, std::string_view label, Bytes seed, MutableBytes out) noexcept;

}  // namespace cutwater::record
