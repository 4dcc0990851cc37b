// A13: the bufferless way. Plaintext leaves before its tag has come, and what a wrong tag does then.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

namespace {

using namespace cutwater;
using cutwater::support::PathRig;

constexpr std::uint16_t kSuites[] = {0x1301, 0x1303, 0xc02b, 0xcca9};  // TLS 1.3 and 1.2, GCM and ChaCha

}  // namespace

TEST_CASE("A13: release: streaming sends each segment of a record on at once, byte exact at the end") {
  for (const std::uint16_t suite : kSuites) {
    CAPTURE(suite);
    PathRig rig({.suite = suite, .release_streaming = true});
    rig.establish();
    const std::string words = PathRig::pattern(16'000);
    const std::size_t at = rig.client_writes(words);
    const std::size_t end = rig.client.out.size();
    std::size_t sent = at, early = 0;
    for (; sent + 1460 < end; sent += 1460) {
      rig.client_sends(sent, 1460);
      CHECK(words.compare(0, rig.server_got().size(), rig.server_got()) == 0);
      CHECK(rig.server_got().size() + 2 * 1460 > sent - at);  // never more than a segment behind
      early = rig.server_got().size();
      rig.server_acks();  // opens the congestion window of custody
    }
    CHECK(early > 13'000);
    rig.client_sends(sent, end - sent);
    CHECK(rig.server_got() == words);
    rig.server_acks();
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("A13: a forged segment: RST to the server, bad_record_mac to the client, and the counter") {
  for (const std::uint16_t suite : kSuites) {
    CAPTURE(suite);
    PathRig rig({.suite = suite, .release_streaming = true});
    rig.establish();
    const std::size_t at = rig.client_writes(PathRig::pattern(4'000));
    const std::size_t end = rig.client.out.size();
    rig.client.out[at + 2'000] ^= 1;
    rig.clear();
    rig.client_sends(at, 1460);
    rig.client_sends(at + 1460, 1460);
    rig.client_sends(at + 2920, end - at - 2920);
    REQUIRE(!rig.to_server.empty());
    CHECK(rig.to_server.back().has(sim::kRst));
    CHECK(rig.count(Reset::bad_tag) == 1);
    REQUIRE(!rig.to_client.empty());
    CHECK(rig.to_client.back().has(sim::kFin));  // behind the alert record
    CHECK(rig.to_client.back().payload_bytes() > 20);
  }
}

TEST_CASE("A13: an alert or a KeyUpdate cut into pieces is never taken for data, streaming or not") {
  PathRig rig({.suite = 0x1301, .release_streaming = true});
  rig.establish();
  rig.client_writes("last words");
  const std::size_t first = rig.client.out.size();
  REQUIRE(SSL_key_update(rig.tls().ssl(), SSL_KEY_UPDATE_NOT_REQUESTED) == 1);
  const std::size_t at = rig.client_writes("under the next key");
  CHECK(at >= first);
  for (std::size_t i = 0; i < rig.client.out.size(); ++i) {
    if (i >= rig.client.acked) rig.client_sends(i, 1);
  }
  CHECK(rig.server_got() == "last wordsunder the next key");
  CHECK(rig.count(Count::key_updates_received) == 1);
}

TEST_CASE("A12, I4: without the option the same segments leave nothing before the tag") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes(PathRig::pattern(16'000));
  const std::size_t end = rig.client.out.size();
  for (std::size_t sent = at; sent + 1460 < end; sent += 1460) {
    rig.client_sends(sent, 1460);
    CHECK(rig.server_got().empty());
  }
}
