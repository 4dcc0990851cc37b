// Which certificate, protocol and group a client gets.
#include <doctest/doctest.h>

#include "native/secure/tls_client.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;

namespace {

CertificatePem issue(KeyType type, const std::string& common_name, std::vector<std::string> names) {
  return server_ca().issue({.type = type, .common_name = common_name, .names = std::move(names)}).pem(common_name);
}

/// The common name of the certificate a client is shown.
std::string shown(Pool& pool, const char* server_name, const TlsClient::Setting& setting = {}) {
  TlsClient client(setting);
  if (server_name != nullptr) client.name(server_name);
  const Outcome outcome = handshake(pool, client);
  if (!outcome.is_established()) return "failed: " + std::string(to_string(outcome.failure()));
  const X509Ptr certificate{SSL_get1_peer_certificate(client.ssl())};
  char name[128] = "";
  X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name, sizeof name);
  return name;
}

TlsClient::Setting signing(const char* schemes) {
  return [schemes](SSL_CTX* context) { SSL_CTX_set1_sigalgs_list(context, schemes); };
}

ServiceTls street() {
  ServiceTls service;
  service.name = "street";
  service.certificates = {issue(KeyType::ecdsa, "default", {"default.test"}),
                          issue(KeyType::ecdsa, "baker", {"baker.test", "www.baker.test"}),
                          issue(KeyType::ecdsa, "wild", {"*.market.test"}),
                          issue(KeyType::rsa, "wild-rsa", {"*.market.test"}),
                          issue(KeyType::ecdsa, "stall", {"stall.market.test"})};
  return service;
}

}  // namespace

TEST_CASE("H9: the server name chooses the certificate, exact before wildcard, the first one by default") {
  Bench bench(street());
  CHECK(shown(bench.pool, nullptr) == "default");
  CHECK(shown(bench.pool, "elsewhere.test") == "default");
  CHECK(shown(bench.pool, "default.test") == "default");
  CHECK(shown(bench.pool, "baker.test") == "baker");
  CHECK(shown(bench.pool, "WWW.Baker.TEST") == "baker");
  CHECK(shown(bench.pool, "fish.market.test") == "wild");
  CHECK(shown(bench.pool, "stall.market.test") == "stall");
  CHECK(shown(bench.pool, "a.b.market.test") == "default");  // a star is one label
  CHECK(shown(bench.pool, "market.test") == "default");
}

TEST_CASE("H9: with kinds of certificate for one name, the client's signature schemes choose") {
  ServiceTls service;
  service.name = "kinds";
  service.certificates = {issue(KeyType::rsa, "rsa", {"shop.test"}), issue(KeyType::ecdsa, "ecdsa", {"shop.test"}),
                          issue(KeyType::ed25519, "ed25519", {"shop.test"})};
  Bench bench(service);
  for (const char* name : {"shop.test", static_cast<const char*>(nullptr)}) {
    CHECK(shown(bench.pool, name, signing("rsa_pss_rsae_sha256")) == "rsa");
    CHECK(shown(bench.pool, name, signing("ECDSA+SHA256")) == "ecdsa");
    CHECK(shown(bench.pool, name, signing("ed25519")) == "ed25519");
  }
  CHECK(shown(bench.pool, "shop.test", signing("ed448")) == "failed: no_shared_suite");
  // A name with a certificate of its own borrows the other kinds from the wildcard.
  Bench market(street());
  CHECK(shown(market.pool, "stall.market.test", signing("rsa_pss_rsae_sha256")) == "wild-rsa");
}

TEST_CASE("H9: the suites of TLS 1.2 choose between RSA and ECDSA certificates too") {
  ServiceTls service;
  service.name = "kinds";
  service.certificates = {issue(KeyType::rsa, "rsa", {"shop.test"}), issue(KeyType::ecdsa, "ecdsa", {"shop.test"})};
  Bench bench(service);
  const auto with = [](const char* suites) {
    return [suites](SSL_CTX* context) {
      SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
      SSL_CTX_set_cipher_list(context, suites);
    };
  };
  CHECK(shown(bench.pool, "shop.test", with("ECDHE-RSA-AES128-GCM-SHA256")) == "rsa");
  CHECK(shown(bench.pool, "shop.test", with("ECDHE-ECDSA-AES128-GCM-SHA256")) == "ecdsa");
}

TEST_CASE("H9: a strict service refuses a name it does not know, and no name is no wrong name") {
  ServiceTls service = street();
  service.require_known_name = true;
  Bench bench(service);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TlsClient client([&](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, version); });
    client.name("elsewhere.test");
    const Outcome outcome = handshake(bench.pool, client);
    CHECK(outcome.failure() == HandshakeFailure::unknown_name);
    CHECK(outcome.alert() == 112);
    CHECK(outcome.last->bytes == ByteVector{21, 3, 3, 0, 2, 2, 112});
  }
  CHECK(shown(bench.pool, "baker.test") == "baker");
  CHECK(shown(bench.pool, nullptr) == "default");
}

TEST_CASE("H9: the chain goes with the certificate") {
  ServiceTls service;
  service.name = "chain";
  const Leaf leaf = server_ca().issue({.names = {"shop.test"}});
  service.certificates = {leaf.pem("shop", server_ca().pem())};
  Bench bench(service);
  TlsClient client;
  REQUIRE(handshake(bench.pool, client).is_established());
  CHECK(sk_X509_num(SSL_get_peer_cert_chain(client.ssl())) == 2);
}

namespace {

/// What ALPN settles on, or the failure's name.
std::string agreed(std::vector<std::string> ours, const std::string& offered) {
  ServiceTls service = shop();
  service.protocols = std::move(ours);
  Bench bench(service);
  TlsClient client;
  ByteVector list;
  for (std::size_t at = 0; at < offered.size();) {
    const std::size_t end = std::min(offered.find(',', at), offered.size());
    list.push_back(static_cast<std::uint8_t>(end - at));
    list.insert(list.end(), offered.begin() + static_cast<std::ptrdiff_t>(at),
                offered.begin() + static_cast<std::ptrdiff_t>(end));
    at = end + 1;
  }
  if (!list.empty()) SSL_set_alpn_protos(client.ssl(), list.data(), static_cast<unsigned int>(list.size()));
  const Outcome outcome = handshake(bench.pool, client);
  if (!outcome.is_established())
    return std::string(to_string(outcome.failure())) + " " + std::to_string(outcome.alert());
  return outcome.keys().protocol;
}

}  // namespace

TEST_CASE("H9: ALPN follows our order, and a client that shares nothing is told so") {
  CHECK(agreed({"h2", "http/1.1"}, "http/1.1,h2") == "h2");
  CHECK(agreed({"http/1.1", "h2"}, "h2,http/1.1") == "http/1.1");
  CHECK(agreed({"h2", "http/1.1"}, "spdy/1,http/1.1") == "http/1.1");
  CHECK(agreed({"h2"}, "http/1.1") == "no_shared_protocol 120");
  CHECK(agreed({"h2"}, "h2c,h") == "no_shared_protocol 120");  // no prefixes
  CHECK(agreed({"h2"}, "").empty());                           // a client without the extension
  CHECK(agreed({}, "h2").empty());                             // a service without protocols ignores it
}

TEST_CASE("H9: a key share of a group we lack is answered with a retry") {
  Bench bench;
  TlsClient client([](SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set1_groups_list(context, "X448:P-256");
  });
  const Outcome outcome = handshake(bench.pool, client);
  REQUIRE(outcome.is_established());
  CHECK(outcome.outputs.size() == 2);  // HelloRetryRequest, then the flight
  CHECK(outcome.last->detail.find("prime256v1") != std::string::npos);
  CHECK(outcome.keys().down_number == 2);
}

TEST_CASE("H9: the client's max_fragment_length is honoured and reported") {
  struct Row {
    std::uint8_t code;
    std::uint16_t bytes;
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Row row : {Row{0, 16384}, Row{1, 512}, Row{2, 1024}, Row{3, 2048}, Row{4, 4096}}) {
      Bench bench;
      TlsClient client([&](SSL_CTX* context) {
        SSL_CTX_set_max_proto_version(context, version);
        if (row.code != 0) SSL_CTX_set_tlsext_max_fragment_length(context, row.code);
      });
      const Outcome outcome = handshake(bench.pool, client);
      REQUIRE(outcome.is_established());
      CHECK(outcome.keys().max_fragment_bytes == row.bytes);
    }
  }
}

TEST_CASE("H9: our order of suites rules, except that a client that puts ChaCha20 first gets it") {
  const auto suite_for = [](const ServiceTls& service, const char* list) {
    Bench bench(service);
    TlsClient client([&](SSL_CTX* context) { SSL_CTX_set_ciphersuites(context, list); });
    const Outcome outcome = handshake(bench.pool, client);
    return outcome.is_established() ? std::string(outcome.keys().suite->name) : std::string{};
  };
  CHECK(suite_for(shop(), "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256") == "TLS_AES_128_GCM_SHA256");
  CHECK(suite_for(shop(), "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256") == "TLS_CHACHA20_POLY1305_SHA256");
  ServiceTls listed = shop();
  listed.suites = {0x1302, 0x1301, 0x1303};
  CHECK(suite_for(listed, "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256") == "TLS_AES_128_GCM_SHA256");
}
