// Sessions: tickets of both versions, session IDs, through reloads, threads and rotations.
#include <doctest/doctest.h>

#include "native/secure/tls_client.hpp"
#include "secure/session_cache.hpp"
#include "secure/ticket_keys.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;

namespace {

TlsClient::Setting speaking(int version, bool has_tickets = true) {
  return [=](SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    if (!has_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
  };
}

/// A full handshake whose session can be offered again. TLS 1.3 tickets come behind it, so the client reads once.
SessionPtr make_session(Pool& pool, const TlsClient::Setting& setting, const Drive& drive = {}) {
  TlsClient client(setting);
  const Outcome outcome = handshake(pool, client, drive);
  REQUIRE(outcome.is_established());
  CHECK_FALSE(outcome.keys().is_resumed);
  client.read();
  SSL_SESSION* session = client.session();
  REQUIRE(session != nullptr);
  SSL_SESSION_up_ref(session);
  return SessionPtr{session};
}

Outcome resume(Pool& pool, const TlsClient::Setting& setting, SSL_SESSION* session, const Drive& drive = {}) {
  TlsClient client(setting, session);
  Outcome outcome = handshake(pool, client, drive);
  REQUIRE(outcome.is_established());
  CHECK((SSL_session_reused(client.ssl()) == 1) == outcome.keys().is_resumed);
  return outcome;
}

}  // namespace

TEST_CASE("H6: a session resumes by ticket in TLS 1.3 and 1.2, and by ID in TLS 1.2") {
  struct Kind {
    int version;
    bool has_tickets;
  };
  for (const Kind kind : {Kind{TLS1_3_VERSION, true}, Kind{TLS1_2_VERSION, true}, Kind{TLS1_2_VERSION, false}}) {
    CAPTURE(kind.version);
    CAPTURE(kind.has_tickets);
    Bench bench;
    const auto setting = speaking(kind.version, kind.has_tickets);
    const SessionPtr session = make_session(bench.pool, setting);
    const Outcome outcome = resume(bench.pool, setting, session.get());
    CHECK(outcome.keys().is_resumed);
    CHECK(outcome.last->detail.ends_with("resumed"));
    CHECK(bench.pool.stats().resumed == 1);
    if (kind.version == TLS1_2_VERSION) {
      CHECK(outcome.keys().up_number == 1);
      CHECK(outcome.keys().down_number == 1);
    } else {
      CHECK(outcome.keys().down_number == 1);  // a resumption earns one fresh ticket
    }
  }
}

TEST_CASE("H6: sessions outlive a reload of their service, unless it asks other things of its clients") {
  for (const bool has_tickets : {true, false}) {
    Bench bench;
    const auto setting = speaking(TLS1_2_VERSION, has_tickets);
    const SessionPtr session = make_session(bench.pool, setting);
    ServiceTls reloaded = shop(KeyType::ecdsa);
    reloaded.protocols = {"h2"};
    CHECK(bench.pool.configure(0, reloaded).empty());
    CHECK(resume(bench.pool, setting, session.get()).keys().is_resumed);
    reloaded.client_auth = ClientAuth::optional;
    reloaded.client_ca_pem = server_ca().pem();
    CHECK(bench.pool.configure(0, reloaded).empty());
    CHECK_FALSE(resume(bench.pool, setting, session.get()).keys().is_resumed);
  }
}

TEST_CASE("H6: a session of one service is no session of another") {
  Bench bench;
  ServiceTls other = shop();
  other.name = "other";
  CHECK(bench.pool.configure(1, other).empty());
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const SessionPtr session = make_session(bench.pool, speaking(version));
    CHECK_FALSE(resume(bench.pool, speaking(version), session.get(), {.service = 1}).keys().is_resumed);
  }
}

TEST_CASE("H6: a ticket that nobody here sealed gets a full handshake (H7)") {
  Bench bench, foreign;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    const SessionPtr session = make_session(foreign.pool, speaking(version));
    CHECK_FALSE(resume(bench.pool, speaking(version), session.get()).keys().is_resumed);
  }
  const SessionPtr by_id = make_session(foreign.pool, speaking(TLS1_2_VERSION, false));
  CHECK_FALSE(resume(bench.pool, speaking(TLS1_2_VERSION, false), by_id.get()).keys().is_resumed);
}

TEST_CASE("H6: sessions are one store for all threads and links") {
  Bench bench(shop(), {.threads = 2, .links = 2, .clock = [] { return Tick{1}; }});
  for (const bool has_tickets : {true, false}) {
    const auto setting = speaking(TLS1_2_VERSION, has_tickets);
    const SessionPtr session = make_session(bench.pool, setting, {.token = {0, 1}, .is_threaded = true});
    for (std::uint32_t flow = 0; flow < 4; ++flow) {  // even flows on one thread, odd ones on the other
      const Drive drive{.token = {flow, 2}, .link = flow / 2, .is_threaded = true};
      CHECK(resume(bench.pool, setting, session.get(), drive).keys().is_resumed);
    }
  }
}

TEST_CASE("H6: a lifetime of zero means no resumption at all") {
  ServiceTls service = shop();
  service.session_lifetime_s = 0;
  Bench bench(service);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client(speaking(version));
    const Outcome outcome = handshake(bench.pool, client);
    REQUIRE(outcome.is_established());
    client.read();
    CHECK((client.session() == nullptr || SSL_SESSION_is_resumable(client.session()) == 0));
    CHECK(outcome.keys().down_number == (version == TLS1_3_VERSION ? 0 : 1));
  }
}

TEST_CASE("H6: ticket keys rotate; the previous key still opens, the one before it does not") {
  Bench bench;
  const auto setting = speaking(TLS1_3_VERSION);
  const SessionPtr session = make_session(bench.pool, setting);
  constexpr std::uint64_t kPeriodUs = 7'200ULL * 1'000'000;  // the service's session lifetime
  bench.now_us += kPeriodUs + 1;
  CHECK(resume(bench.pool, setting, session.get()).keys().is_resumed);
  bench.now_us += kPeriodUs + 1;
  CHECK_FALSE(resume(bench.pool, setting, session.get()).keys().is_resumed);
}

TEST_CASE("H6: a ticket sealed just before a rotation still lives for a whole period") {
  Bench bench;
  const auto setting = speaking(TLS1_3_VERSION);
  constexpr std::uint64_t kPeriodUs = 7'200ULL * 1'000'000;
  bench.now_us += kPeriodUs - 1;
  const SessionPtr session = make_session(bench.pool, setting);
  bench.now_us += kPeriodUs - 1;
  CHECK(resume(bench.pool, setting, session.get()).keys().is_resumed);
}

TEST_CASE("H8: the session cache is bounded; the oldest session gives way") {
  Bench bench;
  const auto setting = speaking(TLS1_2_VERSION, false);
  std::vector<SessionPtr> sessions;
  for (int i = 0; i < 3; ++i) sessions.push_back(make_session(bench.pool, setting));
  SessionCache cache(2);
  for (const SessionPtr& session : sessions) cache.insert(session.get());
  CHECK(cache.size() == 2);
  const auto find = [&](std::size_t i) {
    unsigned int bytes = 0;
    const unsigned char* id = SSL_SESSION_get_id(sessions[i].get(), &bytes);
    return cache.find({id, bytes});
  };
  CHECK(find(0) == nullptr);
  CHECK(find(1) != nullptr);
  CHECK(find(2) != nullptr);
  CHECK(cache.find({}) == nullptr);
}

TEST_CASE("H8: an expired session leaves the cache when the next one comes") {
  Bench bench;
  const auto setting = speaking(TLS1_2_VERSION, false);
  const SessionPtr old = make_session(bench.pool, setting), fresh = make_session(bench.pool, setting);
  SSL_SESSION_set_time(old.get(), SSL_SESSION_get_time(old.get()) - 100'000);
  SessionCache cache(10);
  cache.insert(old.get());
  cache.insert(fresh.get());
  CHECK(cache.size() == 1);
}
