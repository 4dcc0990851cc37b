// The backends by name. Thread: any; the first call of each builds its constants.
#pragma once

#include "record/aead.hpp"

namespace cutwater::record {

/// nullptr when this CPU lacks what IPsec-MB needs (AES-NI, PCLMULQDQ), or the build has no IPsec-MB.
const Aead* ipsecmb_aead() noexcept;
/// nullptr when OpenSSL offers none of our ciphers (a restricted provider).
const Aead* openssl_aead() noexcept;

}  // namespace cutwater::record
