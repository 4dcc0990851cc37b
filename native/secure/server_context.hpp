// What OpenSSL needs to know to speak TLS with the servers of a service, as their client: whom to believe, under which name, and
// what to show when they ask. Nothing is resumed: a server's tickets are passed over by the splice.
// Not here: a handshake (openssl_session.hpp). Thread: built by control, then immutable and shared by all processor threads.
#pragma once

#include <string>

#include "base/result.hpp"
#include "secure/openssl_ptr.hpp"
#include "secure/service_tls.hpp"

namespace cutwater::secure {

/// Errors: a line for the operator that names the file or option; `service` is named where there is no file.
Result<SslCtxPtr, std::string> make_server_context(const ServerTls& servers, const std::string& service);

/// The name a hello carries: `name`, unless that is an address (RFC 6066 3).
bool is_host_name(const std::string& name);

}  // namespace cutwater::secure
