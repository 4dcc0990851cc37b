// Alert records: what a description number means to the device, and the two bytes of one. TLS 1.2 and 1.3.
// Not here: who sends them and when. Thread: any (pure functions). Implements: A16.
#pragma once

#include <array>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "record/suite.hpp"

namespace cutwater::record {

/// Descriptions by IANA number. Others arrive too and are kept as numbers. Source: RFC 9846 6, RFC 5246 7.2.
enum class Alert : std::uint8_t {
  close_notify = 0,
  unexpected_message = 10,
  bad_record_mac = 20,
  record_overflow = 22,
  handshake_failure = 40,
  bad_certificate = 42,
  unsupported_certificate = 43,
  certificate_revoked = 44,
  certificate_expired = 45,
  certificate_unknown = 46,
  illegal_parameter = 47,
  unknown_ca = 48,
  access_denied = 49,
  decode_error = 50,
  decrypt_error = 51,
  protocol_version = 70,
  insufficient_security = 71,
  internal_error = 80,
  inappropriate_fallback = 86,
  user_canceled = 90,
  no_renegotiation = 100,
  missing_extension = 109,
  unsupported_extension = 110,
  unrecognized_name = 112,
  certificate_required = 116,
  no_application_protocol = 120,
};

enum class AlertLevel : std::uint8_t { warning = 1, fatal = 2 };

inline constexpr std::size_t kAlertBytes = 2;

/// What the device does about an alert that came in.
enum class AlertMeaning : std::uint8_t {
  close,    // close_notify: the sender's stream ends here, cleanly
  ignore,   // user_canceled (a close_notify follows), or a TLS 1.2 warning; the caller bounds how many
  failure,  // the connection is over: reset towards the other end
};

struct AlertReceived {
  AlertMeaning meaning = AlertMeaning::failure;
  AlertLevel level = AlertLevel::fatal;
  Alert description = Alert::internal_error;
};

/// Reads the fragment of an alert record: exactly one alert, whole.
/// Errors: the alert to answer with (decode_error: fragmented, coalesced, or an unknown level in TLS 1.2).
/// Source: RFC 9846 5.1 (one alert a record), 6 (the level is ignored in TLS 1.3); RFC 5246 7.2.
Result<AlertReceived, Alert> parse_alert(Version version, Bytes fragment) noexcept;

/// The fragment of an alert record. close_notify and user_canceled are warnings, everything else is fatal.
std::array<std::uint8_t, kAlertBytes> emit_alert(Alert alert) noexcept;

}  // namespace cutwater::record
