#include "record/key_update.hpp"

#include <algorithm>

namespace cutwater::record {

namespace {

constexpr std::uint8_t kClientHello = 1;  // handshake types: RFC 9846 4, RFC 5246 7.4
constexpr std::uint8_t kHelloRequest = 0;
constexpr std::uint8_t kNewSessionTicket = 4;
constexpr std::uint8_t kKeyUpdate = 24;
constexpr std::uint8_t kHead[] = {kKeyUpdate, 0, 0, 1};  // type, 24-bit length
constexpr std::uint32_t kMaxTicketBytes = 4 + 4 + 1 + 255 + 2 + 0xffff + 2 + 0xfffe;  // RFC 9846 4.7.1

std::uint32_t load_be24(const std::uint8_t* p) noexcept { return std::uint32_t{p[0]} << 16 | std::uint32_t{p[1]} << 8 | p[2]; }

// What a server may say besides a KeyUpdate: tickets, or in TLS 1.2 that it would like to negotiate anew, which a client may
// leave unanswered (RFC 5246 7.4.1.1).
bool is_passed_over(Version version, std::uint8_t type) noexcept {
  return version == Version::tls13 ? type == kNewSessionTicket : type == kHelloRequest;
}

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

// The rest of a message that is passed over, as far as it is here. Returns: what follows it.
Bytes PostHandshakeReader::pass_over(Bytes fragment) noexcept {
  const std::uint32_t left = load_be24(bytes_.data());
  const auto taken = static_cast<std::uint32_t>(std::min<std::size_t>(fragment.size(), left));
  const std::uint32_t rest = left - taken;
  bytes_ = {static_cast<std::uint8_t>(rest >> 16), static_cast<std::uint8_t>(rest >> 8), static_cast<std::uint8_t>(rest)};
  size_ = rest == 0 ? std::uint8_t{0} : kPassingOver;
  return fragment.subspan(taken);
}

Result<PostHandshake, PostHandshakeError> PostHandshakeReader::take(Version version, Writer writer, Bytes fragment) noexcept {
  if (fragment.empty()) return Failure{PostHandshakeError::unexpected_type};
  if (size_ == kPassingOver) fragment = pass_over(fragment);
  while (!fragment.empty()) {
    const std::uint8_t type = size_ == 0 ? fragment[0] : bytes_[0];
    const bool is_over = writer == Writer::server && is_passed_over(version, type);
    if (!is_over && version == Version::tls12) return Failure{error_at(0, version, type)};  // TLS 1.2 has no KeyUpdate
    const std::size_t wanted = is_over ? std::size(kHead) : kKeyUpdateBytes;
    const std::size_t taken = std::min(fragment.size(), wanted - size_);
    for (std::size_t i = 0; i < taken; ++i) {
      const std::size_t at = size_ + i;
      if (!is_over && at < std::size(kHead) && fragment[i] != kHead[at]) return Failure{error_at(at, version, fragment[i])};
      bytes_[at] = fragment[i];
    }
    size_ = static_cast<std::uint8_t>(size_ + taken);
    fragment = fragment.subspan(taken);
    if (size_ < wanted) return PostHandshake::partial;
    if (!is_over) break;
    const std::uint32_t bytes = load_be24(bytes_.data() + 1);
    const bool is_sound = version == Version::tls13 ? bytes <= kMaxTicketBytes : bytes == 0;
    if (!is_sound) return Failure{PostHandshakeError::bad_length};
    bytes_ = {bytes_[1], bytes_[2], bytes_[3]};
    fragment = pass_over(fragment);
  }
  if (size_ == kPassingOver) return PostHandshake::partial;
  if (size_ == 0) return PostHandshake::passed_over;
  size_ = 0;
  if (!fragment.empty()) return Failure{PostHandshakeError::trailing_bytes};
  switch (bytes_[kKeyUpdateBytes - 1]) {
    case static_cast<std::uint8_t>(KeyUpdateRequest::not_requested): return PostHandshake::key_update;
    case static_cast<std::uint8_t>(KeyUpdateRequest::requested): return PostHandshake::key_update_and_answer;
    default: return Failure{PostHandshakeError::bad_request};
  }
}

}  // namespace cutwater::record
