// The fast path's part in a deferred handshake, without a path: a client's hello answered from the template, and what goes to the
// processor when its reply is there. Used by: test/native/secure.
#pragma once

#include <doctest/doctest.h>

#include "hello/deferral.hpp"
#include "native/secure/tls_client.hpp"
#include "secure/first_flight.hpp"

namespace cutwater::support {

class DeferredStart {
 public:
  using ByteVector = secure::test::ByteVector;
  /// Requires: the client has not begun, and its hello is one that is deferred.
  DeferredStart(const record::RsaFlights& flights, secure::test::TlsClient& client) {
    client.step();
    hello = client.take();
    const auto parsed = hello::parse_client_hello(Bytes(hello).subspan(record::kHeaderBytes));
    REQUIRE(parsed.has_value());
    const auto chosen = hello::choose_deferral(flights, *parsed);
    is_deferred = chosen.has_value();
    if (!is_deferred) return;
    static hello::ServerRandoms randoms(ByteVector(32, 5), 0);
    flight.resize(hello::kMostServerHelloBytes);
    flight.resize(hello::emit_server_hello(*chosen, randoms.next(), flight.data()));
    flight.insert(flight.end(), chosen->flight->records.begin(), chosen->flight->records.end());
    client.give(flight);
    client.step();
    reply = client.take();
  }
  [[nodiscard]] std::unique_ptr<secure::Request> request() const {
    auto made = secure::test::make_request(secure::Request::Kind::start_deferred, {}, secure::test::joined(hello, reply));
    made->hello_bytes = static_cast<std::uint32_t>(hello.size());
    made->flight = flight;
    return made;
  }

  bool is_deferred = false;
  ByteVector hello, flight, reply;
};

}  // namespace cutwater::support
