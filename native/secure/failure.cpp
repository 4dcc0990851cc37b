#include "secure/failure.hpp"

#include <openssl/err.h>
#include <openssl/sslerr.h>

namespace cutwater::secure {

namespace {

/// The first error of the TLS layer: the cause. Later ones are its consequences, other libraries' its details.
unsigned long take_cause() noexcept {
  unsigned long cause = 0;
  while (const unsigned long error = ERR_get_error()) {
    if (cause == 0 || (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_LIB(cause) != ERR_LIB_SSL)) cause = error;
  }
  return cause;
}

HandshakeFailure by_reason(int reason) noexcept {
  switch (reason) {
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_INAPPROPRIATE_FALLBACK:
      return HandshakeFailure::no_shared_version;
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_CIPHERS_SPECIFIED:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SHARED_GROUPS:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
      return HandshakeFailure::no_shared_suite;
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return HandshakeFailure::no_shared_protocol;
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return HandshakeFailure::client_certificate_missing;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_BAD_SIGNATURE:
    case SSL_R_WRONG_SIGNATURE_TYPE:
    case SSL_R_UNKNOWN_CERTIFICATE_TYPE:
    case SSL_R_NO_CLIENT_CERT_METHOD:
      return HandshakeFailure::client_certificate_rejected;
    case SSL_R_DIGEST_CHECK_FAILED:
    case SSL_R_BAD_DIGEST_LENGTH:
      return HandshakeFailure::bad_finished;
    case SSL_R_EXCESSIVE_MESSAGE_SIZE:
      return HandshakeFailure::too_large;
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
      return HandshakeFailure::plain_http;
    default:
      return HandshakeFailure::none;
  }
}

HandshakeFailure by_alert(std::uint8_t alert, Phase phase) noexcept {
  switch (alert) {
    case 0:
    case SSL_AD_INTERNAL_ERROR:
      return HandshakeFailure::internal;
    case SSL_AD_PROTOCOL_VERSION:
      return phase == Phase::hello ? HandshakeFailure::no_shared_version : HandshakeFailure::bad_record;
    case SSL_AD_HANDSHAKE_FAILURE:
      return phase == Phase::hello ? HandshakeFailure::no_shared_suite : HandshakeFailure::bad_record;
    case SSL_AD_UNRECOGNIZED_NAME:
      return HandshakeFailure::unknown_name;
    case SSL_AD_NO_APPLICATION_PROTOCOL:
      return HandshakeFailure::no_shared_protocol;
    case TLS13_AD_CERTIFICATE_REQUIRED:
      return HandshakeFailure::client_certificate_missing;
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
      return HandshakeFailure::client_certificate_rejected;
    case SSL_AD_DECODE_ERROR:
    case SSL_AD_ILLEGAL_PARAMETER:
    case TLS13_AD_MISSING_EXTENSION:
    case SSL_AD_UNSUPPORTED_EXTENSION:
      return phase == Phase::hello ? HandshakeFailure::bad_hello : HandshakeFailure::bad_record;
    default:
      return HandshakeFailure::bad_record;
  }
}

// Why a server's certificate was not believed.
HandshakeFailure by_verdict(long verdict) noexcept {
  switch (verdict) {
    case X509_V_OK:
      return HandshakeFailure::server_handshake;  // the chain was right, its proof was not
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
      return HandshakeFailure::server_wrong_name;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
      return HandshakeFailure::server_expired;
    default:
      return HandshakeFailure::server_untrusted;
  }
}

std::string describe(const SSL* ssl, unsigned long cause) {
  const char* text = cause == 0 ? nullptr : ERR_reason_error_string(cause);
  std::string detail = text == nullptr ? "no reason given" : text;
  if (ERR_GET_REASON(cause) != SSL_R_CERTIFICATE_VERIFY_FAILED) return detail;
  return detail + ": " + X509_verify_cert_error_string(SSL_get_verify_result(ssl));
}

}  // namespace

FailureReport report_failure(const SSL* ssl, Phase phase, std::uint8_t sent_alert) {
  const unsigned long cause = take_cause();
  const bool is_tls = ERR_GET_LIB(cause) == ERR_LIB_SSL;
  const int reason = is_tls ? ERR_GET_REASON(cause) : 0;
  FailureReport report{.alert = sent_alert, .detail = describe(ssl, cause)};
  if (reason > SSL_AD_REASON_OFFSET && reason <= SSL_AD_REASON_OFFSET + 255) {
    report.failure = HandshakeFailure::client_alert;
    report.alert = static_cast<std::uint8_t>(reason - SSL_AD_REASON_OFFSET);
    return report;
  }
  report.failure = by_reason(reason);
  if (report.failure == HandshakeFailure::none) report.failure = by_alert(sent_alert, phase);
  return report;
}

FailureReport report_call_failure(const SSL* ssl, std::uint8_t sent_alert) {
  FailureReport report = report_failure(ssl, Phase::after_hello, sent_alert);
  const bool is_unverified = report.failure == HandshakeFailure::client_certificate_rejected;
  report.failure = is_unverified ? by_verdict(SSL_get_verify_result(ssl)) : of_server(report.failure);
  return report;
}

HandshakeFailure of_server(HandshakeFailure failure) noexcept {
  switch (failure) {
    case HandshakeFailure::client_alert:
      return HandshakeFailure::server_alert;
    case HandshakeFailure::deadline:
    case HandshakeFailure::overload:
    case HandshakeFailure::internal:
    case HandshakeFailure::processor_lost:
    case HandshakeFailure::server_untrusted:
    case HandshakeFailure::server_wrong_protocol:
      return failure;
    default:
      return HandshakeFailure::server_handshake;
  }
}

}  // namespace cutwater::secure
