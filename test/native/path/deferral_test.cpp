// Deferred handshakes through the whole path, towards a real TLS client and with a real processor behind: nobody works for a client
// before its secret is there, whatever the cut and the losses, and what never continues is bounded and goes.
#include <doctest/doctest.h>

#include "secure/first_flight.hpp"
#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using namespace cutwater::secure::test;
using path::Side;

namespace {

const TestCa& issuer() {
  static const TestCa ca("Issuer");
  return ca;
}

secure::ServiceTls legacy_shop() {
  secure::ServiceTls service = shop(KeyType::rsa);
  service.legacy_rsa_key_exchange = true;
  return service;
}

secure::ServiceTls asking_shop() {
  secure::ServiceTls service = legacy_shop();
  service.client_auth = secure::ClientAuth::required;
  service.client_ca_pem = issuer().pem();
  return service;
}

/// A processor with that service, and a rig whose path has its templates.
struct LegacyRig {
  explicit LegacyRig(const secure::ServiceTls& service, RigPlan plan = {}) : LegacyRig(service, service, std::move(plan)) {}
  LegacyRig(const secure::ServiceTls& of_path, const secure::ServiceTls& of_processor, RigPlan plan)
      : pool({.threads = 0, .clock = [this] { return current == nullptr ? Tick{1'000'000} : current->now(); }}) {
    REQUIRE(pool.configure(0, of_processor).empty());
    plan.suite = 0x009c;
    plan.secure = &pool;
    plan.adjust = [of_path](path::Services& services) {
      for (path::Service& service : services.list) service.hello.rsa_flights = secure::first_flights(of_path);
    };
    again(plan);
  }
  /// Another client, the same processor.
  void again(RigPlan plan) {
    current = nullptr;
    rig.reset();
    used = std::move(plan);
    rig = std::make_unique<PathRig>(used);
    current = rig.get();
  }

  /// What the client's TLS has to say now, in pieces.
  std::size_t say(std::size_t piece = 1400) {
    rig->tls().step();
    const std::size_t begin = rig->take_client_tls();
    for (std::size_t at = begin; at < rig->client.out.size(); at += piece) rig->client_sends(at, std::min(piece, rig->client.out.size() - at));
    return begin;
  }
  [[nodiscard]] std::uint64_t failures(secure::HandshakeFailure why) const {
    return rig->path().counters().handshake_failures(static_cast<std::size_t>(why));
  }
  /// Nobody has worked for any client.
  [[nodiscard]] bool is_untouched() const {
    const secure::PoolStats stats = pool.stats();
    return stats.alive == 0 && stats.handshakes == 0 && stats.failed == 0;
  }

  PathRig* current = nullptr;  // whose clock the processor reads
  secure::Pool pool;
  RigPlan used;
  std::unique_ptr<PathRig> rig;
};

void check_data(PathRig& rig) {
  REQUIRE(rig.flow().state == splice::FlowState::established);
  const std::size_t at = rig.client_writes("there");
  rig.client_sends(at, rig.client.out.size() - at);
  CHECK(rig.server_got() == "there");
  rig.server_sends(rig.server_writes("and back"), 8);
  CHECK(rig.client_reads() == "and back");
  rig.server_acks();
  rig.client_acks();
  CHECK(rig.held_chunks() == 0);
  CHECK_FALSE(rig.client.is_contradicted);
}

void show_certificate(PathRig& rig) {
  static const Leaf leaf = issuer().issue({.common_name = "me"});
  SSL_use_certificate(rig.tls().ssl(), leaf.certificate.get());
  SSL_use_PrivateKey(rig.tls().ssl(), leaf.key.get());
}

}  // namespace

TEST_CASE("H3, H4: no processor hears of a client before its secret is there; then one call makes the handshake") {
  for (const bool asks : {false, true}) {
    for (const path::Mode mode : {path::Mode::direct, path::Mode::proxy}) {
      CAPTURE(asks);
      CAPTURE(mode == path::Mode::proxy);
      LegacyRig legacy(asks ? asking_shop() : legacy_shop(), {.mode = mode});
      PathRig& rig = *legacy.rig;
      if (asks) show_certificate(rig);
      rig.connect();
      legacy.say();
      CHECK(rig.count(Count::hellos_deferred) == 1);
      CHECK(rig.client.in.size() > 500);  // ServerHello, Certificate, ServerHelloDone
      CHECK(legacy.is_untouched());
      CHECK(rig.path().hello_load().blocks == 1);
      CHECK(rig.path().holdings().handshakes == 0);
      rig.client_acks();
      CHECK(legacy.is_untouched());
      legacy.say();
      CHECK(rig.count(Count::replies_handed_over) == 1);
      CHECK(legacy.pool.stats().handshakes == 1);
      CHECK(legacy.pool.stats().alive == 0);
      rig.client_acks();
      CHECK(rig.tls().step());
      if (mode == path::Mode::proxy) rig.server_answers();
      check_data(rig);
    }
  }
}

TEST_CASE("H4: hello and reply cut at every byte, and into single bytes, give the same handshake") {
  for (const bool asks : {false, true}) {
    CAPTURE(asks);
    LegacyRig legacy(asks ? asking_shop() : legacy_shop());
    const RigPlan plan = legacy.used;
    std::size_t hello_bytes = 0, reply_bytes = 0;
    const auto run = [&](std::size_t cut, std::size_t piece) {
      legacy.again(plan);
      PathRig& rig = *legacy.rig;
      if (asks) show_certificate(rig);
      rig.connect();
      std::size_t said = 0;
      for (int round = 0; round < 2; ++round) {
        rig.tls().step();
        const std::size_t begin = rig.take_client_tls(), end = rig.client.out.size();
        (round == 0 ? hello_bytes : reply_bytes) = end - begin;
        for (std::size_t at = begin; at < end;) {
          std::size_t next = std::min(end, at + piece);
          if (said < cut && cut - said < end - begin && at < begin + (cut - said)) next = std::min(next, begin + (cut - said));
          rig.client_sends(at, next - at);
          at = next;
        }
        said += end - begin;
        rig.client_acks();
      }
      CHECK(rig.tls().step());
      REQUIRE(rig.flow().state == splice::FlowState::established);
      CHECK(rig.count(Count::hellos_deferred) == 1);
      CHECK(rig.count(Count::replies_handed_over) == 1);
    };
    run(0, 1);
    run(0, 37);
    const std::size_t all = hello_bytes + reply_bytes;
    for (std::size_t cut = 1; cut < all; cut += asks ? 41 : 1) {
      CAPTURE(cut);
      run(cut, 1400);
    }
    check_data(*legacy.rig);
  }
}

TEST_CASE("H4: a reply whose segments come in the wrong order") {
  LegacyRig legacy(asking_shop());
  PathRig& rig = *legacy.rig;
  show_certificate(rig);
  rig.connect();
  legacy.say();
  rig.tls().step();
  const std::size_t begin = rig.take_client_tls(), half = (rig.client.out.size() - begin) / 2;
  rig.client_sends(begin + half, rig.client.out.size() - begin - half);
  CHECK(legacy.is_untouched());
  rig.client_sends(begin, half);
  rig.client_acks();
  CHECK(rig.tls().step());
  check_data(rig);
}

TEST_CASE("H3: a flight that is lost, in whole or in part, is sent again from the template, the same bytes") {
  for (std::size_t lost = 1; lost <= 4; ++lost) {
    CAPTURE(lost);
    LegacyRig legacy(legacy_shop(), {.client_mss = 140});
    PathRig& rig = *legacy.rig;
    rig.connect();
    rig.lose(Side::client, lost);
    legacy.say();
    CHECK(rig.client.in.empty());
    rig.wait(2'000'000);
    for (int i = 0; i < 4; ++i) rig.client_acks();
    rig.wait(2'000'000);
    CHECK(rig.count(Count::local_resent) > 0);
    CHECK(legacy.is_untouched());
    legacy.say();
    rig.client_acks();
    CHECK(rig.tls().step());
    check_data(rig);
  }
}

TEST_CASE("H3: three duplicate acknowledgements fetch what is missing, before any timer") {
  LegacyRig legacy(legacy_shop(), {.client_mss = 100});
  PathRig& rig = *legacy.rig;
  rig.connect();
  rig.lose(Side::client, 1);
  legacy.say();
  CHECK(rig.client.in.empty());
  CHECK(rig.count(Count::local_resent) == 0);
  for (int i = 0; i < 3; ++i) rig.client_acks();
  CHECK(rig.count(Count::local_resent) == 1);
  CHECK(rig.client.in.size() > 500);
  legacy.say();
  CHECK(rig.tls().step());
}

TEST_CASE("H3: a hello that comes again gets the same bytes again, and no second record, block or flight") {
  LegacyRig legacy(legacy_shop());
  PathRig& rig = *legacy.rig;
  rig.connect();
  legacy.say();
  const std::size_t hello_bytes = rig.client.out.size(), got = rig.client.in.size();
  for (int i = 0; i < 3; ++i) rig.client_sends(0, hello_bytes);  // its acknowledgement says that it has all of it: nothing comes
  CHECK(rig.client.in.size() == got);
  rig.clear();
  sim::Segment again = rig.client.segment(0, hello_bytes);
  again.ack = rig.client.peer_isn + 1U;
  LegacyRig fresh(legacy_shop());
  fresh.rig->connect();
  fresh.rig->lose(Side::client, 1);
  fresh.say();
  fresh.rig->clear();
  fresh.rig->client_sends(0, fresh.rig->client.out.size());
  fresh.rig->client_sends(0, fresh.rig->client.out.size());
  CHECK_FALSE(fresh.rig->client.is_contradicted);
  CHECK(fresh.rig->client.in.size() == got);
  CHECK(fresh.rig->count(Count::hellos_deferred) == 1);
  CHECK(fresh.rig->path().hello_load().blocks == 1);
  CHECK(fresh.is_untouched());
}

TEST_CASE("H3: a client with a small window gets its flight in pieces, one with none is probed") {
  for (const std::uint32_t window : {100U, 500U}) {
    CAPTURE(window);
    LegacyRig legacy(legacy_shop(), {.client_window_bytes = window, .window_scale = 0});
    PathRig& rig = *legacy.rig;
    rig.connect();
    legacy.say();
    CHECK(rig.client.in.size() <= window);
    for (int i = 0; i < 20; ++i) rig.client_acks();
    CHECK(rig.client.in.size() > 500);
    CHECK(legacy.is_untouched());
    rig.client.window_bytes = 1U << 15;
    legacy.say();
    rig.client_acks();
    CHECK(rig.tls().step());
  }
  LegacyRig legacy(legacy_shop(), {.client_window_bytes = 0, .window_scale = 0});
  legacy.rig->connect();
  legacy.say();
  CHECK(legacy.rig->client.in.empty());
  legacy.rig->wait(1'000'000);
  CHECK(legacy.rig->client.in.size() >= 1);
}

TEST_CASE("H8: a deferred client that never continues costs a record and a block, and goes by age; nobody ever worked for it") {
  LegacyRig legacy(legacy_shop());
  PathRig& rig = *legacy.rig;
  rig.connect();
  legacy.say();
  CHECK(rig.path().live_flows() == 1);
  rig.wait(10'100'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.count(Reset::handshake_timeout) == 1);
  CHECK(rig.server.has_rst);
  CHECK(rig.client.has_rst);
  CHECK(rig.held_chunks() == 0);
  CHECK(rig.path().hello_load().blocks == 0);
  CHECK(legacy.is_untouched());
}

TEST_CASE("H8: deferred clients beyond the blocks make the oldest go, not the processors work") {
  LegacyRig legacy(legacy_shop(), {.max_flows = 64, .max_half_open = 64, .blocks = {.answers = 4, .hellos = 8, .long_hellos = 1}});
  PathRig& rig = *legacy.rig;
  for (std::uint16_t i = 0; i < 40; ++i) {
    sim::Segment syn = rig.client.syn(sim::kSyn), answer = rig.server.syn(sim::kSyn | sim::kAck);
    if (i == 0) {
      rig.connect();
      legacy.say();
      continue;
    }
    const auto port = static_cast<std::uint16_t>(40'000 + i);
    syn.source_port = answer.target_port = port;
    rig.send(Side::client, syn);
    rig.send(Side::server, answer);
    sim::Segment hello = rig.client.segment(0, rig.client.out.size());
    hello.source_port = port;
    hello.ack = rig.server.isn + 1U;
    rig.send(Side::client, hello);
  }
  CHECK(rig.count(Count::hellos_deferred) == 40);
  CHECK(rig.path().hello_load().blocks <= 9);
  CHECK(rig.count(Reset::half_open_reaped) >= 31);
  CHECK(legacy.is_untouched());
}

TEST_CASE("H4: a reply without a hello is refused, and no processor hears of it") {
  LegacyRig donor(legacy_shop());
  donor.rig->connect();
  donor.say();
  const std::size_t begin = donor.say();
  const ByteVector reply(donor.rig->client.out.begin() + static_cast<std::ptrdiff_t>(begin), donor.rig->client.out.end());
  LegacyRig legacy(legacy_shop());
  PathRig& rig = *legacy.rig;
  rig.connect();
  rig.client.out = reply;
  rig.client_sends(0, reply.size());
  CHECK(legacy.is_untouched());
  CHECK(legacy.failures(secure::HandshakeFailure::bad_hello) == 1);
  CHECK(rig.client.has_fin);
}

TEST_CASE("H4: a recorded reply does not fit another flight: no two have the same random") {
  LegacyRig legacy(legacy_shop());
  PathRig& rig = *legacy.rig;
  rig.connect();
  legacy.say();
  const std::size_t begin = legacy.say();
  const ByteVector whole = rig.client.out, first_flight(rig.client.in.begin(), rig.client.in.begin() + 76);
  REQUIRE(rig.flow().state == splice::FlowState::established);
  // The same path, the same hello from another port, then the same reply.
  sim::Segment syn = rig.client.syn(sim::kSyn), answer = rig.server.syn(sim::kSyn | sim::kAck);
  syn.source_port = answer.target_port = 41'000;
  rig.clear();
  rig.send(Side::client, syn);
  rig.send(Side::server, answer);
  sim::Segment hello = rig.client.segment(0, begin);
  hello.source_port = 41'000;
  hello.ack = rig.server.isn + 1U;
  rig.clear();
  rig.send(Side::client, hello);
  REQUIRE_FALSE(rig.to_client.empty());
  std::uint32_t flight_bytes = 0;
  for (const SentPacket& sent : rig.to_client) flight_bytes += static_cast<std::uint32_t>(sent.payload_bytes());
  CHECK_FALSE(std::equal(first_flight.begin() + 11, first_flight.begin() + 35, rig.to_client.front().segment.payload.begin() + 11));
  sim::Segment reply = rig.client.segment(begin, whole.size() - begin);
  reply.source_port = 41'000;
  reply.ack = rig.server.isn + 1U + flight_bytes;
  rig.send(Side::client, reply);
  CHECK(legacy.failures(secure::HandshakeFailure::bad_record) == 1);
  CHECK(legacy.pool.stats().handshakes == 1);
}

TEST_CASE("H4: a reply with any part falsified gets the answer that OpenSSL gives, and nothing reaches the server") {
  for (const std::size_t back : {std::size_t{1}, std::size_t{20}, std::size_t{39}, std::size_t{60}, std::size_t{200}, std::size_t{300}}) {
    CAPTURE(back);
    LegacyRig legacy(legacy_shop());
    PathRig& rig = *legacy.rig;
    rig.connect();
    legacy.say();
    rig.tls().step();
    const std::size_t begin = rig.take_client_tls();
    rig.client.out[rig.client.out.size() - back] ^= 1;
    rig.client_sends(begin, rig.client.out.size() - begin);
    CHECK(legacy.failures(secure::HandshakeFailure::bad_record) == 1);
    CHECK(legacy.pool.stats().failed == 1);
    CHECK(rig.client.in.back() == SSL_AD_BAD_RECORD_MAC);
    CHECK(rig.server.in.empty());
    CHECK(rig.server.has_rst);
  }
}

TEST_CASE("H4: what cannot be a reply is refused by the path itself") {
  struct Row {
    const char* name;
    ByteVector bytes;
    int alert;
  };
  const Row rows[] = {
      {"a certificate that was not asked for", {22, 3, 3, 0, 7, 11, 0, 0, 3, 0, 0, 0}, 10},
      {"a second hello", {22, 3, 3, 0, 4, 1, 0, 0, 40}, 10},
      {"a Finished first", {22, 3, 3, 0, 4, 20, 0, 0, 12}, 10},
      {"change_cipher_spec first", {20, 3, 3, 0, 1, 1}, 10},
      {"application data", {23, 3, 3, 0, 3, 1, 2, 3}, 10},
      {"no TLS", {'G', 'E', 'T', ' ', '/'}, 10},
      {"a secret of 16 MB", {22, 3, 3, 0, 4, 16, 0xff, 0xff, 0xff}, 50},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    LegacyRig legacy(legacy_shop());
    PathRig& rig = *legacy.rig;
    rig.connect();
    legacy.say();
    rig.client_acks();
    const std::size_t at = rig.client.out.size();
    rig.client.out.insert(rig.client.out.end(), row.bytes.begin(), row.bytes.end());
    rig.client_sends(at, row.bytes.size());
    CHECK(rig.client.has_fin);
    CHECK(rig.client.in.back() == row.alert);
    CHECK(rig.count(Reset::handshake_failed) == 1);
    CHECK(legacy.is_untouched());
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("H4: a whole reply of a client that has not acknowledged its flight is refused") {
  LegacyRig legacy(legacy_shop());
  PathRig& rig = *legacy.rig;
  rig.connect();
  legacy.say();
  rig.tls().step();
  const std::size_t begin = rig.take_client_tls();
  sim::Segment early = rig.client.segment(begin, rig.client.out.size() - begin);
  early.ack -= 1;
  rig.send(Side::client, early);
  CHECK(legacy.is_untouched());
  CHECK(legacy.failures(secure::HandshakeFailure::bad_record) == 1);
}

TEST_CASE("H4: a client that does not like what it was given says so or goes; nobody works for it") {
  LegacyRig legacy(legacy_shop());
  PathRig& rig = *legacy.rig;
  rig.connect();
  legacy.say();
  const std::size_t at = rig.client.out.size();
  const ByteVector unknown_ca{21, 3, 3, 0, 2, 2, 48};
  rig.client.out.insert(rig.client.out.end(), unknown_ca.begin(), unknown_ca.end());
  rig.client_sends(at, unknown_ca.size());
  CHECK(legacy.failures(secure::HandshakeFailure::client_alert) == 1);
  CHECK(rig.path().failures()[0] != nullptr);
  CHECK(rig.path().live_flows() == 0);
  CHECK(legacy.is_untouched());
  legacy.again(legacy.used);
  legacy.rig->connect();
  legacy.say();
  legacy.rig->client_sends(legacy.rig->client.out.size(), 0, sim::kAck | sim::kFin);
  CHECK(legacy.rig->path().live_flows() == 0);
  CHECK(legacy.rig->count(Reset::truncated) == 1);
  CHECK(legacy.is_untouched());
}

TEST_CASE("H5: a template that is not what the processor would have said fails closed, under a reason of its own") {
  const secure::ServiceTls service = legacy_shop();
  secure::ServiceTls renewed = service;
  renewed.certificates = {server_ca().issue({.type = KeyType::rsa, .common_name = "new", .names = {"shop.test"}}).pem("new")};
  LegacyRig legacy(service, renewed, {});
  PathRig& rig = *legacy.rig;
  rig.connect();
  legacy.say();
  legacy.say();
  CHECK(legacy.failures(secure::HandshakeFailure::flight_differs) == 1);
  CHECK(rig.client.has_fin);
  CHECK(rig.client.in.back() == SSL_AD_INTERNAL_ERROR);
  CHECK(rig.server.in.empty());
}

TEST_CASE("H6: a session of a deferred handshake is taken up by its ID; who offers one is not deferred") {
  for (const bool has_tickets : {false, true}) {
    CAPTURE(has_tickets);
    LegacyRig legacy(legacy_shop());
    const RigPlan plan = legacy.used;
    if (!has_tickets) SSL_set_options(legacy.rig->tls().ssl(), SSL_OP_NO_TICKET);
    legacy.rig->establish();
    const secure::SessionPtr session{SSL_get1_session(legacy.rig->tls().ssl())};
    CHECK(legacy.rig->count(Count::hellos_deferred) == 1);
    legacy.again(plan);
    if (!has_tickets) SSL_set_options(legacy.rig->tls().ssl(), SSL_OP_NO_TICKET);
    SSL_set_session(legacy.rig->tls().ssl(), session.get());
    legacy.rig->establish();
    CHECK(SSL_session_reused(legacy.rig->tls().ssl()) == 1);
    CHECK(legacy.rig->count(Count::hellos_deferred) == 0);
    CHECK(legacy.rig->count(Count::flows_resumed) == 1);
    check_data(*legacy.rig);
  }
}

TEST_CASE("H3: whoever has something better is not deferred") {
  LegacyRig legacy(legacy_shop());
  SSL_set_cipher_list(legacy.rig->tls().ssl(), "ECDHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256");
  legacy.rig->establish();
  CHECK(legacy.rig->count(Count::hellos_deferred) == 0);
  check_data(*legacy.rig);
}

TEST_CASE("H4: a client's certificates that no block holds are taken as they come, once it has got its flight") {
  LegacyRig legacy(asking_shop());
  PathRig& rig = *legacy.rig;
  static const Leaf leaf = issuer().issue({.common_name = std::string(60, 'x'), .names = std::vector<std::string>(900, "a-name-that-is-long.test")});
  SSL_use_certificate(rig.tls().ssl(), leaf.certificate.get());
  SSL_use_PrivateKey(rig.tls().ssl(), leaf.key.get());
  rig.connect();
  legacy.say();
  const std::size_t begin = legacy.say();
  CHECK(rig.client.out.size() - begin > 20'000);
  for (int i = 0; i < 3; ++i) rig.client_sends(rig.client.acked, std::min<std::size_t>(1400, rig.client.out.size() - rig.client.acked));
  while (rig.client.acked < rig.client.out.size() && rig.flow().state == splice::FlowState::handshake) {
    rig.client_sends(rig.client.acked, std::min<std::size_t>(1400, rig.client.out.size() - rig.client.acked));
  }
  rig.client_acks();
  CHECK(rig.tls().step());
  check_data(rig);
}
