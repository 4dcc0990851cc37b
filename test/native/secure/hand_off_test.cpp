// The hand-off protocol: what is written is read, and what is not well-formed is refused at every byte.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <random>
#include <thread>

#include "secure/frame_socket.hpp"
#include "secure/hand_off.hpp"
#include "secure/processor_server.hpp"

using namespace cutwater;
using namespace cutwater::secure;

namespace {

using ByteVector = std::vector<std::uint8_t>;

ByteVector body_of(const SecretBuffer& frame) {
  const Bytes body = frame.view().subspan(kFrameHeaderBytes);
  CHECK(load_be32(frame.view().data()) == body.size());
  return {body.begin(), body.end()};
}

Request some_request() {
  Request request;
  request.kind = Request::Kind::input;
  request.token = {77, 12};
  request.service = 3;
  request.deadline = Tick{5'000'000};
  request.client = IpAddress::from_v4(ByteVector{192, 0, 2, 1}.data());
  request.protocol = "h2";
  request.bytes = {22, 3, 1, 0, 1, 9};
  return request;
}

Reply some_reply() {
  Reply reply;
  reply.kind = Reply::Kind::established;
  reply.token = {77, 12};
  reply.bytes = {1, 2, 3};
  reply.consumed_bytes = 500;
  reply.detail = "TLS 1.3";
  reply.established = std::make_unique<Established>();
  Established& e = *reply.established;
  e.suite = record::find_suite(0x1301, record::Version::tls13);
  e.up_keys.key.fill(1);
  e.down_keys.key.fill(2);
  e.up_keys.iv.fill(3);
  e.down_keys.iv.fill(4);
  e.up_secret.assign(ByteVector(32, 5));
  e.down_secret.assign(ByteVector(32, 6));
  e.up_number = 7;
  e.down_number = 1ULL << 40;
  e.max_fragment_bytes = 4096;
  e.is_resumed = true;
  e.session_id = ByteVector(32, 8);
  e.given_session_id = ByteVector(32, 9);
  e.server_name = "shop.test";
  e.protocol = "h2";
  e.client_subject = "CN=me";
  return reply;
}

ServiceTls some_service() {
  ServiceTls service;
  service.name = "shop";
  service.allow_tls12 = false;
  service.certificates = {{"a.crt", "chain", "never sent", "a.key"}, {"b.crt", "other", "never sent", "b.key"}};
  service.protocols = {"h2", "http/1.1"};
  service.suites = {0x1301, 0xc02f};
  service.client_auth = ClientAuth::required;
  service.client_ca_pem = "ca";
  service.require_known_name = true;
  service.session_lifetime_s = 60;
  service.tickets = 1;
  service.legacy_rsa_key_exchange = true;
  service.cookie_key = ByteVector(32, 11);
  service.servers = ServerTls{.allow_tls12 = false, .verify = ServerVerify::none, .name = "backend.test", .ca_pem = "backends",
                              .certificate = {{"c.crt", "ours", "never sent", "c.key"}}};
  return service;
}

}  // namespace

TEST_CASE("H4: a request keeps its meaning, its deadline as what is left of it") {
  SecretBuffer frame;
  write(frame, 5, some_request(), Tick{1'000'000});
  const ByteVector body = body_of(frame);
  FrameReader in(body);
  Request read_back;
  std::uint32_t lane = 0;
  REQUIRE(read(in, lane, read_back, Tick{900'000'000}));
  CHECK(lane == 5);
  CHECK(read_back.kind == Request::Kind::input);
  CHECK(read_back.token == Token{77, 12});
  CHECK(read_back.service == 3);
  CHECK(read_back.deadline == Tick{904'000'000});
  CHECK(read_back.client == some_request().client);
  CHECK(read_back.protocol == "h2");
  CHECK(read_back.bytes == some_request().bytes);
}

TEST_CASE("H4: a deferred start keeps what the client was given and where its hello ends; one that contradicts itself is refused") {
  const auto carried = [](const Request& sent, Request& got) {
    SecretBuffer frame;
    write(frame, 5, sent, Tick{1'000'000});
    const ByteVector body = body_of(frame);
    FrameReader in(body);
    std::uint32_t lane = 0;
    return read(in, lane, got, Tick{1'000'000});
  };
  Request sent = some_request(), got;
  sent.kind = Request::Kind::start_deferred;
  sent.flight = ByteVector(3000, 22);
  sent.hello_bytes = static_cast<std::uint32_t>(sent.bytes.size());
  REQUIRE(carried(sent, got));
  CHECK(got.kind == Request::Kind::start_deferred);
  CHECK(got.flight == sent.flight);
  CHECK(got.hello_bytes == sent.hello_bytes);
  sent.hello_bytes += 1;  // beyond what came
  CHECK_FALSE(carried(sent, got));
  sent.hello_bytes = 0;
  sent.kind = Request::Kind::start;  // which has no flight
  CHECK_FALSE(carried(sent, got));
  sent.kind = Request::Kind::start_deferred;
  sent.flight.clear();
  CHECK_FALSE(carried(sent, got));
  sent.flight.resize(100 * 1024);
  CHECK_FALSE(carried(sent, got));
}

TEST_CASE("H4: a reply keeps its keys, and the session's ID of the processor") {
  SecretBuffer frame;
  write(frame, 2, 9, some_reply());
  const ByteVector body = body_of(frame);
  FrameReader in(body);
  Reply got;
  std::uint32_t lane = 0, taken = 0;
  REQUIRE(read(in, lane, taken, got));
  const Reply sent = some_reply();
  const Established &e = *got.established, &wanted = *sent.established;
  CHECK(lane == 2);
  CHECK(taken == 9);
  CHECK(got.bytes == sent.bytes);
  CHECK(got.consumed_bytes == 500);
  CHECK(e.suite == wanted.suite);
  CHECK(e.up_keys.key == wanted.up_keys.key);
  CHECK(e.down_keys.key == wanted.down_keys.key);
  CHECK(e.up_keys.iv == wanted.up_keys.iv);
  CHECK(e.down_keys.iv == wanted.down_keys.iv);
  CHECK(std::ranges::equal(e.up_secret.expose(), wanted.up_secret.expose()));
  CHECK(std::ranges::equal(e.down_secret.expose(), wanted.down_secret.expose()));
  CHECK(e.up_number == 7);
  CHECK(e.down_number == 1ULL << 40);
  CHECK(e.max_fragment_bytes == 4096);
  CHECK(e.is_resumed);
  CHECK(e.session_id == wanted.session_id);
  CHECK(e.given_session_id == wanted.given_session_id);
  CHECK(e.server_name == "shop.test");
  CHECK(e.protocol == "h2");
  CHECK(e.client_subject == "CN=me");
}

TEST_CASE("H4: options travel whole, but for the private keys, which do not travel at all") {
  SecretBuffer frame;
  write_configure(frame, 4, some_service());
  const ByteVector body = body_of(frame);
  const std::string text(body.begin(), body.end());
  CHECK(text.find("never sent") == std::string::npos);
  FrameReader in(body);
  ServiceTls got;
  std::uint32_t index = 0;
  REQUIRE(read_service(in, index, got));
  CHECK(index == 4);
  CHECK(got.name == "shop");
  CHECK_FALSE(got.allow_tls12);
  CHECK(got.allow_tls13);
  CHECK(got.require_known_name);
  CHECK(got.certificates.size() == 2);
  CHECK(got.certificates[1].chain_pem == "other");
  CHECK(got.certificates[1].key_name == "b.key");
  CHECK(got.protocols == some_service().protocols);
  CHECK(got.suites == some_service().suites);
  CHECK(got.client_auth == ClientAuth::required);
  CHECK(got.client_ca_pem == "ca");
  CHECK(got.session_lifetime_s == 60);
  CHECK(got.tickets == 1);
  CHECK(got.legacy_rsa_key_exchange);
  CHECK(got.cookie_key == ByteVector(32, 11));
  REQUIRE(got.servers);
  CHECK_FALSE(got.servers->allow_tls12);
  CHECK(got.servers->allow_tls13);
  CHECK(got.servers->verify == ServerVerify::none);
  CHECK(got.servers->name == "backend.test");
  CHECK(got.servers->ca_pem == "backends");
  REQUIRE(got.servers->certificate.size() == 1);
  CHECK(got.servers->certificate[0].key_name == "c.key");
  CHECK(got.servers->certificate[0].key_pem.empty());
}

TEST_CASE("H7: sealed ticket keys travel with a verdict, and back with the greeting of the next process") {
  SecretBuffer out;
  write(out, Verdict{"shop.key: is no file", ByteVector(148, 3)});
  const ByteVector verdict_body = body_of(out);
  FrameReader in(verdict_body);
  Verdict verdict;
  REQUIRE(read(in, verdict));
  CHECK(verdict.failure == "shop.key: is no file");
  CHECK(verdict.sealed_tickets == ByteVector(148, 3));
  out.clear();
  write(out, Greeting{.lanes = 2, .max_handshakes = 3, .sealed_tickets = verdict.sealed_tickets});
  const ByteVector greeting_body = body_of(out);
  FrameReader again(greeting_body);
  Greeting greeting;
  REQUIRE(read(again, greeting));
  CHECK(greeting.sealed_tickets == verdict.sealed_tickets);
  CHECK(greeting.max_handshakes == 3);
  out.clear();
  write(out, Verdict{"", ByteVector(10'000, 3)});
  const ByteVector large = body_of(out);
  FrameReader refused(large);
  CHECK_FALSE(read(refused, verdict));
}

TEST_CASE("H4: a frame cut short at any byte, or with one too many, is refused") {
  SecretBuffer request, reply, service;
  write(request, 0, some_request(), Tick{});
  write(reply, 0, 0, some_reply());
  write_check(service, some_service());
  const auto reads = [](int which, const ByteVector& body) {
    FrameReader in(body);
    std::uint32_t lane = 0, taken = 0;
    Request as_request;
    Reply as_reply;
    ServiceTls as_service;
    return which == 0 ? read(in, lane, as_request, Tick{}) : which == 1 ? read(in, lane, taken, as_reply) : read_service(in, lane, as_service);
  };
  const ByteVector bodies[] = {body_of(request), body_of(reply), body_of(service)};
  for (int which = 0; which < 3; ++which) {
    ByteVector body = bodies[which];
    CHECK(reads(which, body));
    body.push_back(0);
    CHECK_FALSE(reads(which, body));
    for (std::size_t bytes = 0; bytes < bodies[which].size(); ++bytes) {
      body.assign(bodies[which].begin(), bodies[which].begin() + static_cast<std::ptrdiff_t>(bytes));
      CHECK_FALSE(reads(which, body));
    }
  }
  std::mt19937 random(1);
  for (int tries = 0; tries < 20'000; ++tries) {  // damaged anywhere: refused or read, never more than that
    ByteVector body = bodies[tries % 3];
    for (int hits = 0; hits < 4; ++hits) body[random() % body.size()] = static_cast<std::uint8_t>(random());
    (void)reads(tries % 3, body);
  }
}

TEST_CASE("H4: what does not greet as a dataplane of this version is not served") {
  const auto outcome_of = [](const std::function<void(SecretBuffer&)>& say) {
    int both[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, both) == 0);
    int code = -1;
    std::thread processor([&] { code = serve_processor(both[1], {}); });
    FrameSocket socket(both[0], kMaxControlFrameBytes);
    say(socket.out());
    CHECK(socket.flush());
    ::shutdown(both[0], SHUT_WR);
    processor.join();
    return code;
  };
  CHECK(outcome_of([](SecretBuffer& out) { write(out, Greeting{}); }) == 0);
  CHECK(outcome_of([](SecretBuffer& out) { write(out, Greeting{.version = 99}); }) == 1);
  CHECK(outcome_of([](SecretBuffer& out) { write(out, Greeting{.lanes = 1000}); }) == 1);
  CHECK(outcome_of([](SecretBuffer& out) { write_check(out, some_service()); }) == 1);
  CHECK(outcome_of([](SecretBuffer& out) { out.append(ByteVector(100, 0xff)); }) == 1);
  CHECK(outcome_of([](SecretBuffer&) {}) == 1);
}
