// I4: nothing in clear towards the client, nothing unauthenticated towards the server.
#include <doctest/doctest.h>

#include "invariants/broken_device.hpp"

using namespace cutwater;
using invariants::BrokenDevice;
using invariants::Fate;
using sim::Side;

TEST_CASE("I4: a device that lets clear text out to the client is caught") {
  CHECK(invariants::is_caught("I4", *sim::find_profile("clean"), [](auto real) {
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [](Side side, sim::Frame& frame, const sim::Segment& s) {
      if (side != Side::client || s.payload.size() < 100) return Fate::send;
      invariants::rewrite(frame, s, [&](sim::Segment& out) {
        static const std::vector<std::uint8_t> kClear(1'400, 'A');
        out.payload = Bytes{kClear}.first(s.payload.size());
      });
      return Fate::send;
    });
  }));
}

TEST_CASE("I4: a device that gives the server a byte the client did not write is caught") {
  CHECK(invariants::is_caught("I4", *sim::find_profile("clean"), [](auto real) {
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [](Side side, sim::Frame& frame, const sim::Segment& s) {
      if (side == Side::server && !s.payload.empty()) {
        frame[frame.size() - 1] ^= 0x40;
        sim::mend_checksums(frame);
      }
      return Fate::send;
    });
  }));
}

TEST_CASE("I4: a device that sends on before the whole record has come is caught") {
  // The first half of a record is all that the server could have been given early; here it gets the second half's place too.
  CHECK(invariants::is_caught("I4", *sim::find_profile("clean"), [](auto real) {
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [](Side side, sim::Frame& frame, const sim::Segment& s) {
      if (side == Side::server && !s.payload.empty()) invariants::rewrite(frame, s, [&](sim::Segment& out) { out.seq += 20'000; });
      return Fate::send;
    });
  }));
}
