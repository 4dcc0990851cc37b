// HelloRetryRequests made in the fast path, towards a real TLS client, with a real secure processor behind: the transcript both
// compute must come out the same, whatever the suite, the groups and the cut.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Retry;
using path::Side;

TEST_CASE("H3: a client that is retried gets its handshake, with every suite and in every cut of its hellos") {
  for (const std::uint16_t suite : {std::uint16_t{0x1301}, std::uint16_t{0x1302}, std::uint16_t{0x1303}}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{37}, std::size_t{1400}}) {
      CAPTURE(suite);
      CAPTURE(piece);
      PathRig rig({.suite = suite, .retry = Retry::always});
      rig.connect();
      for (int round = 0; round < 6; ++round) {
        rig.tls().step();
        for (std::size_t at = rig.take_client_tls(); at < rig.client.out.size(); at += piece) {
          rig.client_sends(at, std::min(piece, rig.client.out.size() - at));
        }
        rig.client_acks();
      }
      REQUIRE(rig.flow().state == splice::FlowState::established);
      CHECK(rig.count(Count::hellos_retried) == 1);
      CHECK(rig.count(Count::cookies_accepted) == 1);
      const std::size_t at = rig.client_writes("there");
      rig.client_sends(at, rig.client.out.size() - at);
      CHECK(rig.server_got() == "there");
      rig.server_sends(rig.server_writes("and back"), 8);
      CHECK(rig.client_reads() == "and back");
      rig.server_acks();
      rig.client_acks();
      CHECK(rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("H3: no processor works for a client before its second hello; one that never continues costs a record and is reaped by age") {
  PathRig rig({.retry = Retry::always});
  rig.connect();
  rig.tls().step();
  rig.take_client_tls();
  rig.client_sends(0, rig.client.out.size());
  CHECK(rig.count(Count::hellos_retried) == 1);
  CHECK(rig.client.in.size() > 100);
  CHECK(rig.secure().stats().alive == 0);
  CHECK(rig.path().live_flows() == 1);
  rig.wait(10'100'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.server.has_rst);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("H3: a retry that is lost is sent again, the same, when the client sends its hello again") {
  PathRig rig({.retry = Retry::always});
  rig.connect();
  rig.tls().step();
  rig.take_client_tls();
  rig.lose(Side::client, 1);
  rig.client_sends(0, rig.client.out.size());
  CHECK(rig.client.in.empty());
  rig.wait(900'000);
  rig.client_sends(0, rig.client.out.size());
  CHECK_FALSE(rig.client.is_contradicted);
  rig.handshake();
  CHECK(rig.count(Count::hellos_retried) == 1);
}

TEST_CASE("H3: TLS 1.2 cannot be retried and is served") {
  PathRig rig({.suite = 0xc02b, .retry = Retry::always});
  rig.establish();
  CHECK(rig.count(Count::hellos_retried) == 0);
}

namespace {

/// Drives both ends until the client has nothing more to say.
void shake_hands(PathRig& rig) {
  rig.connect();
  for (int round = 0; round < 6; ++round) {
    rig.tls().step();
    const std::size_t at = rig.take_client_tls();
    if (at < rig.client.out.size()) rig.client_sends(at, rig.client.out.size() - at);
    rig.client_acks();
  }
}

/// A session of that suite from a handshake without a retry.
secure::SessionPtr session_of(secure::Pool& pool, std::uint16_t suite) {
  PathRig rig({.suite = suite, .secure = &pool});
  rig.establish();
  rig.client_reads();
  SSL_SESSION* session = rig.tls().session();
  REQUIRE(session != nullptr);
  SSL_SESSION_up_ref(session);
  return secure::SessionPtr{session};
}

}  // namespace

TEST_CASE("H3, H6: a client that offers a session is asked back like all others, and resumes") {
  const auto pool = make_secure_pool(1, [] { return Tick{1'000'000}; });
  for (const std::uint16_t suite : {std::uint16_t{0x1301}, std::uint16_t{0x1302}, std::uint16_t{0x1303}}) {
    CAPTURE(suite);
    const secure::SessionPtr session = session_of(*pool, suite);
    PathRig rig({.suite = suite, .retry = Retry::always, .secure = pool.get()});
    SSL_set_session(rig.tls().ssl(), session.get());
    shake_hands(rig);
    REQUIRE(rig.flow().state == splice::FlowState::established);
    CHECK(rig.count(Count::hellos_retried) == 1);
    CHECK(rig.count(Count::flows_resumed) == 1);
    CHECK(SSL_session_reused(rig.tls().ssl()) == 1);
    const std::size_t at = rig.client_writes("there");
    rig.client_sends(at, rig.client.out.size() - at);
    CHECK(rig.server_got() == "there");
  }
}

TEST_CASE("H3, H6: a session that is not ours is refused behind a retry, and the handshake is a full one") {
  const auto pool = make_secure_pool(1, [] { return Tick{1'000'000}; });
  const auto other = make_secure_pool(1, [] { return Tick{1'000'000}; });
  const secure::SessionPtr session = session_of(*other, 0x1301);
  PathRig rig({.retry = Retry::always, .secure = pool.get()});
  SSL_set_session(rig.tls().ssl(), session.get());
  shake_hands(rig);
  REQUIRE(rig.flow().state == splice::FlowState::established);
  CHECK(rig.count(Count::hellos_retried) == 1);
  CHECK(rig.count(Count::flows_resumed) == 0);
  CHECK(SSL_session_reused(rig.tls().ssl()) == 0);
}

TEST_CASE("H3, H6: a second hello whose proof for its session is wrong is refused") {
  const auto pool = make_secure_pool(1, [] { return Tick{1'000'000}; });
  const secure::SessionPtr session = session_of(*pool, 0x1301);
  PathRig rig({.retry = Retry::always, .secure = pool.get()});
  SSL_set_session(rig.tls().ssl(), session.get());
  rig.connect();
  rig.tls().step();
  rig.take_client_tls();
  rig.client_sends(0, rig.client.out.size());
  rig.client_acks();
  rig.tls().step();
  const std::size_t at = rig.take_client_tls();
  rig.client.out.back() ^= 1;  // the binder ends the hello
  rig.client_sends(at, rig.client.out.size() - at);
  CHECK(rig.count(Count::cookies_accepted) == 1);
  CHECK(rig.count(Count::flows_established) == 0);
  CHECK(rig.secure().stats().failed == 1);
  CHECK(rig.client.has_fin);
}

TEST_CASE("H3: a cookie with any byte changed is refused with illegal_parameter, and no processor hears of it") {
  for (const std::size_t back : {std::size_t{40}, std::size_t{70}, std::size_t{100}}) {
    CAPTURE(back);
    PathRig rig({.retry = Retry::always});
    rig.connect();
    rig.tls().step();
    rig.take_client_tls();
    rig.client_sends(0, rig.client.out.size());
    rig.client_acks();
    // The cookie stands last in the answer, before the change_cipher_spec; in the second hello it is found by its bytes.
    const ByteVector cookie(rig.client.in.end() - 6 - 118 + 17, rig.client.in.end() - 6);
    rig.tls().step();
    const std::size_t at = rig.take_client_tls();
    auto found = std::search(rig.client.out.begin() + static_cast<std::ptrdiff_t>(at), rig.client.out.end(), cookie.begin(), cookie.end() - 33);
    REQUIRE(found != rig.client.out.end());
    *(found + static_cast<std::ptrdiff_t>(cookie.size() - back)) ^= 1;
    rig.client_sends(at, rig.client.out.size() - at);
    CHECK(rig.count(Count::cookies_refused) == 1);
    CHECK(rig.client.has_fin);
    CHECK(rig.client.in[rig.client.in.size() - 1] == 47);
    CHECK(rig.secure().stats().failed == 0);
    CHECK(rig.server.has_rst);
  }
}
