// Finds records in a byte stream: five header bytes are judged once, here, before anything else believes them.
// Not here: decryption, reassembly. Thread: any (pure functions). Used by: splice, secure, hello, fuzz_record.cpp.
#pragma once

#include "base/result.hpp"
#include "record/alert.hpp"
#include "record/suite.hpp"

namespace cutwater::record {

struct RecordHeader {
  ContentType type = ContentType::application_data;
  std::uint16_t version = 0;  // as on the wire; only its major byte is judged (RFC 9846 5.1: otherwise ignored)
  std::uint16_t body_bytes = 0;

  [[nodiscard]] constexpr std::size_t record_bytes() const noexcept { return kHeaderBytes + body_bytes; }
};

/// Why a header is refused. Always the sender's fault; the connection ends with alert_for().
enum class DeframeError : std::uint8_t {
  unknown_type,            // not one of the four content types: not TLS, or heartbeats
  bad_version,             // major version is not 3
  too_long,                // body over 2^14 + 256 bytes
  empty,                   // a handshake or alert record with no body
  bad_change_cipher_spec,  // its body is one byte, never more
};
std::string_view to_string(DeframeError error) noexcept;
/// The alert that answers it. Source: RFC 9846 5.1, 5.2, 6.2.
Alert alert_for(DeframeError error) noexcept;

inline constexpr std::uint8_t kMajorVersion = 3;  // TLS 1.0 to 1.3 all say 3 in the first version byte

constexpr bool is_known_type(std::uint8_t type) noexcept {
  return type >= static_cast<std::uint8_t>(ContentType::change_cipher_spec) &&
         type <= static_cast<std::uint8_t>(ContentType::application_data);
}

/// Judges a header. Requires: at least kHeaderBytes bytes. Inline: once per packet, and its answer shall stay in registers.
[[gnu::always_inline]] inline Result<RecordHeader, DeframeError> parse_header(Bytes bytes) noexcept {
  if (!is_known_type(bytes[0])) return Failure{DeframeError::unknown_type};
  if (bytes[1] != kMajorVersion) return Failure{DeframeError::bad_version};
  const RecordHeader header{.type = static_cast<ContentType>(bytes[0]),
                            .version = load_be16(bytes.data() + 1),
                            .body_bytes = load_be16(bytes.data() + 3)};
  if (header.body_bytes > kMaxCiphertextBytes) return Failure{DeframeError::too_long};
  // Encrypted TLS 1.2 alerts and handshake messages have a nonce and a tag, so this holds in every state.
  const bool is_message = header.type == ContentType::handshake || header.type == ContentType::alert;
  if (is_message && header.body_bytes == 0) return Failure{DeframeError::empty};
  if (header.type == ContentType::change_cipher_spec && header.body_bytes != 1) {
    return Failure{DeframeError::bad_change_cipher_spec};
  }
  return header;
}

/// Whether the bytes are one record to the byte, as most segments of a client are. Its header is yet to be judged.
[[nodiscard]] inline bool is_one_record(Bytes bytes) noexcept {
  return bytes.size() >= kHeaderBytes && bytes.size() - kHeaderBytes == load_be16(bytes.data() + 3);
}

/// How a byte range is cut into records. `cut`: the last of them goes on behind it. `bad`: a header that will be refused.
enum class Framing : std::uint8_t { whole, cut, bad };
/// Cost: one step a record; the caller's bytes bound it.
inline Framing framing_of(Bytes bytes) noexcept {
  for (std::size_t at = 0; at != bytes.size();) {
    const Bytes rest = bytes.subspan(at);
    if (rest.size() < kHeaderBytes) return Framing::cut;
    const auto header = parse_header(rest);
    if (!header) return Framing::bad;
    if (rest.size() < header->record_bytes()) return Framing::cut;
    at += header->record_bytes();
  }
  return Framing::whole;
}

/// The record at the start of some bytes.
struct NextRecord {
  enum class Status : std::uint8_t {
    complete,  // header is set, and header.record_bytes() of the bytes are the record
    partial,   // missing_bytes more are needed, at the least; header is set when is_header_known
    bad,       // error says why; refused as early as the bytes show it
  };
  Status status = Status::partial;
  bool is_header_known = false;
  RecordHeader header{};
  std::size_t missing_bytes = 0;
  DeframeError error = DeframeError::unknown_type;
};
NextRecord next_record(Bytes bytes) noexcept;

/// How far a byte range consists of whole records.
struct RecordRun {
  std::size_t records = 0;
  std::size_t record_bytes = 0;  // all whole records together; what follows is `rest`
  NextRecord rest{};             // partial or bad; partial with kHeaderBytes missing when nothing follows
};
/// Cost: one step a record; the caller's bytes bound it.
RecordRun whole_records(Bytes bytes) noexcept;

}  // namespace cutwater::record
