// I3: one plaintext per nonce, so one ciphertext per position, however often it is sent.
#include <doctest/doctest.h>

#include <map>

#include "invariants/broken_device.hpp"

using namespace cutwater;
using invariants::BrokenDevice;
using invariants::Fate;
using sim::Side;

TEST_CASE("I3: a device that sends other ciphertext the second time is caught") {
  CHECK(invariants::is_caught("I3", *sim::find_profile("loss-down-only"), [](auto real) {
    auto highest = std::make_shared<std::map<std::uint16_t, std::uint32_t>>();
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [highest](Side side, sim::Frame& frame, const sim::Segment& s) {
      if (side != Side::client || s.payload.empty()) return Fate::send;
      const auto end = s.seq + static_cast<std::uint32_t>(s.payload.size());
      const auto [at, is_new] = highest->emplace(s.target_port, end);
      const bool is_resent = !is_new && static_cast<std::int32_t>(s.seq - at->second) < 0;
      if (!is_new && static_cast<std::int32_t>(end - at->second) > 0) at->second = end;
      if (is_resent) {
        frame.back() ^= 1;  // the tag's last byte, as another plaintext would change it
        sim::mend_checksums(frame);
      }
      return Fate::send;
    });
  }));
}

TEST_CASE("I3: a device that seals the second copy of a record under the next number is caught") {
  // What it looks like from outside: at the place of record n stands something that opens under another number, or not at all.
  CHECK(invariants::is_caught("I4", *sim::find_profile("clean"), [](auto real) {
    auto held = std::make_shared<std::vector<std::uint8_t>>();
    return std::make_unique<BrokenDevice>(std::move(real), nullptr, [held](Side side, sim::Frame& frame, const sim::Segment& s) {
      if (side != Side::client || s.payload.size() < 30 || s.payload[0] != 23) return Fate::send;
      if (held->empty()) held->assign(s.payload.begin(), s.payload.end());
      else if (held->size() == s.payload.size()) invariants::rewrite(frame, s, [&](sim::Segment& out) { out.payload = *held; });
      return Fate::send;
    });
  }));
}
