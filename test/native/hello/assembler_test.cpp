// One hello out of bytes in any cut: record headers left out, what cannot become a hello refused at the first byte that shows it.
#include "hello/assembler.hpp"

#include <doctest/doctest.h>

#include "native/hello/hello_builder.hpp"

using namespace cutwater;
using namespace cutwater::hello;
using namespace cutwater::hello::test;

namespace {

struct Bench {
  HelloBlocks blocks{{.answers = 2, .hellos = 2, .long_hellos = 1}};
  Assembly assembly;
  Assembled take(Bytes bytes) { return assemble(assembly, blocks, bytes); }
  ByteVector message() { return {message_of(assembly, blocks).begin(), message_of(assembly, blocks).end()}; }
};

ByteVector record_of(std::uint8_t type, Bytes body) {
  ByteVector out(record::kHeaderBytes + body.size());
  out[0] = type, out[1] = 3, out[2] = 1;
  store_be16(out.data() + 3, static_cast<std::uint16_t>(body.size()));
  std::copy(body.begin(), body.end(), out.begin() + record::kHeaderBytes);
  return out;
}

/// A hello's message of `bytes` bytes that only the assembler would take for one.
ByteVector message_of_length(std::size_t bytes) {
  ByteVector out(bytes);
  for (std::size_t i = 0; i < bytes; ++i) out[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
  out[0] = 1;
  out[1] = static_cast<std::uint8_t>((bytes - 4) >> 16), out[2] = static_cast<std::uint8_t>((bytes - 4) >> 8), out[3] = static_cast<std::uint8_t>(bytes - 4);
  return out;
}

}  // namespace

TEST_CASE("H1: a hello in two pieces, cut at any byte, in one record or in many, comes out whole") {
  const ByteVector message = message_of_length(1500);
  for (const std::size_t per_record : {1500U, 700U, 3U, 1U}) {
    ByteVector stream;
    for (std::size_t at = 0; at < message.size(); at += per_record) {
      const ByteVector record = record_of(22, Bytes(message).subspan(at, std::min(per_record, message.size() - at)));
      stream.insert(stream.end(), record.begin(), record.end());
    }
    for (std::size_t cut = 1; cut < stream.size(); cut += per_record == 1500 ? 1 : 97) {
      CAPTURE(cut);
      Bench bench;
      const Assembled first = bench.take(Bytes(stream).first(cut));
      REQUIRE(first.status == Assembled::Status::more);
      REQUIRE(first.used_bytes == cut);
      const Assembled second = bench.take(Bytes(stream).subspan(cut));
      REQUIRE(second.status == Assembled::Status::whole);
      REQUIRE(bench.message() == message);
    }
  }
}

TEST_CASE("H1: hellos of real clients, cut at every byte, come out whole and unchanged") {
  for (const auto& entry : std::filesystem::directory_iterator(corpus())) {
    CAPTURE(entry.path().filename().string());
    const ByteVector message = captured(entry.path().filename().string());
    const ByteVector stream = record_of(22, message);
    for (std::size_t cut = 1; cut < stream.size(); ++cut) {
      Bench bench;
      REQUIRE(bench.take(Bytes(stream).first(cut)).status == Assembled::Status::more);
      REQUIRE(bench.take(Bytes(stream).subspan(cut)).status == Assembled::Status::whole);
      REQUIRE(bench.message() == message);
    }
  }
}

TEST_CASE("H1: what follows a hello is not touched") {
  Bench bench;
  ByteVector stream = record_of(22, message_of_length(300));
  const std::size_t hello_bytes = stream.size();
  stream.push_back(23);
  const Assembled step = bench.take(stream);
  CHECK(step.status == Assembled::Status::whole);
  CHECK(step.used_bytes == hello_bytes);
}

TEST_CASE("H1, I5: a long hello moves to a long block; with none left nothing more is used, and the same bytes may come again") {
  Bench bench, other;
  const ByteVector message = message_of_length(kLongBlockBytes);
  const ByteVector stream = [&] {
    ByteVector two = record_of(22, Bytes(message).first(10'000));
    const ByteVector rest = record_of(22, Bytes(message).subspan(10'000));
    two.insert(two.end(), rest.begin(), rest.end());
    return two;
  }();
  const std::uint32_t taken = bench.blocks.take(kLongBlockBytes);
  const Assembled stuck = bench.take(stream);
  CHECK(stuck.status == Assembled::Status::no_block);
  bench.blocks.put(taken);
  const Assembled done = bench.take(Bytes(stream).subspan(stuck.used_bytes));
  CHECK(done.status == Assembled::Status::whole);
  CHECK(bench.message() == message);
  CHECK(bench.blocks.hellos_in_use() == 1);
  drop_message(bench.assembly, bench.blocks);
  CHECK(bench.blocks.hellos_in_use() == 0);
  const Assembled refused = other.take(record_of(22, message_of_length(kLongBlockBytes + 1)));
  CHECK(refused.status == Assembled::Status::refused);
  CHECK(refused.refusal.kind == Refusal::Kind::too_large);
}

TEST_CASE("H1: what is no hello is refused as soon as it shows, with the alert TLS has for it") {
  struct Case {
    ByteVector bytes;
    Refusal::Kind kind;
    std::uint8_t alert;
  };
  ByteVector with_more = message_of_length(60);
  with_more.push_back(20);
  const ByteVector finished{20, 0, 0, 1, 0};
  for (const Case& c : {Case{{'G', 'E', 'T', ' '}, Refusal::Kind::plain_http, 10}, Case{{'G', 'A'}, Refusal::Kind::bad_record, 10},
                        Case{{'S'}, Refusal::Kind::bad_record, 10}, Case{{22, 2}, Refusal::Kind::bad_record, 70},
                        Case{{22, 3, 1, 0, 0}, Refusal::Kind::bad_record, 10}, Case{{22, 3, 1, 0x42, 0}, Refusal::Kind::bad_record, 22},
                        Case{record_of(23, ByteVector(9)), Refusal::Kind::bad_record, 10}, Case{{20, 3, 1, 0, 1, 1}, Refusal::Kind::bad_record, 10},
                        Case{record_of(21, ByteVector{2, 40}), Refusal::Kind::client_alert, 0},
                        Case{record_of(22, finished), Refusal::Kind::bad_hello, 10}, Case{record_of(22, with_more), Refusal::Kind::bad_hello, 10}}) {
    CAPTURE(static_cast<int>(c.bytes[0]));
    Bench bench;
    const Assembled step = bench.take(c.bytes);
    CHECK(step.status == Assembled::Status::refused);
    CHECK(step.refusal.kind == c.kind);
    CHECK(step.refusal.alert == c.alert);
  }
}

TEST_CASE("H1: the message of a client that was refused before it got a block is empty") {
  Bench bench;
  CHECK(bench.take(ByteVector{'G', 'E', 'T', ' '}).status == Assembled::Status::refused);
  REQUIRE(bench.assembly.block == kNoBlock);
  CHECK(bench.message().empty());
}

TEST_CASE("H3: between two hellos change_cipher_spec and early data are passed over, within bounds; inside one they are not") {
  const ByteVector ccs = record_of(20, ByteVector{1});
  const ByteVector early = record_of(23, ByteVector(8'000));
  const ByteVector hello = record_of(22, message_of_length(200));
  Bench bench;
  bench.assembly.turn = Turn::second;
  CHECK(bench.take(ccs).status == Assembled::Status::more);
  CHECK(bench.take(early).status == Assembled::Status::more);
  CHECK(bench.take(early).status == Assembled::Status::more);
  CHECK(bench.take(Bytes(hello).first(100)).status == Assembled::Status::more);
  CHECK(bench.take(Bytes(hello).subspan(100)).status == Assembled::Status::whole);
  Bench flooded;
  flooded.assembly.turn = Turn::second;
  CHECK(flooded.take(early).status == Assembled::Status::more);
  CHECK(flooded.take(early).status == Assembled::Status::more);
  CHECK(flooded.take(early).status == Assembled::Status::refused);
  Bench inside;
  inside.assembly.turn = Turn::second;
  CHECK(inside.take(record_of(22, Bytes(hello).subspan(5, 50))).status == Assembled::Status::more);
  CHECK(inside.take(ccs).status == Assembled::Status::refused);
}
