#include "secure/job.hpp"

namespace cutwater::secure {

std::string_view to_string(HandshakeFailure failure) noexcept {
  switch (failure) {
    case HandshakeFailure::none:
      return "none";
    case HandshakeFailure::bad_record:
      return "bad_record";
    case HandshakeFailure::plain_http:
      return "plain_http";
    case HandshakeFailure::bad_hello:
      return "bad_hello";
    case HandshakeFailure::no_shared_version:
      return "no_shared_version";
    case HandshakeFailure::no_shared_suite:
      return "no_shared_suite";
    case HandshakeFailure::unknown_name:
      return "unknown_name";
    case HandshakeFailure::no_shared_protocol:
      return "no_shared_protocol";
    case HandshakeFailure::client_certificate_missing:
      return "client_certificate_missing";
    case HandshakeFailure::client_certificate_rejected:
      return "client_certificate_rejected";
    case HandshakeFailure::client_alert:
      return "client_alert";
    case HandshakeFailure::bad_finished:
      return "bad_finished";
    case HandshakeFailure::deadline:
      return "deadline";
    case HandshakeFailure::overload:
      return "overload";
    case HandshakeFailure::internal:
      return "internal";
    case HandshakeFailure::no_extended_master_secret:
      return "no_extended_master_secret";
    case HandshakeFailure::too_large:
      return "too_large";
    case HandshakeFailure::processor_lost:
      return "processor_lost";
    case HandshakeFailure::denied:
      return "denied";
    case HandshakeFailure::too_many:
      return "too_many";
    case HandshakeFailure::bad_cookie:
      return "bad_cookie";
    case HandshakeFailure::flight_differs:
      return "flight_differs";
    case HandshakeFailure::server_untrusted:
      return "server_untrusted";
    case HandshakeFailure::server_expired:
      return "server_expired";
    case HandshakeFailure::server_wrong_name:
      return "server_wrong_name";
    case HandshakeFailure::server_wrong_protocol:
      return "server_wrong_protocol";
    case HandshakeFailure::server_alert:
      return "server_alert";
    case HandshakeFailure::server_handshake:
      return "server_handshake";
  }
  return "unknown";
}

}  // namespace cutwater::secure
