// Client certificates: none, optional, required, against good, bad and missing ones, in both versions.
#include <doctest/doctest.h>

#include "native/secure/tls_client.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;

namespace {

const TestCa& client_ca() {
  static const TestCa ca("Client CA");
  return ca;
}
const TestCa& stranger_ca() {
  static const TestCa ca("Stranger CA");
  return ca;
}

enum class Shows { nothing, good, expired, early, unknown_ca, self_signed };

Leaf make_client(Shows shows) {
  switch (shows) {
    case Shows::expired:
      return client_ca().issue({.common_name = "late", .from_s = -7'200, .to_s = -3'600});
    case Shows::early:
      return client_ca().issue({.common_name = "early", .from_s = 3'600, .to_s = 7'200});
    case Shows::unknown_ca:
      return stranger_ca().issue({.common_name = "stranger"});
    case Shows::self_signed: {
      Leaf leaf = client_ca().issue({.common_name = "self"});
      X509_set_issuer_name(leaf.certificate.get(), X509_get_subject_name(leaf.certificate.get()));
      X509_sign(leaf.certificate.get(), leaf.key.get(), EVP_sha256());
      return leaf;
    }
    default:
      return client_ca().issue({.common_name = "good"});
  }
}

struct Row {
  ClientAuth auth;
  Shows shows;
  HandshakeFailure failure;
  int alert12, alert13;
  const char* subject;
};

constexpr auto kMissing = HandshakeFailure::client_certificate_missing;
constexpr auto kRejected = HandshakeFailure::client_certificate_rejected;
constexpr auto kNone = HandshakeFailure::none;

ServiceTls asking(ClientAuth auth) {
  ServiceTls service = shop();
  service.client_auth = auth;
  if (auth != ClientAuth::none) service.client_ca_pem = client_ca().pem();
  return service;
}

TlsClient::Setting showing(const Leaf& leaf, Shows shows, int version) {
  return [&leaf, shows, version](SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    if (shows == Shows::nothing) return;
    SSL_CTX_use_certificate(context, leaf.certificate.get());
    SSL_CTX_use_PrivateKey(context, leaf.key.get());
  };
}

}  // namespace

TEST_CASE("A5: client certificates: who is let in, and what the others are told") {
  for (const Row& row : {
           Row{ClientAuth::none, Shows::good, kNone, 0, 0, ""},
           Row{ClientAuth::optional, Shows::nothing, kNone, 0, 0, ""},
           Row{ClientAuth::optional, Shows::good, kNone, 0, 0, "CN=good"},
           Row{ClientAuth::optional, Shows::unknown_ca, kRejected, 48, 48, ""},
           Row{ClientAuth::optional, Shows::expired, kRejected, 45, 45, ""},
           Row{ClientAuth::required, Shows::nothing, kMissing, 40, 116, ""},
           Row{ClientAuth::required, Shows::good, kNone, 0, 0, "CN=good"},
           Row{ClientAuth::required, Shows::expired, kRejected, 45, 45, ""},
           Row{ClientAuth::required, Shows::early, kRejected, 42, 42, ""},
           Row{ClientAuth::required, Shows::unknown_ca, kRejected, 48, 48, ""},
           Row{ClientAuth::required, Shows::self_signed, kRejected, 48, 48, ""},
       }) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      CAPTURE(static_cast<int>(row.auth));
      CAPTURE(static_cast<int>(row.shows));
      CAPTURE(version);
      Bench bench(asking(row.auth));
      const Leaf leaf = make_client(row.shows);
      TlsClient client(showing(leaf, row.shows, version));
      const Outcome outcome = handshake(bench.pool, client);
      REQUIRE(outcome.last != nullptr);
      CHECK(outcome.failure() == row.failure);
      if (row.failure == kNone) {
        REQUIRE(outcome.is_established());
        CHECK(outcome.keys().client_subject == row.subject);
        continue;
      }
      const int alert = version == TLS1_2_VERSION ? row.alert12 : row.alert13;
      CHECK(outcome.alert() == alert);
      CHECK_FALSE(outcome.last->detail.empty());
      // The alert is really in the bytes: the client reads it.
      client.step();
      client.read();
      CHECK(client.alert_received() == alert);
      CHECK(bench.pool.stats().alive == 0);
    }
  }
}

TEST_CASE("A5: a client whose key is not its certificate's is rejected") {
  // The signature is right but made with another key: the certificate is swapped for one of the same name.
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Bench bench(asking(ClientAuth::required));
    const Leaf mine = make_client(Shows::good), other = make_client(Shows::good);
    TlsClient client([&](SSL_CTX* context) {
      SSL_CTX_set_min_proto_version(context, version);
      SSL_CTX_set_max_proto_version(context, version);
      SSL_CTX_use_certificate(context, mine.certificate.get());
      SSL_CTX_use_PrivateKey(context, mine.key.get());
      // Same object, other public key: OpenSSL checked the pair above and does not look again.
      X509_set_pubkey(mine.certificate.get(), other.key.get());
      X509_sign(mine.certificate.get(), other.key.get(), EVP_sha256());
    });
    const Outcome outcome = handshake(bench.pool, client);
    REQUIRE(outcome.last != nullptr);
    CHECK(outcome.failure() == kRejected);
  }
}

TEST_CASE("H6: a resumed session keeps the client's verified certificate") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool has_tickets : {true, false}) {
      if (version == TLS1_3_VERSION && !has_tickets) continue;
      Bench bench(asking(ClientAuth::required));
      const Leaf leaf = make_client(Shows::good);
      const auto setting = [&](SSL_CTX* context) {
        showing(leaf, Shows::good, version)(context);
        if (!has_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
      };
      TlsClient first(setting);
      REQUIRE(handshake(bench.pool, first).is_established());
      first.read();
      REQUIRE(first.session() != nullptr);
      TlsClient second(setting, first.session());
      const Outcome outcome = handshake(bench.pool, second);
      REQUIRE(outcome.is_established());
      CHECK(outcome.keys().is_resumed);
      CHECK(outcome.keys().client_subject == "CN=good");
    }
  }
}

TEST_CASE("H6: a session does not outlive the client's certificate") {
  for (const bool has_tickets : {true, false}) {
    Bench bench(asking(ClientAuth::required));
    const Leaf leaf = client_ca().issue({.common_name = "short", .from_s = -3'600, .to_s = 2});
    const auto setting = [&](SSL_CTX* context) {
      showing(leaf, Shows::good, TLS1_2_VERSION)(context);
      if (!has_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    };
    TlsClient first(setting);
    REQUIRE(handshake(bench.pool, first).is_established());
    std::this_thread::sleep_for(std::chrono::milliseconds(3'100));
    TlsClient second(setting, first.session());
    const Outcome outcome = handshake(bench.pool, second);
    CHECK(outcome.failure() == kRejected);  // a full handshake, and in it the certificate has expired
    CHECK(outcome.alert() == 45);
  }
}
