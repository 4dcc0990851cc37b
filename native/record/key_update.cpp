#include "record/key_update.hpp"

#include <algorithm>

namespace cutwater::record {

namespace {

constexpr std::uint8_t kClientHello = 1;  // handshake types: RFC 9846 4, RFC 5246 7.4
constexpr std::uint8_t kKeyUpdate = 24;
constexpr std::uint8_t kHead[] = {kKeyUpdate, 0, 0, 1};  // type, 24-bit length

// Refuses as soon as a byte shows it, so that a wrong message is never waited for.
PostHandshakeError error_at(std::size_t index, Version version, std::uint8_t byte) noexcept {
  if (index != 0) return PostHandshakeError::bad_length;
  return version == Version::tls12 && byte == kClientHello ? PostHandshakeError::renegotiation
                                                           : PostHandshakeError::unexpected_type;
}

}  // namespace

std::array<std::uint8_t, kKeyUpdateBytes> emit_key_update(KeyUpdateRequest request) noexcept {
  return {kKeyUpdate, 0, 0, 1, static_cast<std::uint8_t>(request)};
}

std::string_view to_string(PostHandshakeError error) noexcept {
  switch (error) {
    case PostHandshakeError::renegotiation: return "renegotiation";
    case PostHandshakeError::unexpected_type: return "unexpected_type";
    case PostHandshakeError::bad_length: return "bad_length";
    case PostHandshakeError::bad_request: return "bad_request";
    case PostHandshakeError::trailing_bytes: return "trailing_bytes";
  }
  return "unknown";
}

Alert alert_for(PostHandshakeError error) noexcept {
  switch (error) {
    case PostHandshakeError::renegotiation: return Alert::no_renegotiation;
    case PostHandshakeError::unexpected_type:
    case PostHandshakeError::trailing_bytes: return Alert::unexpected_message;
    case PostHandshakeError::bad_length: return Alert::decode_error;
    case PostHandshakeError::bad_request: return Alert::illegal_parameter;
  }
  return Alert::unexpected_message;
}

Result<PostHandshake, PostHandshakeError> PostHandshakeReader::take(Version version, Bytes fragment) noexcept {
  if (fragment.empty()) return Failure{PostHandshakeError::unexpected_type};
  if (version == Version::tls12) return Failure{error_at(0, version, fragment[0])};  // TLS 1.2 has no KeyUpdate
  const std::size_t taken = std::min(fragment.size(), kKeyUpdateBytes - size_);
  for (std::size_t i = 0; i < taken; ++i) {
    const std::size_t at = size_ + i;
    if (at < std::size(kHead) && fragment[i] != kHead[at]) return Failure{error_at(at, version, fragment[i])};
    bytes_[at] = fragment[i];
  }
  size_ = static_cast<std::uint8_t>(size_ + taken);
  if (size_ < kKeyUpdateBytes) return PostHandshake::partial;
  size_ = 0;
  if (taken < fragment.size()) return Failure{PostHandshakeError::trailing_bytes};
  switch (bytes_[kKeyUpdateBytes - 1]) {
    case static_cast<std::uint8_t>(KeyUpdateRequest::not_requested): return PostHandshake::key_update;
    case static_cast<std::uint8_t>(KeyUpdateRequest::requested): return PostHandshake::key_update_and_answer;
    default: return Failure{PostHandshakeError::bad_request};
  }
}

}  // namespace cutwater::record
