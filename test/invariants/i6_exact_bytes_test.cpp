// I6: exactly the bytes, and exactly the end.
#include <doctest/doctest.h>

#include "invariants/broken_device.hpp"

using namespace cutwater;
using invariants::BrokenDevice;
using invariants::Fate;
using sim::Side;

TEST_CASE("I6: a device that turns a reset into a clean end is caught") {
  CHECK(invariants::is_caught("I6", *sim::find_profile("clean"), [](auto real) {
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [](Side side, sim::Frame& frame, const sim::Segment& s) {
      if (side == Side::server && s.has(sim::kRst) && s.has(sim::kAck)) {
        invariants::rewrite(frame, s, [](sim::Segment& out) { out.flags = sim::kFin | sim::kAck; });
      }
      return Fate::send;
    });
  }));
}

TEST_CASE("I6: a device that keeps the end of the stream to itself is caught") {
  CHECK(invariants::is_caught("I6", *sim::find_profile("clean"), [](auto real) {
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [](Side side, sim::Frame&, const sim::Segment& s) {
      return side == Side::client && s.has(sim::kFin) ? Fate::swallow : Fate::send;
    });
  }));
}

TEST_CASE("I6: a device that loses a segment for good is caught") {
  CHECK(invariants::is_caught("I6", *sim::find_profile("clean"), [](auto real) {
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [](Side side, sim::Frame&, const sim::Segment& s) {
      return side == Side::client && s.payload.size() > 1'000 ? Fate::swallow : Fate::send;
    });
  }));
}
