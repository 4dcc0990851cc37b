// Secure processors in a process of their own: the real program over the real protocol, and what happens when it ends or hangs.
#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <map>

#include "native/secure/tls_server.hpp"
#include "record/aead.hpp"
#include "support/native/deferred_start.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;

namespace {

/// A folder with one key file, gone with the object.
class KeyFile {
 public:
  explicit KeyFile(const std::string& text) {
    char folder[] = "/tmp/cw-secure-test-XXXXXX";
    folder_ = ::mkdtemp(folder);
    write(text);
  }
  ~KeyFile() {
    ::unlink(path().c_str());
    ::rmdir(folder_.c_str());
  }
  KeyFile(const KeyFile&) = delete;
  KeyFile& operator=(const KeyFile&) = delete;
  [[nodiscard]] std::string path() const { return folder_ + "/key.pem"; }
  void write(const std::string& text) const { std::ofstream(path()) << text; }

 private:
  std::string folder_;
};

PoolConfig in_a_process(std::uint32_t threads = 1, std::uint32_t links = 1) {
  return {.threads = threads, .links = links, .place = Place::process, .program = CUTWATER_SECURE_PROGRAM};
}

/// A service whose key is named, not given.
ServiceTls named(ServiceTls service, const KeyFile& key) {
  for (CertificatePem& certificate : service.certificates) {
    certificate.key_pem.clear();
    certificate.key_name = key.path();
  }
  return service;
}

struct ProcessBench {
  KeyFile key;
  Pool pool;
  explicit ProcessBench(PoolConfig config = in_a_process(), KeyType type = KeyType::ecdsa)
      : key(test_certificate(type).key_pem), pool(std::move(config)) {
    if (!pool.failure().empty()) throw std::runtime_error(pool.failure());
    const std::string error = pool.configure(0, named(shop(type), key));
    if (!error.empty()) throw std::runtime_error(error);
  }
};

Drive threaded(std::uint32_t flow = 1, std::uint32_t link = 0) {
  return {.token = {flow, 1}, .link = link, .is_threaded = true};
}

std::string say(TlsClient& client, const Established& keys, std::string_view words) {
  const record::Aead& aead = record::default_aead();
  record::ExpandedKey expanded;
  aead.expand(*keys.suite, keys.down_keys, expanded);
  ByteVector space(words.size() + record::kMaxOverheadBytes + 64);
  std::uint8_t* fragment = space.data() + keys.suite->front_bytes();
  std::copy(words.begin(), words.end(), fragment);
  const std::size_t bytes = aead.seal(expanded, keys.down_keys, keys.down_number, record::ContentType::application_data,
                                      fragment, words.size());
  client.give(Bytes{space}.first(bytes));
  return client.read();
}

/// Waits until something is so; a minute is for ever.
bool comes_true(const std::function<bool()>& is_so) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (std::chrono::steady_clock::now() < until) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  return false;
}

/// Many clients on one link, some of them at once, each taken to its end.
class Crowd {
 public:
  static constexpr std::size_t kAll = 1000, kAtOnce = 100;

  explicit Crowd(Pool& pool) : pool_(pool) {}
  /// Takes replies until `enough`. Returns: false when that never comes.
  bool run(const std::function<bool(const Crowd&)>& enough) {
    return comes_true([&] {
      while (clients_.size() < kAll && clients_.size() - ended() < kAtOnce) start();
      if (const auto reply = pool_.link(0).poll()) take(*reply);
      pool_.notify();
      return enough(*this);
    });
  }
  [[nodiscard]] std::size_t ended() const { return established + failures(); }
  [[nodiscard]] std::size_t failures() const {
    std::size_t all = 0;
    for (const auto& [failure, count] : failed) all += count;
    return all;
  }
  std::size_t established = 0;
  std::map<HandshakeFailure, std::size_t> failed;

 private:
  void start() {
    clients_.push_back(std::make_unique<TlsClient>());
    clients_.back()->step();
    send(static_cast<std::uint32_t>(clients_.size() - 1), Request::Kind::start);
  }
  void send(std::uint32_t flow, Request::Kind kind) {
    REQUIRE(pool_.link(0).post(make_request(kind, {.token = {flow, 7}}, clients_[flow]->take())));
  }
  void take(const Reply& reply) {
    CHECK(reply.token.generation == 7);
    TlsClient& client = *clients_[reply.token.flow];
    if (reply.kind == Reply::Kind::failed) {
      ++failed[reply.failure];
    } else if (reply.kind == Reply::Kind::established) {
      ++established;
    } else {
      client.give(reply.bytes);
      client.step();
      send(reply.token.flow, Request::Kind::input);
    }
  }
  Pool& pool_;
  std::vector<std::unique_ptr<TlsClient>> clients_;
};

}  // namespace

TEST_CASE("H4: handshakes in a process of their own give keys that a real client understands, in both versions") {
  ProcessBench bench(in_a_process(2, 3));
  std::uint32_t flow = 0;
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::uint32_t link : {0U, 1U, 2U}) {
      TlsClient client([&](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, version); });
      const Outcome outcome = handshake(bench.pool, client, threaded(++flow, link));
      REQUIRE(outcome.is_established());
      CHECK(say(client, outcome.keys(), "from the server") == "from the server");
      CHECK(outcome.keys().session_id.empty() == (version == TLS1_2_VERSION));  // there the ticket is all there is
    }
  }
  CHECK(bench.pool.stats().handshakes == 6);
  CHECK(bench.pool.stats().alive == 0);
  CHECK(bench.pool.process_id() != 0);
  CHECK(bench.pool.process_id() != ::getpid());
}

TEST_CASE("H3, H4, H5: a template made without the private key is what the process that has it would have said; a deferred start goes there whole") {
  ServiceTls service = shop(KeyType::rsa);
  service.legacy_rsa_key_exchange = true;
  const KeyFile key(test_certificate(KeyType::rsa).key_pem);
  service = named(service, key);
  Pool pool(in_a_process());
  REQUIRE(pool.configure(0, service).empty());
  const auto flights = first_flights(service);
  REQUIRE(flights != nullptr);
  for (const bool is_falsified : {false, true}) {
    TlsClient client([](SSL_CTX* context) {
      SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION);
      SSL_CTX_set_cipher_list(context, "AES128-GCM-SHA256");
      SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    });
    support::DeferredStart start(*flights, client);
    if (is_falsified) start.flight.back() ^= 1;
    pool.link(0).post(start.request());
    const auto reply = await_reply(pool, {.is_threaded = true});
    REQUIRE(reply != nullptr);
    if (is_falsified) {
      CHECK(reply->failure == HandshakeFailure::flight_differs);
      continue;
    }
    REQUIRE_MESSAGE(reply->kind == Reply::Kind::established, reply->detail);
    CHECK(reply->established->session_id.size() == 32);
    CHECK(reply->established->given_session_id == reply->established->session_id);
    client.give(reply->bytes);
    CHECK(client.step());
    CHECK(say(client, *reply->established, "from the server") == "from the server");
  }
}

TEST_CASE("H6: all threads of the process take up each other's sessions, by ticket and by ID") {
  for (const bool has_tickets : {true, false}) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      if (!has_tickets && version == TLS1_3_VERSION) continue;  // there a session is its ticket
      CAPTURE(version);
      const auto set = [&](SSL_CTX* context) {
        SSL_CTX_set_max_proto_version(context, version);
        if (!has_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
      };
      ProcessBench bench(in_a_process(2, 2));
      TlsClient first(set);
      const Outcome full = handshake(bench.pool, first, threaded(1, 0));
      REQUIRE(full.is_established());
      (void)first.read();
      REQUIRE(first.session() != nullptr);
      TlsClient second(set, first.session());
      const Outcome resumed = handshake(bench.pool, second, threaded(2, 1));  // another worker, another thread
      REQUIRE(resumed.is_established());
      CHECK(resumed.keys().is_resumed);
      CHECK(bench.pool.stats().resumed == 1);
    }
  }
}

TEST_CASE("H4: a failure in the process is told as it is: alert, reason, bytes for the client") {
  ProcessBench bench;
  TlsClient old([](SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version(context, TLS1_1_VERSION);
    SSL_CTX_set_cipher_list(context, "ALL:@SECLEVEL=0");
  });
  const Outcome outcome = handshake(bench.pool, old, threaded());
  CHECK(outcome.failure() == HandshakeFailure::no_shared_version);
  CHECK(outcome.alert() == SSL_AD_PROTOCOL_VERSION);
  CHECK_FALSE(outcome.last->bytes.empty());
}

TEST_CASE("H4: killing the processor in the middle of 1,000 handshakes loses only those it had") {
  ProcessBench bench;
  Crowd crowd(bench.pool);
  REQUIRE(crowd.run([](const Crowd& so_far) { return so_far.established >= 100; }));
  const std::size_t established_before = crowd.established;
  const int killed = bench.pool.process_id();
  ::kill(killed, SIGKILL);
  REQUIRE(crowd.run([](const Crowd& so_far) { return so_far.ended() == Crowd::kAll; }));
  const std::size_t lost = crowd.failed[HandshakeFailure::processor_lost];
  MESSAGE("established before the kill " << established_before << ", lost " << lost << ", established after it "
                                         << crowd.established - established_before);
  CHECK(lost > 0);
  CHECK(lost <= Crowd::kAtOnce);
  CHECK(crowd.failures() == lost);          // no other reason
  CHECK(crowd.established + lost == Crowd::kAll);  // and nobody forgotten
  CHECK(bench.pool.stats().alive == 0);
  CHECK(bench.pool.stats().restarts == 1);
  CHECK(bench.pool.process_id() != killed);
  TlsClient next;
  CHECK(handshake(bench.pool, next, threaded(5000)).is_established());
}

TEST_CASE("H4: a processor that hangs is ended and another takes its place") {
  PoolConfig config = in_a_process();
  config.process_patience_us = 200'000;
  ProcessBench bench(std::move(config));
  ::kill(bench.pool.process_id(), SIGSTOP);
  TlsClient unlucky;
  CHECK(handshake(bench.pool, unlucky, threaded(1)).failure() == HandshakeFailure::processor_lost);
  TlsClient next;
  CHECK(handshake(bench.pool, next, threaded(2)).is_established());
  CHECK(bench.pool.stats().restarts == 1);
}

TEST_CASE("H4: a processor that ends again and again comes back each time, with its services") {
  ProcessBench bench;
  for (std::uint64_t round = 1; round <= 3; ++round) {
    ::kill(bench.pool.process_id(), SIGKILL);
    REQUIRE(comes_true([&] { return bench.pool.stats().restarts == round && bench.pool.process_id() != 0; }));
    TlsClient client;
    CHECK(handshake(bench.pool, client, threaded(static_cast<std::uint32_t>(round))).is_established());
  }
}

TEST_CASE("H7: tickets outlive the process that sealed them; stored sessions and a changed key file do not") {
  ProcessBench bench;
  const auto in_version = [](int version, bool has_tickets) {
    return [=](SSL_CTX* context) {
      SSL_CTX_set_min_proto_version(context, version);
      SSL_CTX_set_max_proto_version(context, version);
      if (!has_tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    };
  };
  std::uint32_t flow = 1;
  const auto session_of = [&](int version, bool has_tickets) {
    TlsClient client(in_version(version, has_tickets));
    const Outcome outcome = handshake(bench.pool, client, threaded(flow++));
    REQUIRE(outcome.is_established());
    client.read();
    REQUIRE(client.session() != nullptr);
    SSL_SESSION_up_ref(client.session());
    return SessionPtr{client.session()};
  };
  const auto resumes = [&](int version, bool has_tickets, const SessionPtr& session) {
    TlsClient client(in_version(version, has_tickets), session.get());
    const Outcome outcome = handshake(bench.pool, client, threaded(flow++));
    REQUIRE(outcome.is_established());
    return outcome.keys().is_resumed;
  };
  const auto kill_it = [&] {
    const std::uint64_t before = bench.pool.stats().restarts;
    ::kill(bench.pool.process_id(), SIGKILL);
    REQUIRE(comes_true([&] { return bench.pool.stats().restarts == before + 1 && bench.pool.process_id() != 0; }));
  };
  const SessionPtr first = session_of(TLS1_3_VERSION, true), second = session_of(TLS1_3_VERSION, true);  // each is used once
  const SessionPtr tls12 = session_of(TLS1_2_VERSION, true), by_id = session_of(TLS1_2_VERSION, false);
  for (const SessionPtr* tls13 : {&first, &second}) {
    kill_it();
    CHECK(resumes(TLS1_3_VERSION, true, *tls13));
    CHECK(resumes(TLS1_2_VERSION, true, tls12));
    CHECK_FALSE(resumes(TLS1_2_VERSION, false, by_id));
  }
  // What the appliance keeps opens with the private key alone.
  bench.key.write(test_certificate(KeyType::ecdsa).key_pem + "\n");
  kill_it();
  CHECK_FALSE(resumes(TLS1_2_VERSION, true, tls12));
}

TEST_CASE("H9: options are judged where the keys are") {
  ProcessBench bench;
  const KeyFile other(test_certificate(KeyType::rsa).key_pem), empty("");
  CHECK(bench.pool.check(named(shop(), bench.key)) == "");
  CHECK(bench.pool.check(named(shop(), other)) == other.path() + ": does not match ecdsa.crt");
  CHECK(bench.pool.configure(0, named(shop(), empty)) == empty.path() + ": is empty");
  ServiceTls nowhere = named(shop(), other);
  nowhere.certificates[0].key_name = "/nonexistent/key.pem";
  CHECK(bench.pool.configure(0, nowhere) == "/nonexistent/key.pem: No such file or directory");
  nowhere.certificates[0].key_name = "/dev/zero";
  CHECK(bench.pool.configure(0, nowhere) == "/dev/zero: is no file");
  TlsClient client;  // and what was configured before still is
  CHECK(handshake(bench.pool, client, threaded()).is_established());
}

TEST_CASE("H4: a program that is not there is an error at the start, not later") {
  PoolConfig config = in_a_process();
  config.program = "/nonexistent/cutwater-secure";
  const Pool pool(std::move(config));
  CHECK(pool.failure() == "/nonexistent/cutwater-secure: No such file or directory");
}

TEST_CASE("H4, A9: a call of a server is made by the processors' process, which alone reads our key towards servers") {
  const Leaf ours = backend_ca().issue({.common_name = "cutwater", .names = {"cutwater"}});
  const KeyFile key(test_certificate(KeyType::ecdsa).key_pem);
  const KeyFile own_key(to_pem(ours.key.get()));
  Pool pool(in_a_process());
  REQUIRE(pool.failure().empty());
  ServiceTls service = named(shop(KeyType::ecdsa), key);
  CertificatePem own = ours.pem("cutwater");
  own.key_pem.clear();
  own.key_name = own_key.path();
  service.servers = ServerTls{.name = "backend.test", .ca_pem = backend_ca().pem(), .certificate = {own}};
  REQUIRE(pool.configure(0, service).empty());
  TlsPeer peer({.protocols = {"h2"}, .wants_certificate = true});
  const Drive drive = threaded();
  auto call = make_request(Request::Kind::call, drive, {});
  call->protocol = "h2";
  REQUIRE(pool.link(0).post(std::move(call)));
  std::unique_ptr<Reply> reply = await_reply(pool, drive);
  for (int round = 0; round < 5 && reply && reply->kind == Reply::Kind::output; ++round) {
    peer.give(reply->bytes);
    REQUIRE(pool.link(0).post(make_request(Request::Kind::input, drive, peer.take())));
    reply = await_reply(pool, drive);
  }
  REQUIRE(reply);
  REQUIRE(reply->kind == Reply::Kind::established);
  CHECK(reply->established->protocol == "h2");
  peer.give(reply->bytes);
  CHECK(SSL_is_init_finished(peer.ssl()) == 1);
  CHECK(SSL_get0_peer_certificate(peer.ssl()) != nullptr);
}
