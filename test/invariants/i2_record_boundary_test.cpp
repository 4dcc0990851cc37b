// I2: out of custody the client is shown acknowledgements on record boundaries; otherwise a loss behind the device is for ever.
#include <doctest/doctest.h>

#include <map>

#include "invariants/broken_device.hpp"

using namespace cutwater;
using invariants::BrokenDevice;
using invariants::Fate;
using sim::Side;

TEST_CASE("I2: a device that acknowledges half a record it does not keep is caught") {
  sim::Profile lossy = *sim::find_profile("clean");
  lossy.server_up.loss = 0.3;  // what is lost behind the device, while the client is told otherwise
  CHECK(invariants::is_caught("I2", lossy, [](auto real) {
    auto newest = std::make_shared<std::map<std::uint16_t, std::uint32_t>>();  // by client port: end of what came in order
    return std::make_unique<BrokenDevice>(
        std::move(real),
        [newest](Side side, const sim::Segment& s) {
          if (side != Side::client || s.payload.empty()) return;
          const auto [at, is_new] = newest->emplace(s.source_port, s.seq + s.length());
          if (!is_new && at->second == s.seq) at->second += s.length();
        },
        [newest](Side side, sim::Frame& frame, const sim::Segment& s) {
          const auto at = newest->find(s.target_port);
          if (side != Side::client || s.has(sim::kSyn) || s.has(sim::kRst) || at == newest->end()) return Fate::send;
          const auto halfway = at->second - 7;
          if (static_cast<std::int32_t>(halfway - s.ack) > 0) invariants::rewrite(frame, s, [&](sim::Segment& out) { out.ack = halfway; });
          return Fate::send;
        });
  }));
}

TEST_CASE("I2: a client whose KeyUpdates were acknowledged, and nothing of what it wrote behind them, is owed nothing") {
  CHECK_FALSE(invariants::is_caught("I2", *sim::find_profile("key-updates-loss"), [](auto real) {
    auto sent = std::make_shared<std::map<std::uint16_t, std::size_t>>();  // by client port: bytes of the server's side that came through
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [sent](Side side, sim::Frame&, const sim::Segment& s) {
      constexpr std::size_t kMost = 1'500;  // a handshake and a little: then the client waits in vain, gives up, and writes on to nobody
      if (side != Side::client || s.payload.empty()) return Fate::send;
      return ((*sent)[s.target_port] += s.payload.size()) > kMost ? Fate::swallow : Fate::send;
    });
  }));
}
