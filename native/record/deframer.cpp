#include "record/deframer.hpp"

namespace cutwater::record {

namespace {

NextRecord refused(DeframeError error) noexcept { return {.status = NextRecord::Status::bad, .error = error}; }

// A header not yet whole: what is there may already be wrong, and the sooner that shows the less is held for it.
NextRecord partial_header(Bytes bytes) noexcept {
  if (!bytes.empty() && !is_known_type(bytes[0])) return refused(DeframeError::unknown_type);
  if (bytes.size() > 1 && bytes[1] != kMajorVersion) return refused(DeframeError::bad_version);
  return {.status = NextRecord::Status::partial, .missing_bytes = kHeaderBytes - bytes.size()};
}

}  // namespace

std::string_view to_string(DeframeError error) noexcept {
  switch (error) {
    case DeframeError::unknown_type: return "unknown_type";
    case DeframeError::bad_version: return "bad_version";
    case DeframeError::too_long: return "too_long";
    case DeframeError::empty: return "empty";
    case DeframeError::bad_change_cipher_spec: return "bad_change_cipher_spec";
  }
  return "unknown";
}

Alert alert_for(DeframeError error) noexcept {
  switch (error) {
    case DeframeError::bad_version: return Alert::protocol_version;
    case DeframeError::too_long: return Alert::record_overflow;
    case DeframeError::unknown_type:
    case DeframeError::empty:
    case DeframeError::bad_change_cipher_spec: return Alert::unexpected_message;
  }
  return Alert::unexpected_message;
}

NextRecord next_record(Bytes bytes) noexcept {
  if (bytes.size() < kHeaderBytes) return partial_header(bytes);
  const auto header = parse_header(bytes);
  if (!header) return refused(header.error());
  const std::size_t record_bytes = header->record_bytes();
  if (bytes.size() < record_bytes) {
    return {.status = NextRecord::Status::partial,
            .is_header_known = true,
            .header = *header,
            .missing_bytes = record_bytes - bytes.size()};
  }
  return {.status = NextRecord::Status::complete, .is_header_known = true, .header = *header};
}

RecordRun whole_records(Bytes bytes) noexcept {
  RecordRun run;
  for (;;) {
    run.rest = next_record(bytes.subspan(run.record_bytes));
    if (run.rest.status != NextRecord::Status::complete) return run;
    run.record_bytes += run.rest.header.record_bytes();
    ++run.records;
  }
}

}  // namespace cutwater::record
