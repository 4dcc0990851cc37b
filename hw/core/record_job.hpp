// What a card is asked, what it answers, and the blocks in between. The front of a record (header, explicit nonce) travels with job and
// completion; behind it the record is blocks, as its bytes lie on the wire. Lengths in a job may be anything: they are judged here, once.
// Source: RFC 9846 5.1, 5.2; RFC 5246 6.2; RFC 5288 3.
#pragma once

#include "core/ctr.hpp"
#include "core/key_expand.hpp"

namespace cutwater::hw {

enum class RecordVersion : std::uint8_t { tls_1_2, tls_1_3 };
enum class Release : std::uint8_t { after_verdict, streaming };  // streaming: plaintext leaves as it comes, the verdict behind it

inline constexpr unsigned kTagBytes = 16;
inline constexpr unsigned kHeaderBytes = 5;
inline constexpr unsigned kExplicitNonceBytes = 8;               // TLS 1.2
inline constexpr unsigned kFrontBytes = kHeaderBytes + kExplicitNonceBytes;
inline constexpr std::uint32_t kMostFragmentBytes = 16384;       // RFC 9846 5.1
inline constexpr std::uint32_t kMostBodyBytes = 16384 + 256;     // RFC 9846 5.2
inline constexpr std::uint8_t kAlertType = 21;
inline constexpr std::uint8_t kApplicationDataType = 23;

using JobId = std::uint16_t;

/// Every job is followed by its blocks on the stream beside, at least one, and the last of them says so.
struct RecordJob {
  Key key{};
  Nonce iv{};
  std::uint64_t number = 0;
  Array<std::uint8_t, kExplicitNonceBytes> explicit_nonce{};  // open, TLS 1.2: as on the wire
  std::uint32_t bytes = 0;                                    // seal: of the fragment; open: of the body, as the header says
  std::uint16_t wire_version = 0x0303;                        // open: as in the header
  std::uint8_t type = kApplicationDataType;                   // seal: the record's; open: as in the header
  KeySize key_size = KeySize::aes_128;
  RecordVersion version = RecordVersion::tls_1_3;
  Release release = Release::after_verdict;
  JobId id = 0;  // handed back with every block and with the completion
};

struct InBlock {
  Block data{};
  bool is_last = false;
};

struct OutBlock {
  Block data{};
  JobId id = 0;
  bool is_last = false;
};

enum class RecordStatus : std::uint8_t {
  ok,
  bad_tag,    // forged, corrupted, or under another key or number
  bad_shape,  // a record that may not exist: too short, too long, all padding, an unknown inner type
  bad_job,    // no such cipher, version or length: the driver's fault; nothing was begun
  bad_input,  // more or fewer blocks than the job said: the driver's fault; nothing that came out is good
};

/// What the far end is to be told. By IANA number.
enum class RecordAlert : std::uint8_t { none = 0, unexpected_message = 10, bad_record_mac = 20, record_overflow = 22, internal_error = 80 };

struct RecordCompletion {
  JobId id = 0;
  RecordStatus status = RecordStatus::ok;
  RecordAlert alert = RecordAlert::none;
  std::uint8_t type = 0;    // open: of the fragment
  std::uint16_t bytes = 0;  // seal: behind the front; open: of the fragment. 0 unless the status is ok
  Array<std::uint8_t, kFrontBytes> front{};  // seal: header, and in TLS 1.2 the explicit nonce
};

/// Refusals before anything is begun; `ok` when there is none.
struct JobVerdict {
  RecordStatus status = RecordStatus::ok;
  RecordAlert alert = RecordAlert::none;
};

inline bool is_known(const RecordJob& job) noexcept {
  return (job.key_size == KeySize::aes_128 || job.key_size == KeySize::aes_256) &&
         (job.version == RecordVersion::tls_1_2 || job.version == RecordVersion::tls_1_3) &&
         (job.release == Release::after_verdict || job.release == Release::streaming);
}

inline JobVerdict judge_seal(const RecordJob& job) noexcept {
  if (!is_known(job) || job.bytes > kMostFragmentBytes) return {RecordStatus::bad_job, RecordAlert::internal_error};
  return {};
}

/// Bytes of an opened record's body that are no text.
inline std::uint32_t bytes_around(RecordVersion version) noexcept {
  return kTagBytes + (version == RecordVersion::tls_1_2 ? kExplicitNonceBytes : 0);
}

inline JobVerdict judge_open(const RecordJob& job) noexcept {
  if (!is_known(job)) return {RecordStatus::bad_job, RecordAlert::internal_error};
  if (job.bytes > kMostBodyBytes) return {RecordStatus::bad_shape, RecordAlert::record_overflow};
  if (job.bytes < bytes_around(job.version)) return {RecordStatus::bad_shape, RecordAlert::bad_record_mac};
  return {};
}

}  // namespace cutwater::hw
