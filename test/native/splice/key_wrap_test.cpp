// Key updates without end: the epoch counter of a flow wraps, its expanded keys must not.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

TEST_CASE("KeyUpdate: 600 updates each way on one flow, and every record still opens on both sides") {
  using namespace cutwater;
  using cutwater::support::PathRig;
  PathRig rig({.rekey_after_records = 1});
  rig.establish();
  std::string up;
  for (int i = 0; i < 600; ++i) {
    CAPTURE(i);
    REQUIRE(SSL_key_update(rig.tls().ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
    const std::size_t at = rig.client.out.size();
    rig.client_writes("up");
    up += "up";
    rig.client_sends(at, rig.client.out.size() - at);
    REQUIRE(rig.server_got() == up);
    const std::size_t from = rig.server_writes("down");
    rig.server_sends(from, 4);
    REQUIRE(rig.client_reads() == "down");
    rig.client_acks();
    rig.clear();
    rig.wait(20'000);  // within the limit of 100 a second
  }
  CHECK(rig.count(Count::key_updates_received) == 600);
  CHECK(rig.count(Count::key_updates_sent) >= 599);
}
