#include "secure/first_record.hpp"

#include <algorithm>

#include "record/deframer.hpp"

namespace cutwater::secure {

namespace {

constexpr std::string_view kHttpStarts[] = {"GET ",   "POST ",  "HEAD ",    "PUT ",     "DELETE ",
                                            "PATCH ", "TRACE ", "OPTIONS ", "CONNECT ", "PRI * HTTP/2"};
constexpr std::size_t kTellingBytes = 3;  // fewer could be anything

bool is_http(Bytes bytes) noexcept {
  const std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  return text.size() >= kTellingBytes && std::any_of(std::begin(kHttpStarts), std::end(kHttpStarts), [&](auto start) {
           return text.substr(0, start.size()) == start.substr(0, text.size());
         });
}

FailureReport refusal(record::Alert alert, std::string_view why) {
  return {HandshakeFailure::bad_record, static_cast<std::uint8_t>(alert), std::string{why}};
}

}  // namespace

std::optional<FailureReport> refuse_first_record(Bytes bytes) {
  if (is_http(bytes)) return FailureReport{HandshakeFailure::plain_http, 0, "an HTTP request without TLS"};
  const record::NextRecord next = record::next_record(bytes);
  if (next.status == record::NextRecord::Status::bad)
    return refusal(record::alert_for(next.error), to_string(next.error));
  if (next.status == record::NextRecord::Status::partial)
    return refusal(record::Alert::decode_error, "a record cut short");
  if (next.header.type == record::ContentType::handshake) return {};
  if (next.header.type == record::ContentType::alert) {
    // Answering an alert with an alert helps nobody.
    return FailureReport{HandshakeFailure::client_alert, bytes[next.header.record_bytes() - 1],
                         "an alert before any hello"};
  }
  return refusal(record::Alert::unexpected_message, "no handshake record");
}

std::array<std::uint8_t, 7> plain_alert(std::uint8_t description) noexcept {
  return {21, 3, 3, 0, 2, 2, description};  // level 2: fatal
}

}  // namespace cutwater::secure
