// Our record layer between a real OpenSSL client and server: every record of one is opened by us, and the other gets it
// sealed by us. All suites, key updates both ways, close_notify.
#include <doctest/doctest.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <map>
#include <memory>
#include <string>

#include "record/deframer.hpp"
#include "record/key_update.hpp"
#include "record/traffic_secret.hpp"
#include "support/record_room.hpp"
#include "vectors/hex.hpp"

using namespace cutwater;
using namespace cutwater::record;
using ByteVector = std::vector<std::uint8_t>;

namespace {

template <auto Free>
struct Freed {
  template <class T>
  void operator()(T* p) const { Free(p); }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Freed<Free>>;

/// A client and a server joined by memory. Secrets come out by the key-log callback, as in production.
class Pair {
 public:
  Pair(const Suite& suite, std::size_t tickets)
      : client_context_(SSL_CTX_new(TLS_client_method())), server_context_(SSL_CTX_new(TLS_server_method())) {
    const bool is_rsa = suite.name.find("_RSA_") != std::string_view::npos;
    // Made once: an RSA key takes longer than all the rest.
    static const Owned<EVP_PKEY, EVP_PKEY_free> rsa_key{EVP_RSA_gen(2048U)}, ec_key{EVP_EC_gen("P-256")};
    EVP_PKEY* const key = is_rsa ? rsa_key.get() : ec_key.get();
    const auto certificate = self_signed(key);
    REQUIRE(SSL_CTX_use_PrivateKey(server_context_.get(), key) == 1);
    REQUIRE(SSL_CTX_use_certificate(server_context_.get(), certificate.get()) == 1);
    SSL_CTX_set_dh_auto(server_context_.get(), 1);
    SSL_CTX_set_num_tickets(server_context_.get(), tickets);
    SSL_CTX_set_keylog_callback(client_context_.get(), [](const SSL* ssl, const char* line) {
      static_cast<Pair*>(SSL_get_app_data(ssl))->note(line);
    });
    client_.reset(make(client_context_.get(), suite));
    server_.reset(make(server_context_.get(), suite));
    SSL_set_app_data(client_.get(), this);
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
  }

  [[nodiscard]] SSL* client() { return client_.get(); }
  [[nodiscard]] SSL* server() { return server_.get(); }
  [[nodiscard]] const ByteVector& secret(const std::string& label) const { return secrets_.at(label); }

  bool shake() {
    for (int turns = 0; turns < 20 && !(SSL_is_init_finished(client()) && SSL_is_init_finished(server())); ++turns) {
      SSL_do_handshake(client());
      give(server(), take(client()));
      SSL_do_handshake(server());
      if (!SSL_is_init_finished(client())) give(client(), take(server()));
    }
    return SSL_is_init_finished(client()) && SSL_is_init_finished(server());
  }
  /// What an end has written since last asked.
  static ByteVector take(SSL* end) {
    ByteVector bytes(BIO_ctrl_pending(SSL_get_wbio(end)));
    if (!bytes.empty()) REQUIRE(BIO_read(SSL_get_wbio(end), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
    return bytes;
  }
  static void give(SSL* end, const ByteVector& bytes) {
    if (!bytes.empty()) REQUIRE(BIO_write(SSL_get_rbio(end), bytes.data(), static_cast<int>(bytes.size())) == static_cast<int>(bytes.size()));
  }

 private:
  static Owned<X509, X509_free> self_signed(EVP_PKEY* key) {
    Owned<X509, X509_free> x{X509_new()};
    X509_gmtime_adj(X509_getm_notBefore(x.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(x.get()), 3600);
    X509_set_pubkey(x.get(), key);
    REQUIRE(X509_sign(x.get(), key, EVP_sha256()) > 0);
    return x;
  }
  static SSL* make(SSL_CTX* context, const Suite& suite) {
    const int version = suite.version == Version::tls13 ? TLS1_3_VERSION : TLS1_2_VERSION;
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    const std::string name{suite.name};
    REQUIRE((suite.version == Version::tls13 ? SSL_CTX_set_ciphersuites(context, name.c_str())
                                             : SSL_CTX_set_cipher_list(context, OPENSSL_cipher_name(name.c_str()))) == 1);
    SSL* const ssl = SSL_new(context);
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    return ssl;
  }
  void note(std::string_view line) {  // label, client random, secret
    const auto first = line.find(' '), last = line.rfind(' ');
    secrets_[std::string{line.substr(0, first)}] = vectors::hex(line.substr(last + 1));
  }

  Owned<SSL_CTX, SSL_CTX_free> client_context_, server_context_;
  Owned<SSL, SSL_free> client_, server_;
  std::map<std::string, ByteVector> secrets_;
};

/// One direction: opens what the writer sealed, and seals it again for the reader.
class Relay {
 public:
  Relay(const Suite& suite, const Aead& aead, const TrafficKeys& keys, std::uint64_t number)
      : suite_(suite), aead_(aead), keys_(keys), number_(number) { aead_.expand(suite_, keys_, key_); }
  Relay(const Suite& suite, const Aead& aead, TrafficSecret secret)
      : Relay(suite, aead, derive_keys(suite, secret), 0) { secret_ = std::move(secret); }

  struct Message { ContentType type; ByteVector fragment; };

  /// Opens all records of `bytes`; `resealed` gets ours.
  std::vector<Message> relay(ByteVector bytes, ByteVector& resealed) {
    std::vector<Message> messages;
    MutableBytes rest{bytes};
    while (!rest.empty()) {
      const NextRecord next = next_record(rest);
      REQUIRE(next.status == NextRecord::Status::complete);
      const MutableBytes record = rest.first(next.header.record_bytes());
      rest = rest.subspan(record.size());
      const ByteVector theirs(record.begin(), record.end());
      const Opened opened = aead_.open(key_, keys_, number_, record);
      REQUIRE(opened.status == Opened::Status::ok);
      messages.push_back({opened.type, {opened.fragment.begin(), opened.fragment.end()}});
      const ByteVector ours = support::sealed(aead_, key_, keys_, number_, opened.type, messages.back().fragment);
      if (suite_.explicit_nonce_bytes == 0) CHECK(ours == theirs);  // else OpenSSL's nonce starts at a random number
      resealed.insert(resealed.end(), ours.begin(), ours.end());
      ++number_;
      if (opened.type == ContentType::handshake && is_key_update(messages.back().fragment)) rekey();
    }
    return messages;
  }
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  static bool is_key_update(const ByteVector& fragment) {
    PostHandshakeReader reader;
    const auto result = reader.take(Version::tls13, Writer::client, fragment);
    return result && *result != PostHandshake::partial;
  }
  void rekey() {
    secret_ = next_secret(suite_, secret_);
    keys_ = derive_keys(suite_, secret_);
    aead_.expand(suite_, keys_, key_);
    number_ = 0;
  }

  const Suite& suite_;
  const Aead& aead_;
  TrafficKeys keys_;
  TrafficSecret secret_;
  ExpandedKey key_;
  std::uint64_t number_;
};

struct Relays {
  std::unique_ptr<Relay> up, down;

  Relays(const Suite& suite, const Aead& aead, Pair& pair) {
    if (suite.version == Version::tls13) {
      up = std::make_unique<Relay>(suite, aead, TrafficSecret{pair.secret("CLIENT_TRAFFIC_SECRET_0")});
      down = std::make_unique<Relay>(suite, aead, TrafficSecret{pair.secret("SERVER_TRAFFIC_SECRET_0")});
      return;
    }
    std::array<std::uint8_t, 32> client_random{}, server_random{};
    SSL_get_client_random(pair.client(), client_random.data(), 32);
    SSL_get_server_random(pair.client(), server_random.data(), 32);
    const KeyBlock block = derive_key_block(suite, pair.secret("CLIENT_RANDOM"), client_random, server_random);
    up = std::make_unique<Relay>(suite, aead, block.client_write, 1);  // number 0 was the Finished
    down = std::make_unique<Relay>(suite, aead, block.server_write, 1);
  }
};

/// `from` writes, we open and seal again, `to` reads: the same bytes.
void carry(Relay& relay, SSL* from, SSL* to, const ByteVector& data) {
  REQUIRE(SSL_write(from, data.data(), static_cast<int>(data.size())) == static_cast<int>(data.size()));
  ByteVector ours, seen;
  for (const auto& message : relay.relay(Pair::take(from), ours)) {
    CHECK(message.type == ContentType::application_data);
    seen.insert(seen.end(), message.fragment.begin(), message.fragment.end());
  }
  CHECK(seen == data);
  Pair::give(to, ours);
  ByteVector read;
  while (read.size() < data.size()) {
    std::array<std::uint8_t, 16384> piece;
    const int n = SSL_read(to, piece.data(), piece.size());
    REQUIRE(n > 0);
    read.insert(read.end(), piece.begin(), piece.begin() + n);
  }
  CHECK(read == data);
}

template <class F>
void for_all(F&& f) {
  std::mt19937_64 random{11};
  for (const Aead* aead : support::backends()) {
    for (const Suite& suite : all_suites()) {
      CAPTURE(aead->name);
      CAPTURE(suite.name);
      f(*aead, suite, random);
    }
  }
}

}  // namespace

TEST_CASE("A1, A2: OpenSSL's records open with ours and ours with OpenSSL's, every suite, both ways") {
  for_all([](const Aead& aead, const Suite& suite, auto& random) {
    Pair pair{suite, 0};
    REQUIRE(pair.shake());
    Pair::take(pair.server());  // TLS 1.2: nothing is left; TLS 1.3: no tickets
    Relays relays{suite, aead, pair};
    for (const auto n : std::initializer_list<std::size_t>{1, 100, 1438, 16384, 40000}) {
      carry(*relays.up, pair.client(), pair.server(), support::random_bytes(random, n));
      carry(*relays.down, pair.server(), pair.client(), support::random_bytes(random, n));
    }
  });
}

TEST_CASE("after the handshake the server's record number is the number of ticket records") {
  const Suite& suite = *find_suite(0x1301, Version::tls13);
  for (const auto tickets : std::initializer_list<std::size_t>{0, 1, 2, 5}) {
    Pair pair{suite, tickets};
    REQUIRE(pair.shake());
    Relays relays{suite, default_aead(), pair};
    ByteVector ours;
    const auto messages = relays.down->relay(Pair::take(pair.server()), ours);
    for (const auto& message : messages) CHECK(message.type == ContentType::handshake);
    CHECK(relays.down->number() == messages.size());
    CHECK(messages.size() == tickets);
    Pair::give(pair.client(), ours);
    std::mt19937_64 random{12};
    carry(*relays.down, pair.server(), pair.client(), support::random_bytes(random, 500));
  }
}

TEST_CASE("keys follow OpenSSL through a chain of key updates, from either side, asked for and not") {
  for_all([](const Aead& aead, const Suite& suite, auto& random) {
    if (suite.version != Version::tls13) return;
    Pair pair{suite, 0};
    REQUIRE(pair.shake());
    Pair::take(pair.server());
    Relays relays{suite, aead, pair};
    for (int round = 0; round < 8; ++round) {
      const bool is_up = round % 2 == 0;
      SSL* const from = is_up ? pair.client() : pair.server();
      SSL* const to = is_up ? pair.server() : pair.client();
      Relay& relay = is_up ? *relays.up : *relays.down;
      Relay& back = is_up ? *relays.down : *relays.up;
      const int asks = round % 4 < 2 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED;
      REQUIRE(SSL_key_update(from, asks) == 1);
      REQUIRE(SSL_do_handshake(from) == 1);
      ByteVector ours;
      const auto messages = relay.relay(Pair::take(from), ours);
      REQUIRE(messages.size() == 1);
      const auto request = asks == SSL_KEY_UPDATE_REQUESTED ? KeyUpdateRequest::requested : KeyUpdateRequest::not_requested;
      const auto expected = emit_key_update(request);
      CHECK(messages[0].fragment == ByteVector(expected.begin(), expected.end()));
      Pair::give(to, ours);
      carry(relay, from, to, support::random_bytes(random, 700));
      // OpenSSL answers a request with its next write: the KeyUpdate comes first, then data under the new key.
      const ByteVector data = support::random_bytes(random, 300);
      REQUIRE(SSL_write(to, data.data(), static_cast<int>(data.size())) == static_cast<int>(data.size()));
      ours.clear();
      const auto answer = back.relay(Pair::take(to), ours);
      REQUIRE(answer.size() == (asks == SSL_KEY_UPDATE_REQUESTED ? 2 : 1));
      CHECK(answer.back().fragment == data);
      if (answer.size() == 2) CHECK(answer[0].fragment == ByteVector{24, 0, 0, 1, 0});
      Pair::give(from, ours);
      std::array<std::uint8_t, 1000> read;
      CHECK(SSL_read(from, read.data(), read.size()) == 300);
    }
  });
}

TEST_CASE("A16: close_notify is understood both ways") {
  for_all([](const Aead& aead, const Suite& suite, auto&) {
    Pair pair{suite, 0};
    REQUIRE(pair.shake());
    Pair::take(pair.server());
    Relays relays{suite, aead, pair};
    CHECK(SSL_shutdown(pair.client()) == 0);
    ByteVector ours;
    const auto messages = relays.up->relay(Pair::take(pair.client()), ours);
    REQUIRE(messages.size() == 1);
    CHECK(messages[0].type == ContentType::alert);
    const auto alert = parse_alert(suite.version, messages[0].fragment);
    REQUIRE(alert);
    CHECK(alert->meaning == AlertMeaning::close);
    const auto emitted = emit_alert(Alert::close_notify);
    CHECK(messages[0].fragment == ByteVector(emitted.begin(), emitted.end()));
    Pair::give(pair.server(), ours);
    std::uint8_t byte = 0;
    CHECK(SSL_read(pair.server(), &byte, 1) == 0);
    CHECK((SSL_get_shutdown(pair.server()) & SSL_RECEIVED_SHUTDOWN) != 0);
  });
}
