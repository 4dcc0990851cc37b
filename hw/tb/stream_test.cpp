#include "shim/stream.hpp"

#include <doctest/doctest.h>

#include <string>

#include "shim/bits.hpp"

using namespace cutwater::hw;

namespace {
std::string complaint;
}

TEST_CASE("a stream that still holds something when it dies complains, and one that was read does not") {
  stream_complaint = [](const char* name, unsigned left) { complaint = std::string{name} + " " + std::to_string(left); };
  {
    Stream<int> forgotten{"forgotten"};
    forgotten.write(1);
    forgotten.write(2);
    CHECK(forgotten.full());
  }
  CHECK(complaint == "forgotten 2");
  complaint.clear();
  {
    Stream<int> read{"read"};
    read.write(1);
    CHECK(read.read() == 1);
    CHECK(read.empty());
  }
  CHECK(complaint.empty());
  stream_complaint = end_program;
}

TEST_CASE("a number of so many bits is cut to them at every store") {
  CHECK(UInt<2>{5} == 1);
  CHECK(UInt<15>{0x18001} == 1);
  CHECK(UInt<32>{0xffff'ffff} == 0xffff'ffff);
  UInt<5> five = 31;
  five = five + 1;
  CHECK(five == 0);
}
