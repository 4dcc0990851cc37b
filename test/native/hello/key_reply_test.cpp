// The framing of a client's answer to a first flight, in every cut: one verdict, whatever the cut, and nothing used behind the end.
#include <doctest/doctest.h>

#include "hello/key_reply.hpp"

using namespace cutwater;
using namespace cutwater::hello;

namespace {

using ByteVector = std::vector<std::uint8_t>;

ByteVector framed(std::uint8_t type, const ByteVector& body) {
  ByteVector out{type, 3, 3, static_cast<std::uint8_t>(body.size() >> 8), static_cast<std::uint8_t>(body.size())};
  out.insert(out.end(), body.begin(), body.end());
  return out;
}
ByteVector message(std::uint8_t type, std::size_t bytes) {
  ByteVector out{type, 0, static_cast<std::uint8_t>(bytes >> 8), static_cast<std::uint8_t>(bytes)};
  out.resize(4 + bytes, 0x55);
  return out;
}
ByteVector joined(std::initializer_list<ByteVector> parts) {
  ByteVector out;
  for (const ByteVector& part : parts) out.insert(out.end(), part.begin(), part.end());
  return out;
}

const ByteVector kKey = message(16, 258), kChain = message(11, 900), kNoChain = message(11, 3), kVerify = message(15, 260);
const ByteVector kChange = framed(20, {1}), kFinished = framed(22, ByteVector(40, 9)), kData = framed(23, ByteVector(30, 1));

struct Told {
  KeyReply reply;
  KeyReplyStep step;
  std::size_t used = 0;
};

Told tell(const ByteVector& bytes, std::size_t piece, bool may_have_certificate) {
  Told told;
  told.reply.may_have_certificate = may_have_certificate;
  while (told.used < bytes.size() && !told.step.is_refused && !told.reply.is_whole()) {
    told.step = follow(told.reply, Bytes(bytes).subspan(told.used, std::min(piece, bytes.size() - told.used)));
    told.used += told.step.used_bytes;
  }
  return told;
}

}  // namespace

TEST_CASE("H4: a reply is whole with its Finished, in every cut, and what follows is not touched") {
  struct Row {
    ByteVector bytes;
    bool may_have_certificate;
  };
  const Row rows[] = {
      {joined({framed(22, kKey), kChange, kFinished}), false},
      {joined({framed(22, kKey), kChange, kFinished}), true},
      {joined({framed(22, kNoChain), framed(22, kKey), kChange, kFinished}), true},
      {joined({framed(22, kChain), framed(22, kKey), framed(22, kVerify), kChange, kFinished}), true},
      {joined({framed(22, joined({kChain, kKey, kVerify})), kChange, kFinished}), true},                        // messages in one record
      {joined({framed(22, {kKey.begin(), kKey.begin() + 2}), framed(22, {kKey.begin() + 2, kKey.end()}), kChange, kFinished}), false},
      {joined({framed(22, kKey), kChange, framed(21, ByteVector(26, 3))}), false},                              // encrypted: the processor's
  };
  for (const Row& row : rows) {
    const ByteVector bytes = joined({row.bytes, kData});
    for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
      const Told told = tell(bytes, piece, row.may_have_certificate);
      CAPTURE(piece);
      CHECK_FALSE(told.step.is_refused);
      CHECK(told.reply.is_whole());
      CHECK(told.used == row.bytes.size());
    }
    for (std::size_t cut = 0; cut < row.bytes.size(); ++cut) {
      CHECK_FALSE(tell({row.bytes.begin(), row.bytes.begin() + static_cast<std::ptrdiff_t>(cut)}, 4096, row.may_have_certificate).reply.is_whole());
    }
  }
}

TEST_CASE("H4: what is no reply is refused with the same alert in every cut") {
  using Kind = Refusal::Kind;
  struct Row {
    ByteVector bytes;
    bool may_have_certificate;
    Kind kind;
    int alert;
  };
  const Row rows[] = {
      {framed(22, kChain), false, Kind::bad_record, 10},
      {framed(22, kVerify), true, Kind::bad_record, 10},
      {joined({framed(22, kKey), framed(22, kVerify)}), false, Kind::bad_record, 10},
      {joined({framed(22, kKey), framed(22, kKey)}), true, Kind::bad_record, 10},
      {joined({framed(22, {kKey.begin(), kKey.begin() + 9}), kChange}), false, Kind::bad_record, 10},  // in the middle of a message
      {joined({framed(22, kKey), kData}), false, Kind::bad_record, 10},
      {kChange, false, Kind::bad_record, 10},
      {kFinished, false, Kind::bad_record, 10},
      {framed(22, {16, 0, 0x80, 0}), false, Kind::too_large, 50},
      {framed(22, {11, 1, 0, 1}), true, Kind::too_large, 50},
      {framed(20, {1, 1}), false, Kind::bad_record, 10},
      {{22, 2, 0, 0, 1}, false, Kind::bad_record, 70},
      {{22, 3, 3, 0xff, 0xff}, false, Kind::bad_record, 22},
      {{99, 3, 3, 0, 1}, false, Kind::bad_record, 10},
      {framed(22, {}), false, Kind::bad_record, 10},
      {framed(21, {2, 42}), false, Kind::client_alert, 42},
      {joined({framed(22, kKey), framed(21, {1, 0})}), false, Kind::client_alert, 0},
  };
  for (const Row& row : rows) {
    for (std::size_t piece = 1; piece <= row.bytes.size(); ++piece) {
      const Told told = tell(row.bytes, piece, row.may_have_certificate);
      CAPTURE(&row - rows);
      CAPTURE(piece);
      CHECK(told.step.is_refused);
      CHECK(told.step.refusal.kind == row.kind);
      CHECK(told.step.refusal.alert == row.alert);
    }
  }
}
