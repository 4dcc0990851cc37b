// Why a handshake failed, read from OpenSSL's error queue and the alert it sent, as one name of our list.
// Thread: the handshake's own (the queue is the thread's).
#pragma once

#include <string>

#include "secure/job.hpp"
#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

struct FailureReport {
  HandshakeFailure failure = HandshakeFailure::internal;
  std::uint8_t alert = 0;  // received when failure is client_alert, else sent
  std::string detail;
};

/// How far the handshake was: the same alert means different things before and after the hello was accepted.
enum class Phase : std::uint8_t { hello, after_hello };

/// Reads and empties the error queue. `sent_alert` is 0 when none was sent.
FailureReport report_failure(const SSL* ssl, Phase phase, std::uint8_t sent_alert);

/// The same of a handshake in which we are the client.
FailureReport report_call_failure(const SSL* ssl, std::uint8_t sent_alert);
/// A failure that is named after clients, where it was a server.
HandshakeFailure of_server(HandshakeFailure failure) noexcept;

}  // namespace cutwater::secure
