// What a client is given before anybody works for it must be to the byte what OpenSSL says when it is asked at last; where it is
// not, the handshake fails and says so. The clients are OpenSSL's, with all that changes a ServerHello.
#include <doctest/doctest.h>

#include "support/native/deferred_start.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;
using support::DeferredStart;

namespace {

struct Asking {
  const char* name;
  std::function<void(TlsClient&)> set = [](TlsClient&) {};
  const char* suites = "AES128-GCM-SHA256";
};

void alpn(TlsClient& client) {
  static constexpr unsigned char kProtocols[] = "\x02h2\x08http/1.1";
  SSL_set_alpn_protos(client.ssl(), kProtocols, sizeof kProtocols - 1);
}

const Asking kAskings[] = {
    {"plain"},
    {"a name", [](TlsClient& client) { client.name("shop.test"); }},
    {"a name in capitals, with a dot", [](TlsClient& client) { client.name("SHOP.test."); }},
    {"a name under a wildcard", [](TlsClient& client) { client.name("www.wild.test"); }},
    {"a name that nobody knows", [](TlsClient& client) { client.name("other.test"); }},
    {"protocols", alpn},
    {"a name and protocols", [](TlsClient& client) { client.name("shop.test"), alpn(client); }},
    {"no tickets", [](TlsClient& client) { SSL_set_options(client.ssl(), SSL_OP_NO_TICKET); }},
    {"no tickets, a name and protocols", [](TlsClient& client) { SSL_set_options(client.ssl(), SSL_OP_NO_TICKET), client.name("shop.test"), alpn(client); }},
    {"AES-256", [](TlsClient&) {}, "AES256-GCM-SHA384"},
    {"both suites, the other one first", [](TlsClient&) {}, "AES256-GCM-SHA384:AES128-GCM-SHA256"},
    {"and suites of no use", [](TlsClient&) {}, "AES256-SHA:AES128-GCM-SHA256:AES128-SHA256:AES256-GCM-SHA384:ECDHE-ECDSA-AES128-GCM-SHA256"},
    {"OCSP and encrypt-then-mac", [](TlsClient& client) { SSL_set_tlsext_status_type(client.ssl(), TLSEXT_STATUSTYPE_ocsp); }},
    {"versions down from 1.3, which the service has or not", [](TlsClient& client) { SSL_set_max_proto_version(client.ssl(), TLS1_3_VERSION); }},
};

const TestCa& issuer() {
  static const TestCa ca("Issuer");
  return ca;
}
const Leaf& client_leaf() {
  static const Leaf leaf = issuer().issue({.common_name = "me"});
  return leaf;
}

ServiceTls legacy_shop(ClientAuth auth, bool has_tls13, std::uint32_t lifetime_s, std::vector<std::string> protocols) {
  ServiceTls service = shop(KeyType::rsa);
  static const CertificatePem wild = server_ca().issue({.type = KeyType::rsa, .common_name = "wild", .names = {"*.wild.test"}}).pem("wild", server_ca().pem());
  service.certificates.push_back(wild);
  service.allow_tls13 = has_tls13;
  service.legacy_rsa_key_exchange = true;
  service.session_lifetime_s = lifetime_s;
  service.protocols = std::move(protocols);
  service.client_auth = auth;
  if (auth != ClientAuth::none) service.client_ca_pem = issuer().pem();
  return service;
}

void offer(SSL_CTX* context, const Asking& asking) {
  SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, asking.suites);
}

}  // namespace

TEST_CASE("H3, H5: a first flight from the template is OpenSSL's own, byte for byte, whatever service and client agree on") {
  for (const ClientAuth auth : {ClientAuth::none, ClientAuth::optional, ClientAuth::required}) {
    for (const bool has_tls13 : {false, true}) {
      for (const std::uint32_t lifetime_s : {0U, 7200U}) {
        for (const auto& protocols : {std::vector<std::string>{}, std::vector<std::string>{"http/1.1", "h2"}}) {
          const ServiceTls service = legacy_shop(auth, has_tls13, lifetime_s, protocols);
          const auto flights = first_flights(service);
          REQUIRE(flights != nullptr);
          Bench bench(service);
          for (const Asking& asking : kAskings) {
            CAPTURE(static_cast<int>(auth));
            CAPTURE(has_tls13);
            CAPTURE(lifetime_s);
            CAPTURE(protocols.size());
            CAPTURE(asking.name);
            TlsClient client([&](SSL_CTX* context) { offer(context, asking); });
            if (auth == ClientAuth::required) {
              SSL_use_certificate(client.ssl(), client_leaf().certificate.get());
              SSL_use_PrivateKey(client.ssl(), client_leaf().key.get());
            }
            asking.set(client);
            DeferredStart start(*flights, client);
            if (!start.is_deferred) {
              CHECK(has_tls13);  // it has TLS 1.3, and so has the client
              CHECK(SSL_get_max_proto_version(client.ssl()) == TLS1_3_VERSION);
              continue;
            }
            CHECK(bench.pool.stats().alive == 0);
            bench.pool.link(0).post(start.request());
            const auto reply = await_reply(bench.pool, {});
            REQUIRE(reply != nullptr);
            REQUIRE_MESSAGE(reply->kind == Reply::Kind::established, reply->detail);
            CHECK(bench.pool.stats().alive == 0);
            client.give(reply->bytes);
            CHECK(client.step());
            const Established& e = *reply->established;
            CHECK(e.session_id == e.given_session_id);
            CHECK(e.client_subject == (auth == ClientAuth::required ? "CN=me" : ""));
            CHECK(reply->consumed_bytes == start.hello.size() + start.reply.size());
          }
        }
      }
    }
  }
}

TEST_CASE("H5: sessions of deferred handshakes are taken up by their ID and by ticket") {
  for (const bool has_tickets : {false, true}) {
    CAPTURE(has_tickets);
    const ServiceTls service = legacy_shop(ClientAuth::none, true, 7200, {});
    const auto flights = first_flights(service);
    Bench bench(service);
    const auto set = [&](SSL_CTX* context) {
      offer(context, kAskings[0]);
      if (!has_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    };
    TlsClient first(set);
    DeferredStart start(*flights, first);
    bench.pool.link(0).post(start.request());
    const auto reply = await_reply(bench.pool, {});
    REQUIRE(reply->kind == Reply::Kind::established);
    CHECK(reply->established->session_id.empty() == has_tickets);
    first.give(reply->bytes);
    REQUIRE(first.step());
    REQUIRE(first.session() != nullptr);
    TlsClient second(set, first.session());
    const Outcome resumed = handshake(bench.pool, second);
    REQUIRE(resumed.is_established());
    CHECK(resumed.keys().is_resumed);
    // And where such an offer is answered from the template, it gets a full handshake (H7).
    TlsClient third(set, first.session());
    DeferredStart refused(*flights, third);
    bench.pool.link(0).post(refused.request());
    const auto full = await_reply(bench.pool, {});
    REQUIRE_MESSAGE(full->kind == Reply::Kind::established, full->detail);
    CHECK_FALSE(full->established->is_resumed);
    third.give(full->bytes);
    CHECK(third.step());
  }
}

TEST_CASE("H5: whatever in the flight differs from what OpenSSL would have sent, the handshake fails before the secret is looked at") {
  const ServiceTls service = legacy_shop(ClientAuth::optional, true, 7200, {"h2"});
  const auto flights = first_flights(service);
  Bench bench(service);
  TlsClient probe([](SSL_CTX* context) { offer(context, kAskings[0]); });
  const std::size_t flight_bytes = DeferredStart(*flights, probe).flight.size();
  // The random and the session ID (bytes 11 to 75) are the client's and ours to agree on: they are what OpenSSL is told.
  for (std::size_t at = 0; at < flight_bytes; at += at < 120 ? 1 : 29) {
    if (at >= 11 && at < 35) continue;
    CAPTURE(at);
    TlsClient client([](SSL_CTX* context) { offer(context, kAskings[0]); });
    DeferredStart start(*flights, client);
    start.flight[at] ^= 1;
    bench.pool.link(0).post(start.request());
    const auto reply = await_reply(bench.pool, {});
    REQUIRE(reply != nullptr);
    CHECK(reply->kind == Reply::Kind::failed);
    CHECK(reply->failure == HandshakeFailure::flight_differs);
    CHECK(reply->alert == SSL_AD_INTERNAL_ERROR);
    CHECK(reply->bytes == ByteVector{21, 3, 3, 0, 2, 2, SSL_AD_INTERNAL_ERROR});
  }
  CHECK(bench.pool.stats().alive == 0);
}

TEST_CASE("H5: a flight under another random is one that the client did not sign off: its Finished does not fit") {
  const ServiceTls service = legacy_shop(ClientAuth::none, false, 7200, {});
  const auto flights = first_flights(service);
  Bench bench(service);
  TlsClient client([](SSL_CTX* context) { offer(context, kAskings[0]); });
  DeferredStart start(*flights, client);
  start.flight[20] ^= 1;
  bench.pool.link(0).post(start.request());
  const auto reply = await_reply(bench.pool, {});
  CHECK(reply->kind == Reply::Kind::failed);
  CHECK(reply->failure == HandshakeFailure::bad_record);
  CHECK(reply->alert == SSL_AD_BAD_RECORD_MAC);
}

TEST_CASE("H3: a flight cut short, or none at all, fails") {
  const ServiceTls service = legacy_shop(ClientAuth::none, false, 7200, {});
  const auto flights = first_flights(service);
  Bench bench(service);
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{43}, std::size_t{44}, std::size_t{60}, std::size_t{200}}) {
    CAPTURE(bytes);
    TlsClient client([](SSL_CTX* context) { offer(context, kAskings[0]); });
    DeferredStart start(*flights, client);
    start.flight.resize(bytes);
    bench.pool.link(0).post(start.request());
    CHECK(await_reply(bench.pool, {})->failure == HandshakeFailure::flight_differs);
  }
}

TEST_CASE("H3: no template without the option, without TLS 1.2, or without an RSA key") {
  ServiceTls service = legacy_shop(ClientAuth::none, true, 7200, {});
  service.legacy_rsa_key_exchange = false;
  CHECK(first_flights(service) == nullptr);
  service.legacy_rsa_key_exchange = true;
  service.allow_tls12 = false;
  CHECK(first_flights(service) == nullptr);
  ServiceTls of_curves = shop(KeyType::ecdsa);
  of_curves.legacy_rsa_key_exchange = true;
  CHECK(first_flights(of_curves) == nullptr);
  ServiceTls listed = legacy_shop(ClientAuth::none, true, 7200, {});
  listed.suites = {0x1301, 0xc02f};
  CHECK(first_flights(listed) == nullptr);
}

TEST_CASE("H3: certificates are chosen as the processor chooses them: by name, and with an ECDSA key of the same name beside") {
  ServiceTls service = shop(KeyType::ecdsa);
  service.certificates.push_back(test_certificate(KeyType::rsa));
  service.legacy_rsa_key_exchange = true;
  const auto flights = first_flights(service);
  REQUIRE(flights != nullptr);
  Bench bench(service);
  const char* suites[] = {"AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256:AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256"};
  for (const char* list : suites) {
    CAPTURE(list);
    TlsClient client([&](SSL_CTX* context) { offer(context, {"", {}, list}); });
    client.name("shop.test");
    DeferredStart start(*flights, client);
    CHECK(start.is_deferred == (list == suites[0]));
    if (!start.is_deferred) continue;
    bench.pool.link(0).post(start.request());
    CHECK(await_reply(bench.pool, {})->kind == Reply::Kind::established);
  }
}
