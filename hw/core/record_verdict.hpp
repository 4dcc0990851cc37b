// What an opened record is, once its tag was compared: the first question is always the tag, so nobody learns the shape of what he could not seal.
// Says the same as read_inner() in native/record/aead.hpp. Source: RFC 9846 5.1, 5.2, 5.4; RFC 5246 6.2.1.
#pragma once

#include "core/inner_end.hpp"
#include "core/record_job.hpp"
#include "core/slot.hpp"

namespace cutwater::hw {

/// What is kept of a record while it is under way.
struct RecordNote {
  JobId id = 0;
  RecordVersion version = RecordVersion::tls_1_3;
  Release release = Release::after_verdict;
  std::uint8_t type = 0;  // outer
  UInt<15> text_bytes = 0;
  JobVerdict refusal{};
};

inline RecordCompletion refusal_of(JobId id, RecordStatus status, RecordAlert alert) noexcept {
  RecordCompletion completion{};
  completion.id = id;
  completion.status = status;
  completion.alert = alert;
  return completion;
}

inline RecordCompletion shape_verdict(const RecordNote& note, const InnerEnd& inner) noexcept {
  const bool is_1_3 = note.version == RecordVersion::tls_1_3;
  const std::uint8_t type = is_1_3 ? inner.type : note.type;
  const std::uint32_t bytes = is_1_3 ? (inner.end == 0 ? 0 : inner.end - 1) : static_cast<std::uint32_t>(note.text_bytes);
  const bool is_overlong = note.text_bytes > kMostFragmentBytes + (is_1_3 ? 1 : 0);
  const bool is_wrong_outside = is_1_3 && note.type != kApplicationDataType;
  const bool is_untyped = is_1_3 && (inner.end == 0 || type < kAlertType || type > kApplicationDataType);
  const bool is_empty = bytes == 0 && type != kApplicationDataType;
  if (is_wrong_outside) return refusal_of(note.id, RecordStatus::bad_shape, RecordAlert::unexpected_message);
  if (is_overlong) return refusal_of(note.id, RecordStatus::bad_shape, RecordAlert::record_overflow);
  if (is_untyped || is_empty) return refusal_of(note.id, RecordStatus::bad_shape, RecordAlert::unexpected_message);
  RecordCompletion completion{};
  completion.id = note.id;
  completion.type = type;
  completion.bytes = static_cast<std::uint16_t>(bytes);
  return completion;
}

/// `judged` is the tag's slot as it left the pipeline: its block is zero when the tag is right.
inline RecordCompletion record_verdict(const RecordNote& note, const InnerEnd& inner, const Slot& judged) noexcept {
  if (note.refusal.status != RecordStatus::ok) return refusal_of(note.id, note.refusal.status, note.refusal.alert);
  if (judged.mark == SlotMark::broken) return refusal_of(note.id, RecordStatus::bad_input, RecordAlert::internal_error);
  if (!is_zero(judged.block)) return refusal_of(note.id, RecordStatus::bad_tag, RecordAlert::bad_record_mac);
  return shape_verdict(note, inner);
}

}  // namespace cutwater::hw
