// The questions OpenSSL asks a service during a handshake: which certificate, which protocol, which session.
// Thread: the handshake's own; the service is read-only and its resumption state locks for itself. Implements: H6, H9.
#pragma once

#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

class ServiceContext;

/// Requires: `service` outlives every handshake of `context`; SSL_CTX app data is `service`.
void install_service_callbacks(SSL_CTX* context, const ServiceContext& service);

}  // namespace cutwater::secure
