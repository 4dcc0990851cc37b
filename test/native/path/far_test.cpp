// TLS to servers through the path: a real OpenSSL server behind the scripted end, and every packet moved by hand.
#include <doctest/doctest.h>

#include <algorithm>
#include <random>

#include "invariants/nonce_audit.hpp"
#include "native/secure/tls_server.hpp"
#include "record/deframer.hpp"
#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;
using secure::HandshakeFailure;
using secure::test::backend_ca;
using secure::test::PeerPlan;
using secure::test::TestCa;
using secure::test::TlsPeer;

namespace {

// I3 for both halves: every seal of either is compared with what was sealed under the same key and number before.
struct SealAudit {
  static invariants::NonceAudit& seals() {
    static invariants::NonceAudit audit;
    return audit;
  }
  static bool& is_broken() {
    static bool broken = false;
    return broken;
  }
  static std::size_t seal(const record::ExpandedKey& key, const record::TrafficKeys& keys, std::uint64_t number, record::ContentType type,
                          std::uint8_t* fragment, std::size_t bytes) noexcept {
    const std::size_t sealed = record::default_aead().seal(key, keys, number, type, fragment, bytes);
    ByteVector name(keys.key.begin(), keys.key.end());
    name.insert(name.end(), keys.iv.begin(), keys.iv.end());
    if (!seals().note(invariants::NonceAudit::hash(name), number, {fragment - key.suite->front_bytes(), sealed})) is_broken() = true;
    return sealed;
  }
  static const record::Aead& aead() {
    static const record::Aead audited = [] {
      record::Aead made = record::default_aead();
      made.seal = seal;
      return made;
    }();
    return audited;
  }
};

secure::ServerTls trusting(const std::string& name = "backend.test") {
  secure::ServerTls servers;
  servers.name = name;
  servers.ca_pem = backend_ca().pem();
  return servers;
}

std::unique_ptr<secure::Pool> pool_of(const secure::ServerTls& servers, std::vector<std::string> protocols) {
  auto pool = std::make_unique<secure::Pool>(secure::PoolConfig{.threads = 0, .clock = [] { return Tick{1'000'000}; }});
  secure::ServiceTls tls = secure::test::shop();
  tls.tickets = 0;
  tls.protocols = std::move(protocols);
  tls.servers = servers;
  if (const std::string wrong = pool->configure(0, tls); !wrong.empty()) throw std::runtime_error(wrong);
  return pool;
}

struct FarPlan {
  PeerPlan peer{};
  secure::ServerTls servers = trusting();
  std::vector<std::string> protocols{};  // of the service, towards clients
  std::uint8_t count = 1;
  std::uint16_t suite = 0x1301;          // of the client
  bool has_timestamps = false, is_v6 = false, reads_http = false;
  std::uint32_t idle_timeout_ms = 300'000;
};

RigPlan rig_plan(const FarPlan& plan, secure::Pool& pool) {
  RigPlan out;
  out.mode = path::Mode::proxy;
  out.servers = plan.count;
  out.suite = plan.suite;
  out.has_timestamps = plan.has_timestamps;
  out.is_v6 = plan.is_v6;
  out.idle_timeout_ms = plan.idle_timeout_ms;
  out.secure = &pool;
  out.aead = &SealAudit::aead();
  out.adjust = [reads_http = plan.reads_http](path::Services& services) {
    services.list[0].speech = splice::ServerSpeech::tls;
    if (reads_http) services.list[0].http = {.is_read = true, .is_forwarded = false, .max_head_bytes = 1024};
  };
  return out;
}

struct PoolFirst {
  std::unique_ptr<secure::Pool> pool;
};

/// The rig, with a server that speaks TLS.
struct FarRig : PoolFirst, PathRig {
  explicit FarRig(const FarPlan& plan = {})
      : PoolFirst{pool_of(plan.servers, plan.protocols)}, PathRig(rig_plan(plan, *pool)), peer(std::make_unique<TlsPeer>(plan.peer)), plan_(plan) {}
  ~FarRig() { CHECK_FALSE(SealAudit::is_broken()); }

  /// The client is through with TLS; the server was called.
  void call() {
    connect();
    handshake();
  }
  /// What the server's TLS has to say goes out in full segments, as long as it has anything.
  void serve() {
    for (int round = 0; round < 20; ++round) {
      peer->give(Bytes(server.in).subspan(given_));
      given_ = server.in.size();
      if (!greeting.empty() && SSL_is_init_finished(peer->ssl()) == 1) peer->write(std::exchange(greeting, {}));
      const ByteVector said = peer->take();
      if (said.empty()) break;
      const std::size_t at = server.out.size();
      server.out.insert(server.out.end(), said.begin(), said.end());
      for (std::size_t from = at; from < server.out.size(); from += 1400) {
        server_sends(from, std::min<std::size_t>(1400, server.out.size() - from), sim::kAck | sim::kPsh);
      }
    }
    if (!server.has_rst) server_acks();
  }
  void establish_both() {
    call();
    server_answers();
    serve();
    client_acks();
    serve();
    REQUIRE(flow().link == splice::ServerLink::up);
    clear();
  }
  /// The next server begins anew.
  void be(std::uint8_t index, const PeerPlan& with) {
    be_server(index);
    server.out.clear();
    server.has_fin = false;
    server.acked = 0;
    given_ = 0;
    peer = std::make_unique<TlsPeer>(with);
  }
  void client_says(std::string_view text) {
    const std::size_t at = client_writes(text);
    for (std::size_t from = at; from < client.out.size(); from += 1400) client_sends(from, std::min<std::size_t>(1400, client.out.size() - from));
  }
  void server_says(std::string_view text) {
    peer->write(text);
    serve();
  }
  [[nodiscard]] std::uint64_t failures(HandshakeFailure why) const { return const_cast<FarRig*>(this)->path().counters().handshake_failures(static_cast<std::size_t>(why)); }
  [[nodiscard]] std::size_t syns() const {
    return static_cast<std::size_t>(std::count_if(to_server.begin(), to_server.end(), [](const SentPacket& p) { return p.has(sim::kSyn); }));
  }
  /// Nothing is held for flows that are gone (I5).
  void check_empty() {
    wait(30'000'000);
    CHECK(path().live_flows() == 0);
    const path::Holdings h = path().holdings();
    CHECK(h.far_flows == 0);
    CHECK(h.span_blocks == 0);
    CHECK(h.held_segments == 0);
    CHECK(h.custodies == 0);
    CHECK(h.local_senders == 0);
    CHECK(h.handshakes == 0);
    CHECK(h.expanded_keys == 0);
    CHECK(held_chunks() == 0);
  }

  std::unique_ptr<TlsPeer> peer;
  std::string greeting;  // what the server says right behind its handshake

 private:
  FarPlan plan_;
  std::size_t given_ = 0;
};

// Everything that went to the server is TLS records, one behind the other (I4 turned round: nothing in clear on that wire).
void check_only_tls(const ByteVector& stream) {
  std::size_t at = 0;
  while (at < stream.size()) {
    const auto header = record::parse_header(Bytes(stream).subspan(at));
    REQUIRE(header);
    at += header->record_bytes();
  }
  CHECK(at == stream.size());
}

bool contains(const ByteVector& stream, std::string_view text) {
  return std::search(stream.begin(), stream.end(), text.begin(), text.end()) != stream.end();
}

}  // namespace

TEST_CASE("A9, I4: a server that speaks TLS is connected, shaken hands with and believed before anything is said to it, and nothing but TLS goes there") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const std::uint16_t suite : std::initializer_list<std::uint16_t>{0x1301, 0xc02b, 0x1303}) {
      for (const bool is_v6 : {false, true}) {
        FarPlan plan;
        plan.peer.version = version;
        plan.suite = suite;
        plan.is_v6 = plan.has_timestamps = is_v6;
        FarRig rig(plan);
        rig.call();
        REQUIRE(rig.to_server.size() == 1);
        CHECK(rig.to_server[0].segment.flags == sim::kSyn);
        CHECK(rig.to_server[0].segment.source == rig.client.host.address);
        CHECK(rig.to_server[0].segment.source_port == rig.client.port);
        CHECK(rig.to_server[0].segment.options.timestamps.has_value() == is_v6);
        CHECK(rig.flow().link == splice::ServerLink::asked);
        rig.server_answers();
        rig.serve();
        CHECK(rig.flow().link == splice::ServerLink::up);
        REQUIRE(rig.flow().server_suite != nullptr);
        CHECK((rig.flow().server_suite->version == record::Version::tls13) == (version == TLS1_3_VERSION));
        CHECK(std::string(SSL_get_servername(rig.peer->ssl(), TLSEXT_NAMETYPE_host_name)) == "backend.test");
        for (int i = 0; i < 5; ++i) {
          rig.client_says("a question of the client's");
          rig.serve();
          rig.server_says("the answer of the server's");
          rig.client_acks();
        }
        CHECK(rig.peer->got == "a question of the client'sa question of the client'sa question of the client'sa question of the client'sa question of the client's");
        CHECK(rig.client_reads().size() == 5 * 26);
        check_only_tls(rig.server.in);
        CHECK_FALSE(contains(rig.server.in, "question"));
        CHECK(rig.path().server_tls_counters().value(Count::flows_established) == 1);
        CHECK(rig.client.acked == rig.client.out.size());
        CHECK(rig.server.acked == rig.server.out.size());
      }
    }
  }
}

TEST_CASE("A9: a server that cannot be believed is left for another, and with none left the client gets an alert; each reason has its name") {
  static const TestCa stranger("Somebody else");
  struct Row {
    const char* what;
    PeerPlan peer;
    secure::ServerTls servers;
    HandshakeFailure why;
    int alert;  // that the server gets
  };
  const Row rows[] = {
      {"issuer", {.issuer = &stranger}, trusting(), HandshakeFailure::server_untrusted, SSL_AD_UNKNOWN_CA},
      {"expired", {.leaf = {.names = {"backend.test"}, .from_s = -7200, .to_s = -3600}}, trusting(), HandshakeFailure::server_expired, SSL_AD_CERTIFICATE_EXPIRED},
      {"not yet", {.leaf = {.names = {"backend.test"}, .from_s = 3600}}, trusting(), HandshakeFailure::server_expired, SSL_AD_BAD_CERTIFICATE},
      {"name", {.leaf = {.names = {"other.test"}}}, trusting(), HandshakeFailure::server_wrong_name, SSL_AD_BAD_CERTIFICATE},
      {"common name alone", {.leaf = {.common_name = "backend.test"}}, trusting(), HandshakeFailure::server_wrong_name, SSL_AD_BAD_CERTIFICATE},
      {"address", {}, trusting("10.2.0.2"), HandshakeFailure::server_wrong_name, SSL_AD_BAD_CERTIFICATE},
  };
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const Row& row : rows) {
      CAPTURE(row.what);
      CAPTURE(version);
      FarPlan plan;
      plan.peer = row.peer;
      plan.peer.version = version;
      plan.servers = row.servers;
      FarRig rig(plan);
      rig.call();
      rig.client_says("a secret");
      rig.server_answers();
      rig.serve();
      CHECK(rig.failures(row.why) == 1);
      CHECK(rig.count(Reset::server_tls_failed) == 1);
      CHECK(rig.path().server_tls_counters().value(Count::flows_established) == 0);
      CHECK(rig.peer->got.empty());
      ERR_clear_error();
      CHECK(rig.server.has_fin);
      CHECK(rig.client.has_fin);
      rig.tls().read();
      CHECK(rig.tls().alert_received() == SSL_AD_INTERNAL_ERROR);
      rig.client_sends(rig.client.out.size(), 0, sim::kAck | sim::kFin);
      rig.server_sends(rig.server.out.size(), 0, sim::kAck | sim::kFin);
      rig.check_empty();
    }
  }
}

TEST_CASE("A9: without verification any certificate will do, and the one that stands in the CA file needs no issuer") {
  static const TestCa stranger("Somebody else");
  FarPlan plan;
  plan.peer.issuer = &stranger;
  plan.servers = {.verify = secure::ServerVerify::none, .name = {}, .ca_pem = {}, .certificate = {}};
  FarRig rig(plan);
  rig.establish_both();
  CHECK(SSL_get_servername(rig.peer->ssl(), TLSEXT_NAMETYPE_host_name) == nullptr);
}

TEST_CASE("A9: behind a server that cannot be believed the next is asked, and gets everything the client has said") {
  static const TestCa stranger("Somebody else");
  FarPlan plan;
  plan.count = 2;
  plan.peer.issuer = &stranger;
  FarRig rig(plan);
  rig.call();
  rig.client_says("for whoever may hear it");
  const IpAddress first = rig.to_server.back().segment.target;
  rig.be(first == rig.server.host.address ? 0 : 1, plan.peer);
  rig.server_answers();
  rig.serve();
  REQUIRE(rig.syns() == 2);
  const IpAddress second = rig.to_server.back().segment.target;
  CHECK(second != first);
  rig.be(first.bytes[15] == 2 ? 1 : 0, PeerPlan{});
  rig.server.host.address = second;
  rig.server_answers();
  rig.serve();
  CHECK(rig.peer->got == "for whoever may hear it");
  CHECK(rig.failures(HandshakeFailure::server_untrusted) == 1);
  CHECK(rig.count(Count::flows_moved) == 1);
  CHECK_FALSE(rig.client.has_fin);
}

TEST_CASE("A9: a server that refuses, or resets while hands are shaken, is no other than one in clear: 502, or an alert") {
  for (const bool is_late : {false, true}) {
    FarRig rig;
    rig.call();
    if (is_late) {
      rig.server_answers();
      rig.server_sends(0, 0, sim::kRst | sim::kAck);
    } else {
      sim::Segment refusal = rig.server.syn(sim::kRst | sim::kAck);
      refusal.ack = rig.client.isn + 1U;
      refusal.seq = 0;
      rig.send(Side::server, refusal);
    }
    CHECK(rig.count(Reset::server_refused) == 1);
    CHECK(rig.client.has_fin);
    rig.client_sends(rig.client.out.size(), 0, sim::kAck | sim::kFin);
    rig.check_empty();
  }
}

TEST_CASE("A9: a server that says nothing is given up, and asked no more") {
  for (const bool has_answered : {false, true}) {
    FarRig rig;
    rig.call();
    if (has_answered) rig.server_answers();
    rig.wait(8'000'000);
    CHECK(rig.count(Reset::server_unreachable) == 1);
    CHECK(rig.server.has_rst);
    rig.client_sends(rig.client.out.size(), 0, sim::kAck | sim::kFin);
    rig.check_empty();
  }
}

TEST_CASE("A16, I6: a server's close_notify is a clean end to the client; a FIN without one, and a reset, never are") {
  enum class End { close_notify, bare_fin, fin_in_record, reset, fatal_alert };
  for (const End end : {End::close_notify, End::bare_fin, End::fin_in_record, End::reset, End::fatal_alert}) {
    CAPTURE(static_cast<int>(end));
    FarRig rig;
    rig.establish_both();
    rig.client_says("question");
    rig.serve();
    rig.server_says("answer");
    rig.client_acks();
    CHECK(rig.client_reads() == "answer");
    if (end == End::close_notify) SSL_shutdown(rig.peer->ssl());
    if (end == End::fin_in_record) rig.peer->write("cut");
    if (end == End::fatal_alert) {
      const ByteVector junk{23, 3, 3, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
      rig.peer->give(junk);  // it answers with bad_record_mac
    }
    const ByteVector last = rig.peer->take();
    const std::size_t at = rig.server.out.size();
    rig.server.out.insert(rig.server.out.end(), last.begin(), last.end());
    const std::size_t bytes = end == End::fin_in_record ? last.size() - 3 : last.size();
    if (end == End::reset) rig.server_sends(at, 0, sim::kRst | sim::kAck);
    else if (end == End::fatal_alert) rig.server_sends(at, bytes);
    else rig.server_sends(at, bytes, sim::kAck | sim::kFin);
    rig.client_acks();
    if (end == End::close_notify) {
      CHECK(rig.client.has_fin);
      CHECK_FALSE(rig.client.has_rst);
      rig.tls().read();
      CHECK((SSL_get_shutdown(rig.tls().ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);
      SSL_shutdown(rig.tls().ssl());
      const std::size_t bye = rig.take_client_tls();
      rig.client_sends(bye, rig.client.out.size() - bye, sim::kAck | sim::kFin);
      rig.serve();
      CHECK(rig.server.has_fin);
      CHECK_FALSE(rig.server.has_rst);
      CHECK(rig.peer->has_close_notify());
    } else {
      CHECK(rig.client.has_rst);
      CHECK_FALSE(rig.client.has_fin);
    }
    rig.check_empty();
  }
}

TEST_CASE("A16: a service may take a server's bare FIN for an end, but never inside a record") {
  FarPlan plan;
  const auto forwarding = [&plan](bool is_cut) {
    auto pool = pool_of(plan.servers, {});
    RigPlan with = rig_plan(plan, *pool);
    with.adjust = [](path::Services& services) {
      services.list[0].speech = splice::ServerSpeech::tls;
      services.list[0].server_truncation_forward = true;
    };
    PathRig rig(with);
    TlsPeer peer({});
    rig.connect();
    rig.handshake();
    rig.server_answers();
    std::size_t given = 0;
    const auto serve = [&] {
      for (int i = 0; i < 10; ++i) {
        peer.give(Bytes(rig.server.in).subspan(given));
        given = rig.server.in.size();
        const ByteVector said = peer.take();
        const std::size_t at = rig.server.out.size();
        rig.server.out.insert(rig.server.out.end(), said.begin(), said.end());
        for (std::size_t from = at; from < rig.server.out.size(); from += 1400) rig.server_sends(from, std::min<std::size_t>(1400, rig.server.out.size() - from));
      }
    };
    serve();
    peer.write("the end");
    const ByteVector last = peer.take();
    const std::size_t at = rig.server.out.size();
    rig.server.out.insert(rig.server.out.end(), last.begin(), last.end());
    rig.server_sends(at, last.size() - (is_cut ? 3U : 0U), sim::kAck | sim::kFin);
    rig.client_acks();
    CHECK(rig.client.has_fin == !is_cut);
    CHECK(rig.client.has_rst == is_cut);
  };
  forwarding(false);
  forwarding(true);
}

TEST_CASE("A16: the client's end is the server's: close_notify and FIN; its reset is a reset") {
  for (const bool is_reset : {false, true}) {
    FarRig rig;
    rig.establish_both();
    rig.client_says("question");
    rig.serve();
    if (is_reset) {
      rig.client_sends(rig.client.out.size(), 0, sim::kRst | sim::kAck);
      CHECK(rig.server.has_rst);
      rig.check_empty();
      continue;
    }
    SSL_shutdown(rig.tls().ssl());
    const std::size_t bye = rig.take_client_tls();
    rig.client_sends(bye, rig.client.out.size() - bye, sim::kAck | sim::kFin);
    rig.serve();
    CHECK(rig.peer->has_close_notify());
    CHECK(rig.server.has_fin);
    CHECK_FALSE(rig.server.has_rst);
    SSL_shutdown(rig.peer->ssl());
    const ByteVector last = rig.peer->take();
    const std::size_t at = rig.server.out.size();
    rig.server.out.insert(rig.server.out.end(), last.begin(), last.end());
    rig.server_sends(at, last.size(), sim::kAck | sim::kFin);
    rig.client_acks();
    CHECK(rig.client.has_fin);
    CHECK_FALSE(rig.client.has_rst);
    rig.server_acks();
    rig.check_empty();
  }
}

TEST_CASE("A11, A12: records of 16 kB from the server are in custody until their tag is right, and reach the client byte for byte") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    FarPlan plan;
    plan.peer.version = version;
    FarRig rig(plan);
    rig.establish_both();
    const std::string text = PathRig::pattern(100'000);
    std::string got;
    rig.peer->write(text);
    const ByteVector said = rig.peer->take();
    const std::size_t at = rig.server.out.size();
    rig.server.out.insert(rig.server.out.end(), said.begin(), said.end());
    const std::size_t shown = rig.client.in.size();
    for (std::size_t sent = 0; sent < 16'000; sent += 1400) rig.server_sends(at + sent, std::min<std::size_t>(1400, 16'000 - sent));
    CHECK(rig.client.in.size() == shown);  // not a byte before the record's tag
    for (std::size_t from = at + 16'000; from < rig.server.out.size(); from += 1400) {
      rig.server_sends(from, std::min<std::size_t>(1400, rig.server.out.size() - from));
      rig.client_acks();
      got += rig.client_reads();
    }
    for (int i = 0; i < 20; ++i) rig.client_acks(), got += rig.client_reads();
    CHECK(got == text);
    CHECK(rig.path().server_tls_counters().value(Count::custody_entered) >= 1);
    CHECK(rig.server.acked == rig.server.out.size());
  }
}

TEST_CASE("A14: a server in TLS that has much to say right behind its handshake, to a client with a small window: it all arrives, within the window") {
  for (const auto& [version, window] : {std::pair{TLS1_2_VERSION, 400U}, std::pair{TLS1_2_VERSION, 800U}, std::pair{TLS1_3_VERSION, 800U}}) {
    CAPTURE(version);
    CAPTURE(window);
    FarPlan plan;
    plan.peer.version = version;
    FarRig rig(plan);
    rig.greeting = PathRig::pattern(1260);
    rig.call();
    rig.client.window_bytes = window;
    rig.client_acks();
    rig.server_answers();
    rig.serve();
    rig.client_acks();
    rig.serve();
    REQUIRE(rig.flow().link == splice::ServerLink::up);
    const std::string text = PathRig::pattern(1260);
    std::string got = rig.client_reads();
    for (int i = 0; i < 200 && got.size() < text.size(); ++i) {
      rig.client_acks();
      rig.serve();
      rig.wait(300'000);
      got += rig.client_reads();
    }
    CHECK(got.size() == text.size());
    CHECK((got == text));
    CHECK(rig.count(Drop::window_exceeded) == 0);
  }
}

TEST_CASE("A12: a byte of the server's that was changed on the way is an end without a byte of its record, and a reset for the client") {
  FarRig rig;
  rig.establish_both();
  rig.peer->write(PathRig::pattern(5000));
  ByteVector said = rig.peer->take();
  said[2000] ^= 1;
  const std::size_t at = rig.server.out.size();
  rig.server.out.insert(rig.server.out.end(), said.begin(), said.end());
  for (std::size_t from = at; from < rig.server.out.size(); from += 1400) rig.server_sends(from, std::min<std::size_t>(1400, rig.server.out.size() - from));
  CHECK(rig.client_reads().empty());
  CHECK(rig.client.has_rst);
  CHECK_FALSE(rig.client.has_fin);
  CHECK(rig.path().server_tls_counters().value(Reset::bad_tag) == 1);
}

TEST_CASE("H10: a server's tickets are passed over and its KeyUpdate is answered, in cut-through and in custody") {
  FarPlan plan;
  plan.peer.tickets = 16;
  FarRig rig(plan);
  rig.establish_both();
  CHECK(rig.client_reads().empty());
  for (int i = 0; i < 3; ++i) {
    SSL_key_update(rig.peer->ssl(), SSL_KEY_UPDATE_REQUESTED);
    rig.server_says("under the next key");
    rig.client_acks();
    rig.client_says("heard");
    rig.serve();
    rig.client_acks();
  }
  CHECK(rig.client_reads().size() == 3 * 18);
  CHECK(rig.peer->got == "heardheardheard");
  CHECK(rig.path().server_tls_counters().value(Count::key_updates_received) == 3);
  CHECK(rig.path().server_tls_counters().value(Count::key_updates_sent) == 3);
}

TEST_CASE("I1, A15: what is lost on its way to the server is sent again by its client, and arrives as the very same record") {
  FarRig rig;
  rig.establish_both();
  const std::size_t at = rig.client_writes("once more");
  const std::size_t bytes = rig.client.out.size() - at;
  rig.lose(Side::server, 1);
  rig.client_sends(at, bytes);
  REQUIRE(rig.to_server.size() == 1);
  CHECK(rig.client.acked == at);  // nobody but the server may acknowledge it
  rig.client_sends(at, bytes);
  REQUIRE(rig.to_server.size() >= 2);
  const sim::Segment& first = rig.to_server[0].segment;
  const sim::Segment& second = rig.to_server[1].segment;
  CHECK(first.seq == second.seq);
  CHECK(ByteVector(first.payload.begin(), first.payload.end()) == ByteVector(second.payload.begin(), second.payload.end()));
  rig.serve();
  CHECK(rig.peer->got == "once more");
  CHECK(rig.client.acked == rig.client.out.size());
}

TEST_CASE("I6: nothing in clear from the servers' wire is taken for what a server said, before, during and after its TLS") {
  FarRig rig;
  rig.establish_both();
  sim::Segment forged = rig.server.segment(rig.server.out.size(), 0);
  const std::string lie = "HTTP/1.1 200 OK\r\n\r\n";
  forged.payload = Bytes(reinterpret_cast<const std::uint8_t*>(lie.data()), lie.size());
  const std::size_t shown = rig.client.in.size();
  rig.send(Side::server, forged);
  rig.client_acks();
  CHECK(rig.client_reads().empty());
  CHECK(rig.client.in.size() >= shown);

  FarRig late;
  late.establish_both();
  late.server_sends(late.server.out.size(), 0, sim::kRst | sim::kAck);
  late.clear();
  forged.seq = late.server.seq_at(late.server.out.size());
  late.send(Side::server, forged);
  CHECK(late.to_client.empty());
}

TEST_CASE("A9: a server that wants a certificate of us gets it; without one its alert ends the connection") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    for (const bool has_certificate : {true, false}) {
      FarPlan plan;
      plan.peer.version = version;
      plan.peer.wants_certificate = true;
      static const secure::test::Leaf ours = backend_ca().issue({.common_name = "cutwater", .names = {"cutwater"}});
      if (has_certificate) plan.servers.certificate = {ours.pem("cutwater")};
      FarRig rig(plan);
      rig.call();
      rig.client_says("who am I?");
      rig.server_answers();
      rig.serve();
      ERR_clear_error();
      CHECK((rig.peer->got == "who am I?") == has_certificate);
      CHECK((rig.client.has_rst || rig.client.has_fin) == !has_certificate);
      if (!has_certificate && version == TLS1_2_VERSION) CHECK(rig.failures(HandshakeFailure::server_alert) == 1);
    }
  }
}

TEST_CASE("A9: the server has to speak what the client has agreed on") {
  struct Row {
    std::vector<std::string> client, server;
    bool is_good;
  };
  const Row rows[] = {{{"h2"}, {"h2"}, true}, {{"h2"}, {}, false}, {{"http/1.1"}, {"http/1.1"}, true}, {{"http/1.1"}, {}, true}, {{}, {"h2"}, true}};
  for (const Row& row : rows) {
    FarPlan plan;
    plan.protocols = row.client;
    plan.peer.protocols = row.server;
    FarRig rig(plan);
    ByteVector list;
    for (const std::string& protocol : row.client) {
      list.push_back(static_cast<std::uint8_t>(protocol.size()));
      list.insert(list.end(), protocol.begin(), protocol.end());
    }
    if (!list.empty()) SSL_set_alpn_protos(rig.tls().ssl(), list.data(), static_cast<unsigned>(list.size()));
    rig.call();
    rig.server_answers();
    rig.serve();
    CHECK((rig.flow().link == splice::ServerLink::up) == row.is_good);
    CHECK(rig.failures(HandshakeFailure::server_wrong_protocol) == (row.is_good ? 0U : 1U));
  }
}

TEST_CASE("A9: an idle connection ends on all three sides together") {
  FarPlan plan;
  plan.idle_timeout_ms = 2000;
  FarRig rig(plan);
  rig.establish_both();
  rig.wait(2'500'000);
  CHECK(rig.client.has_rst);
  CHECK(rig.server.has_rst);
  CHECK(rig.count(Reset::idle_timeout) == 1);
  rig.check_empty();
}

TEST_CASE("A10: requests that are read go to servers in TLS as well, and a server that cannot be believed is a 502") {
  for (const bool is_right : {true, false}) {
    FarPlan plan;
    plan.reads_http = true;
    if (!is_right) plan.peer.leaf.names = {"other.test"};
    FarRig rig(plan);
    rig.call();
    rig.client_acks();
    for (int i = 0; i < 3; ++i) {
      rig.client_says("GET /" + std::to_string(i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
      if (i == 0) rig.server_answers();
      rig.serve();
      if (!is_right) break;
      rig.server_says("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      rig.client_acks();
    }
    const std::string got = rig.client_reads();
    if (is_right) {
      CHECK(got.size() == 3 * 40);
      CHECK(rig.peer->got.find("GET /2 HTTP/1.1") != std::string::npos);
      CHECK(rig.flow().requests == 3);
    } else {
      CHECK(got.starts_with("HTTP/1.1 502 Bad Gateway"));
    }
  }
}

TEST_CASE("I1-I6: whatever is lost on either side, both streams arrive whole and in order, and no nonce is used twice") {
  constexpr std::size_t kBytes = 60'000;
  for (std::uint32_t seed = 1; seed <= 12; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    FarPlan plan;
    plan.has_timestamps = seed % 2 == 0;
    plan.peer.version = seed % 3 == 0 ? TLS1_2_VERSION : TLS1_3_VERSION;
    plan.suite = seed % 4 == 1 ? 0xc02b : 0x1301;
    FarRig rig(plan);
    rig.establish_both();
    const std::string up = PathRig::pattern(kBytes, 1), down = PathRig::pattern(kBytes, 5);
    for (std::size_t at = 0; at < kBytes;) {
      const std::size_t n = std::min<std::size_t>(1 + random() % 9000, kBytes - at);
      rig.client_writes(std::string_view(up).substr(at, n));
      at += n;
    }
    for (std::size_t at = 0; at < kBytes;) {
      const std::size_t n = std::min<std::size_t>(1 + random() % 9000, kBytes - at);
      rig.peer->write(std::string_view(down).substr(at, n));
      at += n;
    }
    const ByteVector said = rig.peer->take();
    rig.server.out.insert(rig.server.out.end(), said.begin(), said.end());
    std::string got;
    std::size_t given = 0;
    const std::size_t before = rig.server.in.size();
    given = before;
    for (int round = 0; round < 4000 && (got.size() < kBytes || rig.peer->got.size() < kBytes); ++round) {
      if (random() % 10 < 2) rig.lose(Side::server, 1);
      if (random() % 10 < 2) rig.lose(Side::client, 1);
      ScriptedEnd& end = round % 2 == 0 ? rig.client : rig.server;
      std::size_t from = end.acked;
      for (int i = 0; i < 8; ++i) {
        const std::size_t limit = std::min(end.out.size(), std::max(end.window_end, end.acked));
        const std::size_t n = from < limit ? std::min<std::size_t>(1 + random() % 1400, limit - from) : 0;
        if (random() % 10 >= 2) {
          if (round % 2 == 0) rig.client_sends(from, n);
          else rig.server_sends(from, n);
        }
        from += n;
      }
      rig.wait(20'000);
      got += rig.client_reads();
      rig.peer->give(Bytes(rig.server.in).subspan(given));
      given = rig.server.in.size();
      REQUIRE_FALSE(rig.client.has_rst);
      REQUIRE_FALSE(rig.server.has_rst);
      rig.clear();
    }
    CHECK(got == down);
    CHECK(rig.peer->got == up);
    CHECK_FALSE(rig.client.is_contradicted);
    CHECK_FALSE(rig.server.is_contradicted);
    check_only_tls(rig.server.in);
  }
}
