#include "core/plaintext_release.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "shim/stream.hpp"
#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

namespace {

struct Rig {
  std::unique_ptr<PlaintextBuffer> buffer = std::make_unique<PlaintextBuffer>();
  PlaintextRelease release{};
  Stream<OutBlock> out;

  void write(unsigned blocks) {
    for (unsigned i = 0; i < blocks + kSettleClocks; ++i) {
      buffer->clock();
      if (i < blocks) buffer->write(block("ffffffffffffffffffffffffffffffff"));
    }
    buffer->clock();
  }
  /// Blocks that came out in so many clocks, when they are taken at once.
  unsigned run(unsigned clocks) {
    unsigned seen = 0;
    for (unsigned i = 0; i < clocks; ++i) {
      release.step(*buffer, out);
      if (!out.empty()) out.read(), ++seen;
    }
    return seen;
  }
};

}  // namespace

TEST_CASE("A12: without a verdict nothing leaves, for as long as one waits") {
  Rig rig;
  rig.release.orders.push({1, Release::after_verdict, 80});
  rig.write(5);
  CHECK(rig.run(500) == 0);
  rig.release.verdicts.push(80);
  CHECK(rig.run(5) == 5);
}

TEST_CASE("A12: a refused record is wiped in as many clocks as a good one takes to leave, and shows nothing") {
  Rig rig;
  rig.release.orders.push({1, Release::after_verdict, 80});
  rig.release.orders.push({2, Release::after_verdict, 16});
  rig.write(6);
  rig.release.verdicts.push(0);
  rig.release.verdicts.push(16);
  CHECK(rig.run(5) == 0);
  CHECK(rig.run(1) == 1);  // the next record's
  CHECK(rig.buffer->count == 0);
  rig.run(1);
  for (const auto& bank : rig.buffer->banks) CHECK(is_zero(bank[0]));
}

TEST_CASE("what stands behind the fragment stays inside, and its last block ends with zeros") {
  Rig rig;
  rig.release.orders.push({1, Release::after_verdict, 80});
  rig.write(5);
  rig.release.verdicts.push(20);
  rig.release.step(*rig.buffer, rig.out);
  CHECK_FALSE(rig.out.read().is_last);
  rig.release.step(*rig.buffer, rig.out);
  const OutBlock last = rig.out.read();
  CHECK(last.is_last);
  CHECK(bytes_of(last.data) == bytes_of(block("ffffffff")));
  CHECK(rig.run(10) == 0);
  CHECK(rig.buffer->count == 0);
}

TEST_CASE("A13: a streaming record leaves as it comes, without a verdict") {
  Rig rig;
  rig.release.orders.push({1, Release::streaming, 80});
  rig.write(2);
  CHECK(rig.run(20) == 2);
  rig.write(3);
  CHECK(rig.run(3) == 3);
  CHECK(rig.release.orders.is_empty());
}

TEST_CASE("a reader that is not there stops the release, not the wiping of what is refused") {
  Rig rig;
  rig.release.orders.push({1, Release::after_verdict, 64});
  rig.write(4);
  rig.release.verdicts.push(64);
  for (unsigned i = 0; i < 10; ++i) rig.release.step(*rig.buffer, rig.out);
  CHECK(rig.buffer->count == 2);  // two went into the stream
  while (!rig.out.empty()) rig.out.read();
  CHECK(rig.run(2) == 2);
}
