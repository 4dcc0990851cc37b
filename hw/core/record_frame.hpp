// What TLS puts round a record's text: nonce, additional data, header. Source: RFC 9846 5.2, 5.3; RFC 5246 6.2.3.3; RFC 5288 3.
#pragma once

#include "core/record_job.hpp"

namespace cutwater::hw {

inline std::uint8_t byte_of(std::uint64_t word, unsigned from_the_top) noexcept {
  return static_cast<std::uint8_t>(word >> (56 - 8 * from_the_top));
}

/// TLS 1.3: the IV XOR the record number at its end. TLS 1.2: the salt, then the eight bytes on the wire.
inline Nonce record_nonce(const RecordJob& job, const Array<std::uint8_t, kExplicitNonceBytes>& on_wire) noexcept {
  Nonce nonce = job.iv;
  CUTWATER_LOOP(number_bytes)
  for (unsigned i = 0; i < 8; ++i) {
    nonce[4 + i] = job.version == RecordVersion::tls_1_3 ? static_cast<std::uint8_t>(job.iv[4 + i] ^ byte_of(job.number, i)) : on_wire[i];
  }
  return nonce;
}

/// The record number as the explicit nonce of a sealed record: unique under the key, and the same when it is sealed again.
inline Array<std::uint8_t, kExplicitNonceBytes> number_bytes_of(std::uint64_t number) noexcept {
  Array<std::uint8_t, kExplicitNonceBytes> bytes{};
  CUTWATER_LOOP(number_bytes)
  for (unsigned i = 0; i < kExplicitNonceBytes; ++i) bytes[i] = byte_of(number, i);
  return bytes;
}

struct Header {
  std::uint8_t type = 0;
  std::uint16_t wire_version = 0;
  std::uint16_t body_bytes = 0;
};

inline std::uint8_t header_byte(const Header& header, unsigned at) noexcept {
  switch (at) {
    case 0: return header.type;
    case 1: return static_cast<std::uint8_t>(header.wire_version >> 8U);
    case 2: return static_cast<std::uint8_t>(header.wire_version);
    case 3: return static_cast<std::uint8_t>(header.body_bytes >> 8U);
    default: return static_cast<std::uint8_t>(header.body_bytes);
  }
}

inline unsigned aad_bytes_of(RecordVersion version) noexcept {
  return version == RecordVersion::tls_1_3 ? kHeaderBytes : kHeaderBytes + 8;
}

/// TLS 1.3: the header. TLS 1.2: number, type, version and the text's length. Zeros behind it, as the hash wants them.
inline Block additional_data(RecordVersion version, std::uint64_t number, Header header, std::uint16_t text_bytes) noexcept {
  const bool has_number = version == RecordVersion::tls_1_2;
  if (has_number) header.body_bytes = text_bytes;
  Block out{};
  CUTWATER_LOOP(number_bytes)
  for (unsigned i = 0; i < 8; ++i) {
    if (has_number) out[i] = byte_of(number, i);
  }
  CUTWATER_LOOP(header_bytes)
  for (unsigned i = 0; i < kHeaderBytes; ++i) out[has_number ? 8 + i : i] = header_byte(header, i);
  return out;
}

/// What stands before a sealed record's blocks.
inline Array<std::uint8_t, kFrontBytes> record_front(RecordVersion version, std::uint64_t number, const Header& header) noexcept {
  Array<std::uint8_t, kFrontBytes> out{};
  CUTWATER_LOOP(header_bytes)
  for (unsigned i = 0; i < kHeaderBytes; ++i) out[i] = header_byte(header, i);
  CUTWATER_LOOP(number_bytes)
  for (unsigned i = 0; i < 8; ++i) out[kHeaderBytes + i] = version == RecordVersion::tls_1_2 ? byte_of(number, i) : std::uint8_t{0};
  return out;
}

}  // namespace cutwater::hw
