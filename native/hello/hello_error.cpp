#include "hello/hello_error.hpp"

namespace cutwater::hello {

std::string_view to_string(HelloError error) noexcept {
  switch (error) {
    case HelloError::truncated:
      return "truncated";
    case HelloError::not_client_hello:
      return "not_client_hello";
    case HelloError::trailing_bytes:
      return "trailing_bytes";
    case HelloError::bad_session_id:
      return "bad_session_id";
    case HelloError::bad_suites:
      return "bad_suites";
    case HelloError::bad_compression:
      return "bad_compression";
    case HelloError::bad_extensions:
      return "bad_extensions";
    case HelloError::too_many_extensions:
      return "too_many_extensions";
    case HelloError::duplicate_extension:
      return "duplicate_extension";
    case HelloError::bad_server_name:
      return "bad_server_name";
    case HelloError::bad_protocols:
      return "bad_protocols";
    case HelloError::bad_versions:
      return "bad_versions";
    case HelloError::bad_groups:
      return "bad_groups";
    case HelloError::bad_key_share:
      return "bad_key_share";
    case HelloError::bad_signature_schemes:
      return "bad_signature_schemes";
    case HelloError::bad_psk:
      return "bad_psk";
    case HelloError::psk_not_last:
      return "psk_not_last";
    case HelloError::no_psk_modes:
      return "no_psk_modes";
    case HelloError::bad_psk_modes:
      return "bad_psk_modes";
    case HelloError::bad_cookie:
      return "bad_cookie";
    case HelloError::bad_fragment_length:
      return "bad_fragment_length";
    case HelloError::bad_renegotiation:
      return "bad_renegotiation";
    case HelloError::bad_point_formats:
      return "bad_point_formats";
    case HelloError::bad_flag:
      return "bad_flag";
    case HelloError::bad_encrypted_hello:
      return "bad_encrypted_hello";
  }
  return "unknown";
}

std::uint8_t alert_for(HelloError error) noexcept {
  constexpr std::uint8_t kUnexpectedMessage = 10, kHandshakeFailure = 40, kIllegalParameter = 47, kDecodeError = 50,
                         kMissingExtension = 109;
  switch (error) {
    case HelloError::not_client_hello:
      return kUnexpectedMessage;
    case HelloError::bad_compression:
    case HelloError::duplicate_extension:
    case HelloError::too_many_extensions:
    case HelloError::psk_not_last:
    case HelloError::bad_fragment_length:
      return kIllegalParameter;
    case HelloError::bad_renegotiation:
      return kHandshakeFailure;  // RFC 5746 3.6
    case HelloError::no_psk_modes:
      return kMissingExtension;
    default:
      return kDecodeError;
  }
}

}  // namespace cutwater::hello
