#include "record/alert.hpp"

namespace cutwater::record {

namespace {

AlertMeaning meaning_of(Version version, AlertLevel level, Alert description) noexcept {
  if (description == Alert::close_notify) return AlertMeaning::close;
  if (description == Alert::user_canceled) return AlertMeaning::ignore;
  // TLS 1.3 has no other warnings: an alert it does not know is an error whatever level it claims (RFC 9846 6).
  if (version == Version::tls12 && level == AlertLevel::warning) return AlertMeaning::ignore;
  return AlertMeaning::failure;
}

}  // namespace

Result<AlertReceived, Alert> parse_alert(Version version, Bytes fragment) noexcept {
  if (fragment.size() != kAlertBytes) return Failure{Alert::decode_error};
  const bool is_warning = fragment[0] == static_cast<std::uint8_t>(AlertLevel::warning);
  const bool is_fatal = fragment[0] == static_cast<std::uint8_t>(AlertLevel::fatal);
  if (version == Version::tls12 && !is_warning && !is_fatal) return Failure{Alert::decode_error};
  const auto level = is_warning ? AlertLevel::warning : AlertLevel::fatal;
  const auto description = static_cast<Alert>(fragment[1]);
  return AlertReceived{.meaning = meaning_of(version, level, description), .level = level, .description = description};
}

std::array<std::uint8_t, kAlertBytes> emit_alert(Alert alert) noexcept {
  const bool is_warning = alert == Alert::close_notify || alert == Alert::user_canceled;
  const auto level = is_warning ? AlertLevel::warning : AlertLevel::fatal;
  return {static_cast<std::uint8_t>(level), static_cast<std::uint8_t>(alert)};
}

}  // namespace cutwater::record
