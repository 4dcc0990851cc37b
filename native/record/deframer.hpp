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

/// Judges a header. Requires: at least kHeaderBytes bytes.
Result<RecordHeader, DeframeError> parse_header(Bytes bytes) noexcept;

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
