// The keys that leave the secure processor are the connection's: what we seal a real client reads, what it seals we
// open.
#include <doctest/doctest.h>

#include "native/secure/tls_client.hpp"
#include "record/aead.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;

namespace {

/// Seals a record with our own backend and lets the client read it.
std::string say(TlsClient& client, const Established& keys, std::uint64_t number, std::string_view words) {
  const record::Aead& aead = record::default_aead();
  record::ExpandedKey expanded;
  aead.expand(*keys.suite, keys.down_keys, expanded);
  ByteVector space(words.size() + record::kMaxOverheadBytes + 64);
  std::uint8_t* fragment = space.data() + keys.suite->front_bytes();
  std::copy(words.begin(), words.end(), fragment);
  const std::size_t bytes =
      aead.seal(expanded, keys.down_keys, number, record::ContentType::application_data, fragment, words.size());
  client.give(Bytes{space}.first(bytes));
  return client.read();
}

/// Opens one record that the client sealed.
std::string hear(const Established& keys, std::uint64_t number, ByteVector record_bytes) {
  const record::Aead& aead = record::default_aead();
  record::ExpandedKey expanded;
  aead.expand(*keys.suite, keys.up_keys, expanded);
  const record::Opened opened = aead.open(expanded, keys.up_keys, number, record_bytes);
  if (opened.status != record::Opened::Status::ok) return "not opened";
  if (opened.type != record::ContentType::application_data) return "not application data";
  return {opened.fragment.begin(), opened.fragment.end()};
}

void check_both_ways(TlsClient& client, const Outcome& outcome) {
  REQUIRE(outcome.is_established());
  const Established& keys = outcome.keys();
  for (std::uint64_t i = 0; i < 3; ++i) {
    CHECK(say(client, keys, keys.down_number + i, "from the server") == "from the server");
    client.write("from the client");
    CHECK(hear(keys, keys.up_number + i, client.take()) == "from the client");
  }
}

void only_suite(SSL_CTX* context, const record::Suite& suite) {
  if (suite.version == record::Version::tls13) {
    SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context, std::string(suite.name).c_str());
  } else {
    SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(context, OPENSSL_cipher_name(std::string(suite.name).c_str()));
  }
}

}  // namespace

TEST_CASE("A5: every suite of both versions yields keys that a real client reads and writes") {
  for (const record::Suite& suite : record::all_suites()) {
    const std::string name(suite.name);
    CAPTURE(name);
    ServiceTls service = shop(name.find("ECDSA") != std::string::npos ? KeyType::ecdsa : KeyType::rsa);
    service.legacy_rsa_key_exchange = name.starts_with("TLS_RSA_");
    if (suite.version == record::Version::tls12) service.suites = {suite.iana};
    Bench bench(service);
    TlsClient client([&](SSL_CTX* context) { only_suite(context, suite); });
    const Outcome outcome = handshake(bench.pool, client);
    REQUIRE(outcome.is_established());
    CHECK(outcome.keys().suite == &suite);
    CHECK_FALSE(outcome.keys().is_resumed);
    CHECK(outcome.rest().empty());
    check_both_ways(client, outcome);
    CHECK(bench.pool.stats().alive == 0);
    CHECK(bench.pool.stats().handshakes == 1);
  }
}

TEST_CASE("A5: each kind of certificate signs the handshake, in both versions") {
  for (const KeyType type : {KeyType::rsa, KeyType::ecdsa, KeyType::ed25519}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      CAPTURE(static_cast<int>(type));
      CAPTURE(version);
      Bench bench(shop(type));
      TlsClient client([&](SSL_CTX* context) {
        SSL_CTX_set_max_proto_version(context, version);
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
        X509_STORE_add_cert(SSL_CTX_get_cert_store(context), server_ca().certificate());
      });
      client.name("shop.test");
      const Outcome outcome = handshake(bench.pool, client);
      REQUIRE(outcome.is_established());
      CHECK(outcome.keys().server_name == "shop.test");
      check_both_ways(client, outcome);
    }
  }
}

TEST_CASE("A5: record numbers count the tickets already sent") {
  for (const std::uint32_t tickets : {0U, 1U, 2U, 5U}) {
    ServiceTls service = shop();
    service.tickets = tickets;
    Bench bench(service);
    TlsClient client;
    const Outcome outcome = handshake(bench.pool, client);
    REQUIRE(outcome.is_established());
    CHECK(outcome.keys().down_number == tickets);
    CHECK(outcome.keys().up_number == 0);
    check_both_ways(client, outcome);
    CHECK(client.sessions() == tickets);
  }
}

TEST_CASE("A5: TLS 1.2 goes on at record 1 both ways") {
  Bench bench;
  TlsClient client([](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION); });
  const Outcome outcome = handshake(bench.pool, client);
  REQUIRE(outcome.is_established());
  CHECK(outcome.keys().up_number == 1);
  CHECK(outcome.keys().down_number == 1);
  CHECK(outcome.keys().up_secret.empty());
  check_both_ways(client, outcome);
}

TEST_CASE("A5: TLS 1.3 secrets leave with the keys, for key updates") {
  Bench bench;
  TlsClient client;
  const Outcome outcome = handshake(bench.pool, client);
  REQUIRE(outcome.is_established());
  const Established& keys = outcome.keys();
  const record::TrafficSecret next = record::next_secret(*keys.suite, keys.up_secret);
  Established updated;
  updated.suite = keys.suite;
  updated.up_keys = record::derive_keys(*keys.suite, next);
  SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED);
  client.write("under the next key");
  const ByteVector sent = client.take();
  const record::NextRecord update = record::next_record(sent);
  const ByteVector data(sent.begin() + static_cast<std::ptrdiff_t>(update.header.record_bytes()), sent.end());
  CHECK(hear(updated, 0, data) == "under the next key");
}

TEST_CASE("A5: application data behind the Finished is left to the splice, and its keys fit") {
  struct Row {
    int version;
    bool is_resumed;  // in TLS 1.2 the client's Finished is then the last, as it always is in TLS 1.3
  };
  for (const Row row : {Row{TLS1_3_VERSION, false}, Row{TLS1_3_VERSION, true}, Row{TLS1_2_VERSION, true}}) {
    CAPTURE(row.version);
    CAPTURE(row.is_resumed);
    Bench bench;
    const auto setting = [&](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, row.version); };
    TlsClient first(setting);
    REQUIRE(handshake(bench.pool, first).is_established());
    first.read();
    TlsClient client(setting, row.is_resumed ? first.session() : nullptr);
    const std::string words = "GET / HTTP/1.1\r\n\r\n";
    const Outcome outcome = handshake(bench.pool, client, {.early_words = words});
    REQUIRE(outcome.is_established());
    CHECK(outcome.keys().is_resumed == row.is_resumed);
    const ByteVector rest(outcome.rest().begin(), outcome.rest().end());
    CHECK(rest.size() == words.size() + outcome.keys().suite->overhead_bytes());
    CHECK(hear(outcome.keys(), outcome.keys().up_number, rest) == words);
  }
}

TEST_CASE("A5: data that a false start sends before it heard our Finished is left to the splice") {
  Bench bench;
  TlsClient client([](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION); });
  const ByteVector data{23, 3, 3, 0, 4, 1, 2, 3, 4};
  int flight = 0;
  const auto cut = [&](const ByteVector& bytes) {
    return std::vector<ByteVector>{++flight == 2 ? joined(bytes, data) : bytes};
  };
  const Outcome outcome = handshake(bench.pool, client, {.cut = cut});
  REQUIRE(outcome.is_established());
  // All that the client itself sent was consumed; what was put behind it was not.
  CHECK(outcome.last->consumed_bytes == outcome.posted.size());
  check_both_ways(client, outcome);
}

TEST_CASE("A5: with threads the same keys come out, from several links at once") {
  Bench bench(shop(), {.threads = 2, .links = 2, .clock = [] { return Tick{1}; }});
  std::uint32_t done[2] = {0, 0};
  const auto worker = [&](std::uint32_t link) {
    for (std::uint32_t flow = 0; flow < 20; ++flow) {
      TlsClient client([&](SSL_CTX* context) {
        if (flow % 2 == 1) SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
      });
      const Outcome outcome = handshake(bench.pool, client, {.token = {flow, 7}, .link = link, .is_threaded = true});
      if (!outcome.is_established()) continue;
      const Established& keys = outcome.keys();
      if (say(client, keys, keys.down_number, "hello") == "hello") ++done[link];
    }
  };
  std::thread other(worker, 1U);
  worker(0);
  other.join();
  CHECK(done[0] == 20);
  CHECK(done[1] == 20);
  CHECK(bench.pool.stats().handshakes == 40);
  CHECK(bench.pool.stats().alive == 0);
}
