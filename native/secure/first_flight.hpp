// What a service says first to a client that knows nothing but RSA key exchange, made when the service is configured and without
// its private keys: the certificates come from their files, the rest from a handshake that OpenSSL makes with a certificate of
// the moment, so that it is to the byte what OpenSSL will say when it is asked for real.
// Not here: the ServerHello (hello/deferral.hpp). Thread: control. Implements: H3.
#pragma once

#include <memory>

#include "record/rsa_flight.hpp"
#include "secure/service_tls.hpp"

namespace cutwater::secure {

/// Returns: nullptr where the service does not allow RSA key exchange, or has nothing to serve it with.
std::shared_ptr<const record::RsaFlights> first_flights(const ServiceTls& service);

}  // namespace cutwater::secure
