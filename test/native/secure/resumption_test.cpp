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

/// One ticket's key of some keys: its name, and a block encrypted with it under that name's initialisation vector.
struct Ticket {
  std::array<unsigned char, 16> name{}, iv{};
  ByteVector bytes;
};

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, OpensslFree<EVP_CIPHER_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, OpensslFree<EVP_MAC_CTX_free>>;

MacContext hmac_context() {
  EVP_MAC* mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  MacContext context{EVP_MAC_CTX_new(mac)};
  EVP_MAC_free(mac);
  return context;
}

constexpr std::string_view kTicketText = "what a session is";

Ticket seal_ticket(TicketKeys& keys) {
  Ticket ticket;
  const CipherContext cipher{EVP_CIPHER_CTX_new()};
  const MacContext mac = hmac_context();
  REQUIRE(keys.prepare(ticket.name.data(), ticket.iv.data(), cipher.get(), mac.get(), true) == 1);
  ticket.bytes.resize(64);
  int bytes = 0, rest = 0;
  EVP_EncryptUpdate(cipher.get(), ticket.bytes.data(), &bytes, reinterpret_cast<const unsigned char*>(kTicketText.data()), static_cast<int>(kTicketText.size()));
  EVP_EncryptFinal_ex(cipher.get(), ticket.bytes.data() + bytes, &rest);
  ticket.bytes.resize(static_cast<std::size_t>(bytes + rest));
  return ticket;
}

/// Returns: the verdict of the keys, in OpenSSL's terms; -2 when they opened it to something else.
int open_ticket(TicketKeys& keys, Ticket ticket) {
  const CipherContext cipher{EVP_CIPHER_CTX_new()};
  const MacContext mac = hmac_context();
  const int verdict = keys.prepare(ticket.name.data(), ticket.iv.data(), cipher.get(), mac.get(), false);
  if (verdict <= 0) return verdict;
  ByteVector text(ticket.bytes.size() + 16);
  int bytes = 0, rest = 0;
  EVP_DecryptUpdate(cipher.get(), text.data(), &bytes, ticket.bytes.data(), static_cast<int>(ticket.bytes.size()));
  if (EVP_DecryptFinal_ex(cipher.get(), text.data() + bytes, &rest) != 1) return -2;
  const std::string_view opened{reinterpret_cast<const char*>(text.data()), static_cast<std::size_t>(bytes + rest)};
  return opened == kTicketText ? verdict : -2;
}

constexpr std::uint64_t kHourUs = 3'600ULL * 1'000'000;

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

TEST_CASE("H7: of those who share ticket keys one may be ahead by a period or behind: current, previous and next are opened") {
  std::uint64_t here_us = 1'000'000, there_us = here_us;
  TicketKeys here([&] { return Tick{here_us}; }), there([&] { return Tick{there_us}; });
  const SealKey key{ByteVector(32, 7)};
  REQUIRE(there.restore(here.seal(key), key));
  CHECK(open_ticket(here, seal_ticket(there)) == 1);
  there_us += kHourUs;
  CHECK(open_ticket(here, seal_ticket(there)) == 1);  // the next one
  CHECK(open_ticket(there, seal_ticket(here)) == 2);  // the previous one: time for another
  there_us += kHourUs;
  CHECK(open_ticket(here, seal_ticket(there)) == 0);
  CHECK(open_ticket(there, seal_ticket(here)) == 0);
  here_us = there_us;
  CHECK(open_ticket(here, seal_ticket(there)) == 1);
}

TEST_CASE("H7: a successor goes on from what was sealed long ago, however many periods have passed") {
  std::uint64_t now_us = 1'000'000;
  const auto clock = [&] { return Tick{now_us}; };
  TicketKeys first(clock);
  const SealKey key{ByteVector(32, 7)};
  const auto sealed = first.seal(key);
  now_us += 300 * kHourUs;
  const Ticket ticket = seal_ticket(first);
  TicketKeys second(clock);
  CHECK(open_ticket(second, ticket) == 0);
  REQUIRE(second.restore(sealed, key));
  CHECK(open_ticket(second, ticket) == 1);
  now_us += kHourUs;
  CHECK(open_ticket(second, ticket) == 2);
  now_us += 5'000 * kHourUs;
  CHECK(open_ticket(second, ticket) == 0);
}

TEST_CASE("H7: what was sealed opens with its key alone, and not when a byte of it was changed") {
  TicketKeys first([] { return Tick{1}; }), second([] { return Tick{1}; });
  const SealKey key{ByteVector(32, 7)};
  const Ticket ticket = seal_ticket(first);
  ByteVector sealed = first.seal(key);
  CHECK_FALSE(second.restore(sealed, SealKey{ByteVector(32, 8)}));
  CHECK_FALSE(second.restore({}, key));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    sealed[at] ^= 1;
    CHECK_FALSE(second.restore(sealed, key));
    sealed[at] ^= 1;
    CHECK_FALSE(second.restore(Bytes{sealed}.first(at), key));
  }
  CHECK(open_ticket(second, ticket) == 0);
  CHECK(second.restore(sealed, key));
  CHECK(open_ticket(second, ticket) == 1);
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
