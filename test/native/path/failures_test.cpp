// Why handshakes fail, kept for each service: counts of all, samples of some.
#include <doctest/doctest.h>

#include "path/failures.hpp"
#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::FailureSample;
using secure::HandshakeFailure;

namespace {

std::vector<FailureSample> samples_of(const path::ServiceFailures& failures) {
  std::vector<FailureSample> samples;
  failures.each_sample([&](const FailureSample& sample) { samples.push_back(sample); });
  return samples;
}

}  // namespace

TEST_CASE("H9: all failures are counted; the last sixteen are kept, newest first, and one a millisecond") {
  path::ServiceFailures failures;
  for (std::uint64_t i = 0; i < 40; ++i) {
    FailureSample sample{.at = Tick{1'000'000 + i * 1000}, .client = {}, .reason = i % 2 == 0 ? HandshakeFailure::denied : HandshakeFailure::bad_hello};
    sample.client_port = static_cast<std::uint16_t>(i);
    failures.add(sample);
    sample.at = sample.at + 999;  // counted, not kept
    sample.client_port = 9'999;
    failures.add(sample);
  }
  CHECK(failures.count(static_cast<std::size_t>(HandshakeFailure::denied)) == 40);
  CHECK(failures.count(static_cast<std::size_t>(HandshakeFailure::bad_hello)) == 40);
  const auto samples = samples_of(failures);
  REQUIRE(samples.size() == path::ServiceFailures::kSamples);
  for (std::size_t i = 0; i < samples.size(); ++i) CHECK(samples[i].client_port == 39 - i);
}

TEST_CASE("H9: what a stranger sent is cut, and shown as printable text") {
  path::ShortText<8> text;
  text.assign("a\x1b[2J\xff\0zzzzzz");
  CHECK(text.view() == "a?[2J?");
  text.assign("0123456789");
  CHECK(text.view() == "01234567");
}

TEST_CASE("H9: a failure is kept with its client's address and the name it asked for") {
  PathRig rig;
  rig.connect();
  const IpAddress client = rig.flow().client;
  rig.tls().name("asked.example");
  rig.tls().step();
  const std::size_t at = rig.take_client_tls();
  rig.client_sends(at, rig.client.out.size() - at);  // its hello
  const ByteVector junk{22, 3, 3, 0, 4, 99, 0, 0, 0};  // no message of a handshake
  const std::size_t next = rig.client.out.size();
  rig.client.out.insert(rig.client.out.end(), junk.begin(), junk.end());
  rig.client_sends(next, junk.size());
  const auto& failures = rig.path().failures();
  REQUIRE(failures.size() == 1);
  const auto samples = samples_of(*failures[0]);
  REQUIRE(samples.size() == 1);
  CHECK(samples[0].client == client);
  CHECK(samples[0].server_name.view() == "asked.example");
  CHECK(samples[0].alert != 0);
  CHECK_FALSE(samples[0].detail.view().empty());
}
