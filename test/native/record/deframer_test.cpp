#include "record/deframer.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace cutwater;
using namespace cutwater::record;

namespace {

using ByteVector = std::vector<std::uint8_t>;
using Status = NextRecord::Status;

ByteVector header(std::uint8_t type, std::uint16_t version, std::size_t body_bytes) {
  ByteVector bytes(kHeaderBytes);
  bytes[0] = type;
  store_be16(bytes.data() + 1, version);
  store_be16(bytes.data() + 3, static_cast<std::uint16_t>(body_bytes));
  return bytes;
}
ByteVector record_of(std::uint8_t type, std::size_t body_bytes) {
  ByteVector bytes = header(type, 0x0303, body_bytes);
  bytes.resize(kHeaderBytes + body_bytes, 0xaa);
  return bytes;
}

}  // namespace

TEST_CASE("headers that may be are parsed") {
  struct Row { std::uint8_t type; std::uint16_t version; std::size_t body_bytes; };
  for (const Row& row : {Row{22, 0x0301, 512}, Row{23, 0x0303, 16384 + 256}, Row{23, 0x0303, 0}, Row{21, 0x0303, 2},
                         Row{20, 0x0303, 1}, Row{23, 0x03ff, 17}, Row{22, 0x0300, 1}}) {
    const auto parsed = parse_header(header(row.type, row.version, row.body_bytes));
    REQUIRE(parsed);
    CHECK(parsed->type == static_cast<ContentType>(row.type));
    CHECK(parsed->version == row.version);
    CHECK(parsed->body_bytes == row.body_bytes);
    CHECK(parsed->record_bytes() == row.body_bytes + 5);
  }
}

TEST_CASE("headers that may not be are refused, each with its alert") {
  struct Row { std::uint8_t type; std::uint16_t version; std::size_t body_bytes; DeframeError error; Alert alert; };
  const Row rows[] = {
      {0, 0x0303, 10, DeframeError::unknown_type, Alert::unexpected_message},
      {19, 0x0303, 10, DeframeError::unknown_type, Alert::unexpected_message},
      {24, 0x0303, 10, DeframeError::unknown_type, Alert::unexpected_message},  // heartbeat
      {'G', 0x4554, 10, DeframeError::unknown_type, Alert::unexpected_message},
      {0x80, 0x2e01, 3, DeframeError::unknown_type, Alert::unexpected_message},  // an SSLv2 hello
      {23, 0x0203, 10, DeframeError::bad_version, Alert::protocol_version},
      {22, 0x0403, 10, DeframeError::bad_version, Alert::protocol_version},
      {22, 0xfefd, 10, DeframeError::bad_version, Alert::protocol_version},  // DTLS
      {23, 0x0303, 16384 + 257, DeframeError::too_long, Alert::record_overflow},
      {22, 0x0303, 0xffff, DeframeError::too_long, Alert::record_overflow},
      {22, 0x0303, 0, DeframeError::empty, Alert::unexpected_message},
      {21, 0x0303, 0, DeframeError::empty, Alert::unexpected_message},
      {20, 0x0303, 0, DeframeError::bad_change_cipher_spec, Alert::unexpected_message},
      {20, 0x0303, 2, DeframeError::bad_change_cipher_spec, Alert::unexpected_message},
  };
  for (const Row& row : rows) {
    CAPTURE(row.type);
    CAPTURE(row.body_bytes);
    const auto parsed = parse_header(header(row.type, row.version, row.body_bytes));
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error() == row.error);
    CHECK(alert_for(parsed.error()) == row.alert);
    CHECK(next_record(header(row.type, row.version, row.body_bytes)).status == Status::bad);
  }
}

TEST_CASE("A12: a record cut anywhere is partial, and says how many bytes are missing") {
  const ByteVector whole = record_of(23, 300);
  for (std::size_t cut = 0; cut < whole.size(); ++cut) {
    const NextRecord next = next_record(Bytes{whole}.first(cut));
    REQUIRE(next.status == Status::partial);
    CHECK(next.is_header_known == (cut >= kHeaderBytes));
    CHECK(next.missing_bytes == (cut < kHeaderBytes ? kHeaderBytes : whole.size()) - cut);
  }
  const NextRecord next = next_record(whole);
  CHECK(next.status == Status::complete);
  CHECK(next.header.record_bytes() == whole.size());
}

TEST_CASE("a wrong header is refused at its first wrong byte, not when it is whole") {
  CHECK(next_record(ByteVector{'G'}).status == Status::bad);
  CHECK(next_record(ByteVector{22}).status == Status::partial);
  CHECK(next_record(ByteVector{22, 2}).status == Status::bad);
  CHECK(next_record(ByteVector{22, 3, 1, 0x41}).status == Status::partial);
}

TEST_CASE("whole records in a range are counted, and what follows them is described") {
  ByteVector stream;
  for (const auto body : std::initializer_list<std::size_t>{1, 40, 16384, 17}) {
    const ByteVector one = record_of(23, body);
    stream.insert(stream.end(), one.begin(), one.end());
  }
  const std::size_t whole_bytes = stream.size();
  RecordRun run = whole_records(stream);
  CHECK(run.records == 4);
  CHECK(run.record_bytes == whole_bytes);
  CHECK(run.rest.status == Status::partial);
  CHECK(run.rest.missing_bytes == kHeaderBytes);

  const ByteVector tail = record_of(22, 100);
  stream.insert(stream.end(), tail.begin(), tail.begin() + 50);
  run = whole_records(stream);
  CHECK(run.records == 4);
  CHECK(run.rest.status == Status::partial);
  CHECK(run.rest.header.type == ContentType::handshake);
  CHECK(run.rest.missing_bytes == 55);

  stream[whole_bytes] = 99;
  run = whole_records(stream);
  CHECK(run.records == 4);
  CHECK(run.record_bytes == whole_bytes);
  CHECK(run.rest.status == Status::bad);
  CHECK(run.rest.error == DeframeError::unknown_type);

  CHECK(whole_records({}).records == 0);
}
