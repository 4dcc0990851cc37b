// I1: nobody is told that bytes have arrived which have not.
#include <doctest/doctest.h>

#include <map>

#include "invariants/broken_device.hpp"

using namespace cutwater;
using invariants::BrokenDevice;
using invariants::Fate;
using sim::Side;

TEST_CASE("I1: a device that acknowledges to the server what it merely received is caught") {
  CHECK(invariants::is_caught("I1", *sim::find_profile("clean"), [](auto real) {
    auto newest = std::make_shared<std::map<std::uint16_t, std::uint32_t>>();  // by client port: end of what the server sent
    return std::make_unique<BrokenDevice>(
        std::move(real),
        [newest](Side side, const sim::Segment& s) {
          if (side == Side::server && !s.has(sim::kRst)) (*newest)[s.target_port] = s.seq + s.length();
        },
        [newest](Side side, sim::Frame& frame, const sim::Segment& s) {
          if (side == Side::server && s.has(sim::kAck) && !s.has(sim::kRst)) {
            invariants::rewrite(frame, s, [&](sim::Segment& out) { out.ack = newest->at(s.source_port); });
          }
          return Fate::send;
        });
  }));
}

TEST_CASE("I1: a device that acknowledges to the client and then forgets is caught") {
  CHECK(invariants::is_caught("I1", *sim::find_profile("client-vanishes"), [](auto real) {
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [](Side side, sim::Frame&, const sim::Segment& s) {
      return side == Side::server && !s.payload.empty() ? Fate::swallow : Fate::send;
    });
  }));
}
