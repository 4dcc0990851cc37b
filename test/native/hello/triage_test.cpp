// Rules about hellos: the first that matches decides; rates are counted for each source alone, in a table that does not grow.
#include "hello/triage.hpp"

#include <doctest/doctest.h>

#include "hello/fingerprint.hpp"
#include "hello/known_clients.hpp"
#include "native/hello/hello_builder.hpp"

using namespace cutwater;
using namespace cutwater::hello;
using namespace cutwater::hello::test;

namespace {

using Action = TriageRule::Action;

IpAddress v4(std::uint8_t c, std::uint8_t d) {
  const std::array<std::uint8_t, 4> bytes{192, 0, c, d};
  return IpAddress::from_v4(bytes.data());
}
IpAddress v6(std::uint8_t network, std::uint8_t host) {
  const std::array<std::uint8_t, 16> bytes{0x20, 1, 0x0d, 0xb8, 0, 0, 0, network, 0, 0, 0, 0, 0, 0, 0, host};
  return IpAddress::from_v6(bytes.data());
}

struct Bench {
  ByteVector message = captured("chromium");
  ClientHello hello = *parse_client_hello(message);
  Triage triage{SipKey{1, 2}};
  TriageVerdict judge(const std::vector<TriageRule>& rules, const IpAddress& source = v4(2, 1), Tick now = Tick{1'000'000}) {
    return triage.judge(rules, hello, source, 0, now);
  }
};

}  // namespace

TEST_CASE("H9: a rule matches by prefix, name, protocol and fingerprint, all of them together") {
  Bench bench;
  const std::string fingerprint(to_string(ja4(bench.hello)));
  for (const TriageRule& rule : {TriageRule{.action = Action::deny}, TriageRule{.prefix = v4(2, 0), .prefix_bits = 120, .action = Action::deny},
                                 TriageRule{.name = "shop.example", .action = Action::deny},
                                 TriageRule{.name = "*.example", .action = Action::deny}, TriageRule{.protocol = "h2", .action = Action::deny},
                                 TriageRule{.fingerprint = fingerprint, .action = Action::deny},
                                 TriageRule{.prefix = v4(2, 1), .prefix_bits = 128, .name = "shop.example", .protocol = "h2",
                                            .fingerprint = fingerprint, .action = Action::deny}}) {
    CHECK(bench.judge({rule}) == TriageVerdict::deny);
  }
  for (const TriageRule& rule : {TriageRule{.prefix = v4(3, 0), .prefix_bits = 120, .action = Action::deny},
                                 TriageRule{.prefix = v4(2, 2), .prefix_bits = 127, .action = Action::deny},
                                 TriageRule{.name = "example", .action = Action::deny}, TriageRule{.name = "*.shop.example", .action = Action::deny},
                                 TriageRule{.protocol = "h3", .action = Action::deny},
                                 TriageRule{.fingerprint = "t13d1516h2_8daaf6152771_000000000000", .action = Action::deny},
                                 TriageRule{.name = "shop.example", .protocol = "h3", .action = Action::deny}}) {
    CHECK(bench.judge({rule}) == TriageVerdict::pass);
  }
}

TEST_CASE("H9: the first rule that matches decides") {
  Bench bench;
  const TriageRule allow{.prefix = v4(2, 1), .prefix_bits = 128, .action = Action::allow}, deny{.action = Action::deny};
  CHECK(bench.judge({allow, deny}) == TriageVerdict::pass);
  CHECK(bench.judge({deny, allow}) == TriageVerdict::deny);
  CHECK(bench.judge({allow, deny}, v4(2, 9)) == TriageVerdict::deny);
}

TEST_CASE("H9: a rate holds for each source: its burst at once, then so many a second; an IPv6 /64 is one source") {
  Bench bench;
  const std::vector<TriageRule> rules{{.action = Action::limit, .per_second = 10, .burst = 5}};
  for (const IpAddress& source : {v4(2, 1), v4(2, 2), v6(1, 1)}) {
    for (int i = 0; i < 5; ++i) CHECK(bench.judge(rules, source) == TriageVerdict::pass);
    CHECK(bench.judge(rules, source) == TriageVerdict::too_many);
    CHECK(bench.judge(rules, source, Tick{1'099'000}) == TriageVerdict::too_many);
    CHECK(bench.judge(rules, source, Tick{1'100'000}) == TriageVerdict::pass);
    CHECK(bench.judge(rules, source, Tick{1'101'000}) == TriageVerdict::too_many);
  }
  CHECK(bench.judge(rules, v6(1, 2), Tick{1'101'000}) == TriageVerdict::too_many);
  CHECK(bench.judge(rules, v6(2, 1), Tick{1'101'000}) == TriageVerdict::pass);
}

TEST_CASE("H9: clients that were served are known for an hour, others are not") {
  KnownClients known(SipKey{3, 4});
  CHECK_FALSE(known.contains(v4(2, 1), Tick{1}));
  known.insert(v4(2, 1), Tick{5'000'000});
  CHECK(known.contains(v4(2, 1), Tick{3'600'000'000}));
  CHECK_FALSE(known.contains(v4(2, 2), Tick{5'000'000}));
  CHECK_FALSE(known.contains(v4(2, 1), Tick{3'700'000'000}));
}
