#include "core/record_verdict.hpp"

#include <doctest/doctest.h>

using namespace cutwater::hw;

namespace {

RecordCompletion verdict(RecordVersion version, std::uint8_t outer, std::uint32_t text_bytes, std::uint32_t end, std::uint8_t type) {
  RecordNote note{};
  note.version = version;
  note.type = outer;
  note.text_bytes = text_bytes;
  InnerEnd inner{};
  inner.end = end;
  inner.type = type;
  return record_verdict(note, inner, {});
}

}  // namespace

TEST_CASE("A1: the tag is judged first: a record that is forged and misshapen is forged") {
  RecordNote note{};
  note.type = 22;
  note.text_bytes = 16640;
  Slot judged{};
  for (unsigned bit = 0; bit < 128; ++bit) {
    judged.block = {};
    judged.block[bit / 8] = static_cast<std::uint8_t>(1U << (bit % 8));
    CHECK(record_verdict(note, {}, judged).status == RecordStatus::bad_tag);
  }
  judged.block = {};
  CHECK(record_verdict(note, {}, judged).status == RecordStatus::bad_shape);
  judged.mark = SlotMark::broken;
  CHECK(record_verdict(note, {}, judged).status == RecordStatus::bad_input);
}

TEST_CASE("A1: an authentic record is one that may exist, or is refused with the alert the RFC names") {
  using enum RecordAlert;
  constexpr auto k13 = RecordVersion::tls_1_3, k12 = RecordVersion::tls_1_2;
  CHECK(verdict(k13, 23, 100, 50, 22).bytes == 49);
  CHECK(verdict(k13, 23, 100, 50, 22).type == 22);
  CHECK(verdict(k13, 23, 16385, 16385, 23).bytes == 16384);
  CHECK(verdict(k13, 23, 16386, 1, 23).alert == record_overflow);
  CHECK(verdict(k13, 22, 10, 5, 23).alert == unexpected_message);
  CHECK(verdict(k13, 23, 10, 0, 0).alert == unexpected_message);
  CHECK(verdict(k13, 23, 10, 5, 20).alert == unexpected_message);
  CHECK(verdict(k13, 23, 10, 5, 24).alert == unexpected_message);
  CHECK(verdict(k13, 23, 1, 1, 23).status == RecordStatus::ok);
  CHECK(verdict(k13, 23, 1, 1, 21).alert == unexpected_message);
  CHECK(verdict(k12, 22, 16384, 0, 0).bytes == 16384);
  CHECK(verdict(k12, 22, 16384, 0, 0).type == 22);
  CHECK(verdict(k12, 22, 16385, 0, 0).alert == record_overflow);
  CHECK(verdict(k12, 23, 0, 0, 0).status == RecordStatus::ok);
  CHECK(verdict(k12, 22, 0, 0, 0).alert == unexpected_message);
}
