// The device over every profile, a slice of what `cutwater_sim` runs for hours; and every seed that ever found something.
#include <doctest/doctest.h>

#include "sim/run.hpp"

using namespace cutwater;

TEST_CASE("I1-I6, A6, A12, A14, A15, A16: exactly the bytes over every profile") {
  constexpr std::uint64_t kSeeds = 8;
  sim::Rig rig{sim::DeviceKind::path};
  for (const auto& profile : sim::all_profiles()) {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      const auto result = sim::run(rig, {.seed = seed, .profile = &profile, .wrap = {}});
      for (const auto& f : result.findings.list()) {
        FAIL_CHECK(f.invariant, ": ", f.what, "; replay: cutwater_sim --seed ", seed, " --profile ", profile.name, " --trace");
      }
    }
  }
}

TEST_CASE("I1-I6: seeds that once found a fault") {
  struct Found {
    std::uint64_t seed;
    const char* profile;
    const char* what;
  };
  static constexpr std::array kFound{
      Found{164, "clean", "local bytes beyond a client's window of 500"},
      Found{134, "clean", "plaintext beyond the server's window, promised during the handshake"},
      Found{121, "outage-2s", "a late RST acknowledged what the client never had"},
      Found{1318, "sack-reorder", "parts of resent records filled their table; the oldest record never got whole"},
      Found{7402, "same-host", "a window update to a client that was done drew a RST, which took custody along"},
      Found{4456, "loss-up-only", "a lost window update: the server's probes never reached the client"},
      Found{4987, "duplicates-all", "a fast resend of local bytes sent more than was sent before"},
      Found{4533, "burst-loss", "two KeyUpdates in one flight taken for a flood"},
      Found{30468, "slow-readers-loss", "a closed server's RST behind both FINs reset a client that was still at its good-bye"},
      Found{6, "no-options", "segments held as one were forwarded as one, larger than the server's"},
      Found{41179, "corruption-both", "bytes promised by SACK shared a record with bytes that were not: lost behind us, lost for ever"},
      Found{62, "blind-all-loss", "a SYN-ACK that came again had a newer clock than ours: the client dropped all that we sent"},
      Found{50, "blind-syns", "a forged SYN with ACK became a connection at the server"},
      Found{600417, "descriptors", "a SYN twice in one burst became two flows"},
      Found{619931, "key-updates-loss", "a key two updates old was expanded again and outlived its flow"},
      Found{1428592, "outage-server-2s", "a key update before the data held the client's acknowledgement until the server had the data"},
      Found{1498, "copies-before", "an alert in clear repeated a version that does not exist"},
      Found{1034979, "reorder-loss-copies", "an older SYN-ACK, overtaken, set our clock back: the client dropped all that we sent"},
      Found{1056351, "streaming-forged-loss", "the alert for a hello that was refused was lost, and never sent again: nobody had set the timer"},
      Found{1113, "proxy-loss-15", "a flow whose client had nothing in custody when its server answered had no timer: who vanished then was kept for ever"},
      Found{27, "passes-tls-proxy-pool-loss", "a server's four SACK blocks beside a client's timestamps made a header of 68 bytes"},
      Found{70, "passes-proxy-pool-loss", "a FIN that custody had yet to deliver came again and went one byte before its place"},
      Found{456, "mtu-9000-passes-proxy-client", "beyond a server's window nothing was believed: custody sent again what had long been acknowledged, and gave up"},
      Found{8294026, "proxy-pool-loss", "a hello in single bytes whose first was lost: the 2,040th had the first one's cookie, and 2,039 bytes that never came were acknowledged"},
      Found{8230215, "passes-pool-loss", "the simulator: a SYN that was overtaken on its way to a server stood for the newest call"},
      Found{8392882, "mtu-9000-proxy-loss", "the simulator: a late copy of a server's SYN-ACK took back what the server had granted since"},
      Found{9317908, "custody-bbr-loss", "the simulator: without clocks a TCP measured its round trip by what had waited behind a resent hole, and slept for a minute a loss"},
      Found{10158367, "custody-bbr-outage", "a third key while records of two were unacknowledged was taken for a flood: the flow was reset"},
      Found{10102673, "duplicates-all", "the same, where copies of a segment cut the KeyUpdate"},
      Found{10035708, "passes-proxy-corruption", "a client that had not heard its connection's RST acknowledged that one's byte to the next server"},
      Found{32408859, "passes-pool-loss", "the simulator: two clients' first numbers met by chance, and a call of one stood for the other's"},
      Found{11300919, "balance-refused", "the answer of a server was lost, the SYN to the next too, the third refused: the client was refused though two were well"},
      Found{11269492, "balance-silent", "the same, and the client was left with the third, which was dead"},
      Found{18042205, "passes-proxy-refused-loss", "the same by SACK"},
      Found{22023674, "passes-proxy-pool-loss", "a reset client's last acknowledgement, which nobody had judged, was told the server with the PROXY header"},
      Found{69, "far-bulk-loss", "a far flow sent by what its client's SYN had promised: dropped beyond the window, and sent again for ever"},
      Found{48, "far-bulk-loss", "the same"},
      Found{3, "far-small-windows-loss", "the same"},
      Found{60, "far-small-windows-loss", "the same"},
      Found{600930, "injection", "two ends that disagreed on a number answered each other for ever"},
      Found{12018622, "key-updates-loss", "a resend that closed all the gaps between the parts of a record was kept up to the second of them: a few bytes a time-out"},
  };
  sim::Rig rig{sim::DeviceKind::path};
  for (const auto& found : kFound) {
    const auto result = sim::run(rig, {.seed = found.seed, .profile = sim::find_profile(found.profile), .wrap = {}});
    for (const auto& f : result.findings.list()) FAIL_CHECK(found.profile, " ", found.seed, " (", found.what, "): ", f.invariant, " ", f.what);
  }
}
