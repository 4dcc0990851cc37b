// What bounds a handshake: time, number, size; and who it belongs to.
#include <doctest/doctest.h>

#include "native/secure/tls_client.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;

namespace {

ByteVector first_flight(TlsClient& client) {
  client.step();
  return client.take();
}

std::unique_ptr<Reply> post(Bench& bench, Request::Kind kind, const Drive& drive, ByteVector bytes = {}) {
  bench.pool.link(drive.link).post(make_request(kind, drive, std::move(bytes)));
  return await_reply(bench.pool, drive);
}

/// Splits a handshake record in two at `at` bytes of its body.
ByteVector split_record(const ByteVector& record, std::size_t at) {
  const Bytes body = Bytes{record}.subspan(record::kHeaderBytes);
  ByteVector out;
  for (const Bytes part : {body.first(at), body.subspan(at)}) {
    out.insert(out.end(), {record[0], record[1], record[2], static_cast<std::uint8_t>(part.size() >> 8),
                           static_cast<std::uint8_t>(part.size())});
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

}  // namespace

TEST_CASE("H1: a hello cut between any two bytes into two records is joined, in one request or two") {
  Bench bench;
  TlsClient probe;
  const std::size_t body_bytes = first_flight(probe).size() - record::kHeaderBytes;
  for (std::size_t at = 1; at < body_bytes; ++at) {
    CAPTURE(at);
    TlsClient client;
    bool is_first = true;
    const auto cut = [&](ByteVector bytes) {
      if (!std::exchange(is_first, false)) return std::vector<ByteVector>{bytes};
      const ByteVector both = split_record(bytes, at);
      if (at % 2 == 0) return std::vector<ByteVector>{both};
      const auto middle = both.begin() + static_cast<std::ptrdiff_t>(record::kHeaderBytes + at);
      return std::vector<ByteVector>{{both.begin(), middle}, {middle, both.end()}};
    };
    CHECK(handshake(bench.pool, client, {.cut = cut}).is_established());
  }
}

TEST_CASE("A5: requests may carry one record each, or all of them") {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    Bench bench;
    TlsClient client([&](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, version); });
    const auto record_by_record = [](ByteVector bytes) {
      std::vector<ByteVector> pieces;
      for (Bytes rest{bytes}; !rest.empty();) {
        const Bytes record = rest.first(record::next_record(rest).header.record_bytes());
        pieces.emplace_back(record.begin(), record.end());
        rest = rest.subspan(record.size());
      }
      return pieces;
    };
    const Outcome outcome = handshake(bench.pool, client, {.early_words = "data", .cut = record_by_record});
    REQUIRE(outcome.is_established());
    // In one request or in several: the count is of the whole input, and stops behind the Finished.
    CHECK(outcome.rest().size() == (version == TLS1_3_VERSION ? 5 + 4 + 17 : 0));
  }
}

TEST_CASE("A5: a handshake past its deadline is not worth a signature") {
  Bench bench;
  TlsClient client;
  const Drive drive{.deadline = Tick{bench.now_us + 10}};
  bench.pool.link(0).post(make_request(Request::Kind::start, drive, first_flight(client)));
  bench.now_us += 11;
  const auto reply = await_reply(bench.pool, drive);
  REQUIRE(reply != nullptr);
  CHECK(reply->failure == HandshakeFailure::deadline);
  CHECK(reply->bytes.empty());  // no flight was made
  CHECK(bench.pool.stats().alive == 0);
}

TEST_CASE("H8: a handshake that its client abandons is reaped at its deadline") {
  Bench bench;
  TlsClient client;
  const Drive drive{.deadline = Tick{bench.now_us + 1'000}};
  REQUIRE(post(bench, Request::Kind::start, drive, first_flight(client))->kind == Reply::Kind::output);
  CHECK(bench.pool.stats().alive == 1);
  bench.pool.run_pending();
  CHECK(bench.pool.link(0).poll() == nullptr);
  bench.now_us += 1'001;
  const auto reply = await_reply(bench.pool, drive);
  REQUIRE(reply != nullptr);
  CHECK(reply->failure == HandshakeFailure::deadline);
  CHECK(reply->token == drive.token);
  CHECK(bench.pool.stats().alive == 0);
}

TEST_CASE("H8: a sleeping thread reaps too") {
  std::atomic<std::uint64_t> now_us{1'000};
  Bench bench(shop(), {.threads = 1, .clock = [&] { return Tick{now_us.load()}; }});
  TlsClient client;
  const Drive drive{.deadline = Tick{2'000}, .is_threaded = true};
  REQUIRE(post(bench, Request::Kind::start, drive, first_flight(client))->kind == Reply::Kind::output);
  now_us = 2'001;
  const auto reply = await_reply(bench.pool, drive);
  REQUIRE(reply != nullptr);
  CHECK(reply->failure == HandshakeFailure::deadline);
}

TEST_CASE("A5: cancel frees at once and says nothing") {
  Bench bench;
  TlsClient client;
  const Drive drive;
  REQUIRE(post(bench, Request::Kind::start, drive, first_flight(client)) != nullptr);
  CHECK(bench.pool.stats().alive == 1);
  CHECK(post(bench, Request::Kind::cancel, drive) == nullptr);
  CHECK(bench.pool.stats().alive == 0);
  CHECK(post(bench, Request::Kind::cancel, drive) == nullptr);
  CHECK(post(bench, Request::Kind::input, drive, {22, 3, 3, 0, 1, 0}) == nullptr);
}

TEST_CASE("A5: a stale token reaches nobody, and a reused flow starts afresh") {
  Bench bench;
  TlsClient old_client, new_client;
  const Drive old_flow{.token = {5, 1}}, new_flow{.token = {5, 2}};
  REQUIRE(post(bench, Request::Kind::start, old_flow, first_flight(old_client)) != nullptr);
  // The worker reused the place without a cancel.
  const auto flight = post(bench, Request::Kind::start, new_flow, first_flight(new_client));
  REQUIRE(flight != nullptr);
  CHECK(flight->token == new_flow.token);
  CHECK(bench.pool.stats().alive == 1);
  CHECK(post(bench, Request::Kind::input, old_flow, {23, 3, 3, 0, 1, 0}) == nullptr);
  CHECK(post(bench, Request::Kind::cancel, old_flow) == nullptr);
  CHECK(bench.pool.stats().alive == 1);
  new_client.give(flight->bytes);
  REQUIRE(new_client.step());
  const auto done = post(bench, Request::Kind::input, new_flow, new_client.take());
  REQUIRE(done != nullptr);
  CHECK(done->kind == Reply::Kind::established);
}

TEST_CASE("A5: the same flow number on two links is two flows") {
  Bench bench(shop(), {.threads = 0, .links = 2});
  TlsClient a, b;
  const Drive on_a{.token = {5, 1}, .link = 0}, on_b{.token = {5, 1}, .link = 1};
  REQUIRE(post(bench, Request::Kind::start, on_a, first_flight(a)) != nullptr);
  REQUIRE(post(bench, Request::Kind::start, on_b, first_flight(b)) != nullptr);
  CHECK(bench.pool.stats().alive == 2);
}

TEST_CASE("H8: handshakes under way are bounded; at the cap the one waited for the longest hears overload, and newer ones go on") {
  Bench bench(shop(), {.threads = 0, .max_handshakes = 3});
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (std::uint32_t flow = 0; flow < 3; ++flow) {
    clients.push_back(std::make_unique<TlsClient>());
    const auto flight = post(bench, Request::Kind::start, {.token = {flow, 1}}, first_flight(*clients.back()));
    CHECK(flight->failure == HandshakeFailure::none);
    clients.back()->give(flight->bytes);
  }
  TlsClient late;
  const auto given_up = post(bench, Request::Kind::start, {.token = {9, 1}}, first_flight(late));
  CHECK(given_up->token == Token{0, 1});
  CHECK(given_up->failure == HandshakeFailure::overload);
  const auto flight = bench.pool.link(0).poll();
  REQUIRE(flight != nullptr);
  CHECK(flight->token == Token{9, 1});
  CHECK(flight->kind == Reply::Kind::output);
  CHECK(bench.pool.stats().alive == 3);
  // Who is left finishes; who gave way is known no more.
  REQUIRE(clients[0]->step());
  CHECK(post(bench, Request::Kind::input, {.token = {0, 1}}, clients[0]->take()) == nullptr);
  REQUIRE(clients[1]->step());
  CHECK(post(bench, Request::Kind::input, {.token = {1, 1}}, clients[1]->take())->kind == Reply::Kind::established);
  TlsClient next;
  CHECK(post(bench, Request::Kind::start, {.token = {10, 1}}, first_flight(next))->token == Token{10, 1});
  CHECK(bench.pool.stats().alive == 3);
}

TEST_CASE("H8: a thread of the processors that has no handshake of its own to give up refuses the new one at the cap") {
  Bench bench(shop(), {.threads = 0, .max_handshakes = 0});
  TlsClient client;
  CHECK(post(bench, Request::Kind::start, {}, first_flight(client))->failure == HandshakeFailure::overload);
  CHECK(bench.pool.stats().alive == 0);
}

TEST_CASE("A5: a client cannot feed a handshake for ever") {
  Bench bench;
  TlsClient client;
  const Drive drive;
  REQUIRE(post(bench, Request::Kind::start, drive, first_flight(client)) != nullptr);
  ByteVector padding;  // ChangeCipherSpec records mean nothing in TLS 1.3 and may come at any time
  for (int i = 0; i < 1'000; ++i) padding.insert(padding.end(), {20, 3, 3, 0, 1, 1});
  std::unique_ptr<Reply> reply;
  std::size_t fed = 0;
  for (; !reply && fed < 1'000'000; fed += padding.size()) reply = post(bench, Request::Kind::input, drive, padding);
  REQUIRE(reply != nullptr);
  CHECK(reply->kind == Reply::Kind::failed);
  CHECK(fed <= 256 * 1024 + padding.size());
  CHECK(bench.pool.stats().alive == 0);
}

TEST_CASE("A5: an unknown service is an error of ours, said without bytes") {
  Bench bench;
  TlsClient client;
  const auto reply = post(bench, Request::Kind::start, {.service = 7}, first_flight(client));
  CHECK(reply->failure == HandshakeFailure::internal);
  CHECK(reply->bytes.empty());
}

TEST_CASE("A5: a worker that takes no replies gets no more; none is lost when it does") {
  Bench bench;
  constexpr std::uint32_t kFlows = kLinkDepth + 200;
  std::uint32_t posted = 0, answered = 0;
  const auto post_more = [&] {
    for (; posted < kFlows; ++posted) {
      auto request = make_request(Request::Kind::start, {.token = {posted, 1}}, {'G', 'E', 'T', ' '});
      if (!bench.pool.link(0).post(std::move(request))) break;
    }
  };
  post_more();
  CHECK(posted == kLinkDepth);
  CHECK(bench.pool.link(0).backlog() == kLinkDepth);
  bench.pool.run_pending();
  post_more();
  bench.pool.run_pending();  // the ring of replies is full now
  CHECK(bench.pool.link(0).backlog() > 0);
  for (int round = 0; round < 3; ++round) {
    while (const auto reply = bench.pool.link(0).poll()) {
      CHECK(reply->token.flow == answered);  // in order
      ++answered;
    }
    bench.pool.run_pending();
  }
  CHECK(answered == kFlows);
}

TEST_CASE("A5: wake is called for links that got replies, and for no others") {
  std::vector<int> wakes(2);
  Bench bench(shop(), {.threads = 0, .links = 2, .wake = [&](std::uint32_t link) { ++wakes[link]; }});
  TlsClient client;
  post(bench, Request::Kind::start, {.link = 1}, first_flight(client));
  CHECK(wakes[0] == 0);
  CHECK(wakes[1] == 1);
  bench.pool.run_pending();
  CHECK(wakes[1] == 1);
}

TEST_CASE("A5: a pool can be closed with handshakes under way") {
  Bench bench(shop(), {.threads = 2, .clock = [] { return Tick{1}; }});
  std::vector<std::unique_ptr<TlsClient>> clients;
  for (std::uint32_t flow = 0; flow < 50; ++flow) {
    clients.push_back(std::make_unique<TlsClient>());
    bench.pool.link(0).post(make_request(Request::Kind::start, {.token = {flow, 1}}, first_flight(*clients.back())));
  }
  bench.pool.notify();
}

TEST_CASE("A5: services are replaced while handshakes run; those under way keep the old one") {
  Bench bench;
  TlsClient client;
  const Drive drive;
  const auto flight = post(bench, Request::Kind::start, drive, first_flight(client));
  CHECK(bench.pool.configure(0, shop(KeyType::rsa)).empty());
  client.give(flight->bytes);
  REQUIRE(client.step());
  CHECK(post(bench, Request::Kind::input, drive, client.take())->kind == Reply::Kind::established);
}

TEST_CASE("A5: reloads and handshakes on several threads do not disturb each other") {
  Bench bench(shop(), {.threads = 2, .links = 2, .clock = [] { return Tick{1}; }});
  std::atomic<bool> is_done{false};
  std::thread reloads([&] {
    for (int i = 0; !is_done; ++i) {
      bench.pool.configure(0, shop(i % 2 == 0 ? KeyType::ecdsa : KeyType::ed25519));
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  });
  std::atomic<int> established{0};
  const auto worker = [&](std::uint32_t link) {
    for (std::uint32_t flow = 0; flow < 30; ++flow) {
      TlsClient client;
      const Drive drive{.token = {flow, 1}, .link = link, .is_threaded = true};
      established += handshake(bench.pool, client, drive).is_established() ? 1 : 0;
    }
  };
  std::thread other(worker, 1U);
  worker(0);
  other.join();
  is_done = true;
  reloads.join();
  CHECK(established == 60);
}

TEST_CASE("A5: early data is not taken, and the client gets a full answer all the same") {
  Bench bench;
  TlsClient first;
  REQUIRE(handshake(bench.pool, first).is_established());
  first.read();
  REQUIRE(first.session() != nullptr);
  for (const bool needs_retry : {false, true}) {
    CAPTURE(needs_retry);
    // The ticket says nothing of early data; a client of another server's mind sends some.
    SSL_SESSION* session = SSL_SESSION_dup(first.session());
    SSL_SESSION_set_max_early_data(session, 16'384);
    const auto groups = [&](SSL_CTX* context) {
      SSL_CTX_set1_groups_list(context, needs_retry ? "X448:X25519" : "X25519");
    };
    TlsClient client(groups, session);
    SSL_SESSION_free(session);
    std::size_t written = 0;
    const std::string words(5'000, 'e');
    REQUIRE(SSL_write_early_data(client.ssl(), words.data(), words.size(), &written) == 1);
    const ByteVector early = client.take();
    CHECK(early.size() > words.size());
    const Drive drive;
    auto reply = post(bench, Request::Kind::start, drive, early);
    ByteVector posted = early;
    for (int round = 0; reply && reply->kind == Reply::Kind::output && round < 4; ++round) {
      client.give(reply->bytes);
      client.step();
      const ByteVector bytes = client.take();
      posted = joined(posted, bytes);
      reply = post(bench, Request::Kind::input, drive, bytes);
    }
    REQUIRE(reply != nullptr);
    REQUIRE(reply->kind == Reply::Kind::established);
    CHECK(reply->consumed_bytes == posted.size());
    CHECK(reply->established->up_number == 0);
    CHECK(SSL_get_early_data_status(client.ssl()) == SSL_EARLY_DATA_REJECTED);
  }
}
