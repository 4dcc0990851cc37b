// Takes from a finished TLS object all that the fast path needs, so that the object can be freed.
// Thread: the handshake's own. Implements: A5, H4.
#pragma once

#include <memory>
#include <string_view>

#include "secure/job.hpp"
#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

/// The secrets under the application data of TLS 1.3, caught as OpenSSL logs them: it has no other door for them.
struct ApplicationSecrets {
  record::TrafficSecret up, down;
};

/// Takes the secret out of a key log line when it is one of the two. Source: RFC 9850 2 (the format).
void read_key_log_line(std::string_view line, ApplicationSecrets& secrets) noexcept;

/// What the handshake agreed on. `records_sent` are those already sealed with the application keys (tickets).
/// Returns: nullptr when something is missing that cannot be (an unknown suite, no secret).
std::unique_ptr<Established> export_established(SSL* ssl, ApplicationSecrets&& secrets, std::uint64_t records_sent);

/// For the event: "TLS 1.3 TLS_AES_128_GCM_SHA256 X25519 h2 resumed".
std::string describe(SSL* ssl, const Established& established);

}  // namespace cutwater::secure
