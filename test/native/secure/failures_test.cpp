// Every way a client can fail to get a connection: the name it is counted under, the alert, and that it really reads
// it.
#include <doctest/doctest.h>

#include "native/hello/hello_builder.hpp"
#include "native/secure/tls_client.hpp"
#include "record/aead.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;
using hello::test::HelloBuilder;

namespace {

ByteVector record_of(std::uint8_t type, Bytes body) {
  ByteVector record{type, 3, 3};
  hello::test::append16(record, body.size());
  record.insert(record.end(), body.begin(), body.end());
  return record;
}
ByteVector bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

/// What the pool answers to raw first bytes.
std::unique_ptr<Reply> answer_to(Bench& bench, ByteVector bytes) {
  const Drive drive;
  bench.pool.link(0).post(make_request(Request::Kind::start, drive, std::move(bytes)));
  return await_reply(bench.pool, drive);
}
std::unique_ptr<Reply> answer_to(ByteVector bytes) {
  Bench bench;
  return answer_to(bench, std::move(bytes));
}

/// A hello that OpenSSL accepts but for what the test adds.
HelloBuilder tls12_hello() {
  HelloBuilder builder;
  builder.suites = hello::test::numbers({0xc02b});
  builder.add(23, {}).add(10, hello::test::vector16(hello::test::numbers({29})));
  builder.add(13, hello::test::vector16(hello::test::numbers({0x0403})));
  return builder;
}

struct Fault {
  HandshakeFailure failure;
  int alert;
};

void expect(const ByteVector& first_bytes, Fault fault) {
  const auto reply = answer_to(first_bytes);
  REQUIRE(reply != nullptr);
  CHECK(reply->kind == Reply::Kind::failed);
  CHECK(reply->failure == fault.failure);
  CHECK(reply->alert == fault.alert);
  CHECK(reply->established == nullptr);
  // The version inside an alert record is free; the rest is not.
  if (fault.alert != 0 && fault.failure != HandshakeFailure::client_alert) {
    REQUIRE(reply->bytes.size() == 7);
    CHECK(reply->bytes[0] == 21);
    CHECK(reply->bytes[5] == 2);
    CHECK(reply->bytes[6] == fault.alert);
  } else {
    CHECK(reply->bytes.empty());
  }
}

TlsClient::Setting speaking(int version) {
  return [version](SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    SSL_CTX_set_security_level(context, 0);
  };
}

void expect(const ServiceTls& service, const TlsClient::Setting& setting, Fault fault) {
  Bench bench(service);
  TlsClient client(setting);
  const Outcome outcome = handshake(bench.pool, client);
  CHECK(outcome.failure() == fault.failure);
  CHECK(outcome.alert() == fault.alert);
  client.step();
  client.read();
  CHECK(client.alert_received() == fault.alert);
  CHECK(bench.pool.stats().alive == 0);
  CHECK(bench.pool.stats().failed == 1);
}

using enum HandshakeFailure;

}  // namespace

TEST_CASE("A5: an HTTP request on the TLS port is known as one, and gets no bytes that are no TLS") {
  for (const char* request :
       {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST /x HTTP/1.0\r\n", "HEAD / HTTP/1.1\r\n", "PUT /", "DELETE /",
        "OPTIONS *", "CONNECT x:443 HTTP/1.1", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET"}) {
    expect(bytes_of(request), {plain_http, 0});
  }
}

TEST_CASE("A5: what is no TLS record gets the alert of the record layer") {
  expect(bytes_of("SSH-2.0-OpenSSH_9.2\r\n"), {bad_record, 10});
  expect(ByteVector(64, 0), {bad_record, 10});
  expect({0x80, 0x2e, 1, 3, 1}, {bad_record, 10});            // an SSLv2 hello
  expect({22, 9, 1, 0, 5, 1, 2, 3, 4, 5}, {bad_record, 70});  // no version 3.x
  expect({22, 3, 1, 0x48, 0, 1, 2, 3}, {bad_record, 22});     // longer than a record can be
  expect({22, 3, 1, 0, 0}, {bad_record, 10});                 // an empty handshake record
  expect({22, 3, 1, 0, 9, 1}, {bad_record, 50});              // the worker posts whole records
  expect({23, 3, 3, 0, 1, 0}, {bad_record, 10});              // data before any handshake
  expect({20, 3, 3, 0, 1, 1}, {bad_record, 10});
  expect({}, {bad_record, 50});
}

TEST_CASE("A5: an alert before any hello is noted and not answered") {
  expect({21, 3, 1, 0, 2, 2, 80}, {client_alert, 80});
}

TEST_CASE("A5: a hello that cannot be parsed, or is illegal, is refused as such") {
  expect(record_of(22, tls12_hello().add(16, ByteVector{0, 9, 1}).message()), {bad_hello, 50});
  expect(record_of(22, tls12_hello().add(23, {}).message()), {bad_hello, 47});  // an extension twice
  HelloBuilder compressed = tls12_hello();
  compressed.compression = {1};
  expect(record_of(22, compressed.message()), {bad_hello, 50});
  ByteVector server_hello = tls12_hello().message();
  server_hello[0] = 2;
  expect(record_of(22, server_hello), {bad_record, 10});
}

TEST_CASE("A5: clients of old versions only are told protocol_version") {
  expect(shop(), speaking(TLS1_1_VERSION), {no_shared_version, 70});
  expect(shop(), speaking(TLS1_VERSION), {no_shared_version, 70});
  expect(record_of(22, hello::test::captured("openssl_tls11")), {no_shared_version, 70});
  HelloBuilder ssl3 = tls12_hello();
  ssl3.legacy_version = 0x0300;
  expect(record_of(22, ssl3.message()), {no_shared_version, 40});  // SSL 3.0 has no protocol_version alert
  ServiceTls modern = shop();
  modern.allow_tls12 = false;
  expect(modern, speaking(TLS1_2_VERSION), {no_shared_version, 70});
  ServiceTls settled = shop();
  settled.allow_tls13 = false;
  expect(settled, speaking(TLS1_3_VERSION), {no_shared_version, 70});
  // A client that fell back although we know better.
  expect(shop(),
         [](SSL_CTX* context) {
           SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
           SSL_CTX_set_mode(context, SSL_MODE_SEND_FALLBACK_SCSV);
         },
         {no_shared_version, 86});
}

TEST_CASE("A5, A18: no suite, group or signature scheme in common is handshake_failure") {
  const auto tls12_with = [](const char* suites) {
    return [suites](SSL_CTX* context) {
      SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
      SSL_CTX_set_security_level(context, 0);
      SSL_CTX_set_cipher_list(context, suites);
    };
  };
  expect(shop(), tls12_with("ECDHE-ECDSA-AES128-SHA256:ECDHE-ECDSA-AES256-SHA:AES128-SHA"),
         {no_shared_suite, 40});                                                     // CBC
  expect(shop(), tls12_with("ECDHE-RSA-AES128-GCM-SHA256"), {no_shared_suite, 40});  // an ECDSA certificate
  expect(shop(KeyType::rsa), tls12_with("AES128-GCM-SHA256"),
         {no_shared_suite, 40});  // no forward secrecy: not by default
  ServiceTls aes = shop();
  aes.suites = {0x1301};
  expect(aes, [](SSL_CTX* context) { SSL_CTX_set_ciphersuites(context, "TLS_CHACHA20_POLY1305_SHA256"); },
         {no_shared_suite, 40});
  expect(shop(), [](SSL_CTX* context) { SSL_CTX_set1_groups_list(context, "X448"); }, {no_shared_suite, 40});
  expect(shop(KeyType::rsa), [](SSL_CTX* context) { SSL_CTX_set1_sigalgs_list(context, "ed25519"); },
         {no_shared_suite, 40});
}

TEST_CASE("A5: TLS 1.2 without extended master secret is refused, TLS 1.3 is not concerned") {
  const auto without = [](int version) {
    return [version](SSL_CTX* context) {
      SSL_CTX_set_max_proto_version(context, version);
      SSL_CTX_set_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    };
  };
  expect(shop(), without(TLS1_2_VERSION), {no_extended_master_secret, 40});
  ServiceTls settled = shop();
  settled.allow_tls13 = false;
  expect(settled, without(TLS1_3_VERSION), {no_extended_master_secret, 40});
  Bench bench;
  TlsClient client(without(TLS1_3_VERSION));
  CHECK(handshake(bench.pool, client).is_established());
}

TEST_CASE("A5: a client that does not like our certificate is quoted") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Bench bench;
    TlsClient client([&](SSL_CTX* context) {
      SSL_CTX_set_max_proto_version(context, version);
      SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);  // and trusts nobody
    });
    const Outcome outcome = handshake(bench.pool, client);
    CHECK(outcome.failure() == client_alert);
    CHECK(outcome.alert() == 48);
    CHECK(outcome.last->bytes.empty());
  }
}

TEST_CASE("A5: a client that closes in mid-handshake is no failure of ours") {
  Bench bench;
  TlsClient client([](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION); });
  client.step();
  const Drive drive;
  bench.pool.link(0).post(make_request(Request::Kind::start, drive, client.take()));
  REQUIRE(await_reply(bench.pool, drive)->kind == Reply::Kind::output);
  bench.pool.link(0).post(make_request(Request::Kind::input, drive, {21, 3, 3, 0, 2, 1, 0}));
  const auto reply = await_reply(bench.pool, drive);
  REQUIRE(reply != nullptr);
  CHECK(reply->failure == client_alert);
  CHECK(reply->alert == 0);
  CHECK(bench.pool.stats().alive == 0);
}

namespace {

/// Runs a handshake, but changes the client's second flight.
void expect_after_flight(int version, const std::function<ByteVector(ByteVector)>& change, Fault fault,
                         const TlsClient::Setting& more = {}) {
  Bench bench;
  TlsClient client([&](SSL_CTX* context) {
    SSL_CTX_set_max_proto_version(context, version);
    if (more) more(context);
  });
  int flight = 0;
  const auto cut = [&](ByteVector bytes) {
    return std::vector<ByteVector>{++flight == 2 ? change(std::move(bytes)) : std::move(bytes)};
  };
  const Outcome outcome = handshake(bench.pool, client, {.cut = cut});
  REQUIRE(outcome.last != nullptr);
  CHECK(outcome.failure() == fault.failure);
  CHECK(outcome.alert() == fault.alert);
  client.read();
  CHECK(client.alert_received() == fault.alert);
  CHECK(bench.pool.stats().alive == 0);
}

}  // namespace

TEST_CASE("A5: a damaged record in mid-handshake is bad_record_mac, under the keys in use") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    CAPTURE(version);
    expect_after_flight(version,
                        [](ByteVector flight) {
                          flight.back() ^= 1;
                          return flight;
                        },
                        {bad_record, 20});
  }
}

TEST_CASE("A5: broken framing in mid-handshake is answered under the keys in use") {
  expect_after_flight(TLS1_3_VERSION, [](ByteVector) { return ByteVector{23, 3, 3, 0x50, 0}; }, {bad_record, 22});
  expect_after_flight(TLS1_3_VERSION, [](ByteVector) { return ByteVector{99, 3, 3, 0, 1, 0}; }, {bad_record, 10});
}

TEST_CASE("A5: a Finished of other keys or another transcript is bad_finished") {
  // The client's Finished is opened with its own handshake keys, changed, and sealed again.
  static record::TrafficSecret secret;
  const auto log = [](const SSL*, const char* line) {
    const std::string_view text(line);
    if (!text.starts_with("CLIENT_HANDSHAKE_TRAFFIC_SECRET ")) return;
    ByteVector bytes;
    for (std::size_t at = text.rfind(' ') + 1; at < text.size(); at += 2) {
      bytes.push_back(static_cast<std::uint8_t>(std::stoi(std::string(text.substr(at, 2)), nullptr, 16)));
    }
    secret.assign(bytes);
  };
  const auto change = [&](ByteVector flight) {
    const record::Suite& suite = *record::find_suite(0x1301, record::Version::tls13);
    const record::Aead& aead = record::default_aead();
    const record::TrafficKeys keys = record::derive_keys(suite, secret);
    record::ExpandedKey expanded;
    aead.expand(suite, keys, expanded);
    const std::size_t start = record::next_record(flight).header.record_bytes();  // behind the ChangeCipherSpec
    const MutableBytes finished = MutableBytes{flight}.subspan(start);
    const record::Opened opened = aead.open(expanded, keys, 0, finished);
    REQUIRE(opened.status == record::Opened::Status::ok);
    REQUIRE(opened.fragment[0] == 20);
    opened.fragment[10] ^= 1;
    aead.seal(expanded, keys, 0, record::ContentType::handshake, opened.fragment.data(), opened.fragment.size());
    return flight;
  };
  expect_after_flight(TLS1_3_VERSION, change, {bad_finished, 51}, [&](SSL_CTX* context) {
    SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set_keylog_callback(context, log);
  });
}

TEST_CASE("A5: every failure has a name") {
  for (std::size_t i = 0; i < kHandshakeFailures; ++i) CHECK(to_string(static_cast<HandshakeFailure>(i)) != "unknown");
  CHECK(to_string(static_cast<HandshakeFailure>(kHandshakeFailures)) == "unknown");
}
