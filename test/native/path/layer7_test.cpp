// Layer 7 through the path: one client connection, several servers, one request at a time.
#include <doctest/doctest.h>

#include <algorithm>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

RigPlan plan_of(bool is_forwarded = false, std::uint16_t suite = 0x1301) {
  RigPlan plan;
  plan.mode = path::Mode::proxy;
  plan.servers = 3;
  plan.suite = suite;
  plan.has_timestamps = true;
  plan.adjust = [is_forwarded](path::Services& services) {
    services.list[0].http = {.is_read = true, .is_forwarded = is_forwarded, .max_head_bytes = 1024};
    services.list[0].routes = {{.request = {.path = "/a"}, .servers = {0}}, {.request = {.path = "/b"}, .servers = {1}}, {.request = {.path = "/c"}, .servers = {2}}};
  };
  return plan;
}

std::string get(const char* path) { return std::string("GET ") + path + " HTTP/1.1\r\nHost: x\r\n\r\n"; }
std::string ok(std::string_view body) { return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body); }

// A client that is through with TLS, and three servers.
struct Layer7Rig : PathRig {
  explicit Layer7Rig(const RigPlan& plan = plan_of()) : PathRig(plan) {
    keep_servers();
    connect();
    handshake();
    client_acks();
    clear();
  }
  void asks(std::string_view text) {
    const std::size_t at = client_writes(text);
    for (std::size_t from = at; from < client.out.size(); from += 1400) client_sends(from, std::min<std::size_t>(1400, client.out.size() - from));
  }
  void answers(std::string_view text) {
    const std::size_t at = server_writes(text);
    for (std::size_t from = at; from < server.out.size(); from += 1400) server_sends(from, std::min<std::size_t>(1400, server.out.size() - from));
  }
  // The server the path has just called answers its SYN.
  void takes_call(std::uint8_t index) {
    talk_to(index);
    server_answers();
  }
  [[nodiscard]] std::size_t syns() const {
    return static_cast<std::size_t>(std::count_if(to_server.begin(), to_server.end(), [](const SentPacket& p) { return p.has(sim::kSyn); }));
  }
};

}  // namespace

TEST_CASE("A10: requests of one connection go to their servers one by one, and come back to one that was called before without another SYN") {
  for (const std::uint16_t suite : std::initializer_list<std::uint16_t>{0x1301, 0xc02b}) {
    Layer7Rig rig(plan_of(false, suite));
    CHECK(rig.syns() == 0);  // nobody is called before there is a request
    rig.asks(get("/a/1"));
    CHECK(rig.syns() == 1);
    rig.takes_call(0);
    CHECK(rig.server_got() == get("/a/1"));
    rig.answers(ok("one"));
    rig.client_acks();
    rig.asks(get("/b/2"));
    CHECK(rig.syns() == 2);
    rig.takes_call(1);
    CHECK(rig.server_got() == get("/b/2"));
    rig.answers(ok("two"));
    rig.client_acks();
    rig.talk_to(0);
    rig.asks(get("/a/3"));
    CHECK(rig.syns() == 2);
    CHECK(rig.server_got() == get("/a/1") + get("/a/3"));
    rig.answers(ok("three"));
    CHECK(rig.client_reads() == ok("one") + ok("two") + ok("three"));
    CHECK(rig.count(Count::requests_passed) == 3);
    CHECK(rig.count(Count::requests_switched) == 2);
    CHECK(rig.count(Count::legs_reused) == 1);
    CHECK(rig.flow().requests == 3);
    CHECK(rig.flow().parked == 1);
    CHECK_FALSE(rig.server.is_contradicted);
  }
}

TEST_CASE("A10: a pipelined request waits in custody for the answer before it, and for the client to have that, whatever the cut of its segments") {
  const std::string both = get("/a") + get("/b");
  for (const bool is_lost : {false, true}) {
    Layer7Rig rig;
    rig.asks(both);
    rig.takes_call(0);
    CHECK(rig.server_got() == get("/a"));
    CHECK(rig.syns() == 1);
    CHECK(rig.client.acked == rig.client.out.size());
    if (is_lost) rig.lose(Side::client, 1);
    const std::size_t at = rig.server_writes(ok("one"));
    rig.server_sends(at, rig.server.out.size() - at);
    CHECK(rig.syns() == 1);  // the client has not acknowledged the answer: only its server can send it again
    if (is_lost) {
      rig.client_acks();
      CHECK(rig.syns() == 1);
      rig.server_sends(at, rig.server.out.size() - at);
    }
    rig.client_acks();
    CHECK(rig.syns() == 2);
    rig.takes_call(1);
    CHECK(rig.server_got() == get("/b"));
    rig.answers(ok("two"));
    CHECK(rig.client_reads() == ok("one") + ok("two"));
  }
}

TEST_CASE("A10, A11: the body of a request runs in cut-through, and so does the answer") {
  Layer7Rig rig;
  rig.asks("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3000\r\n\r\n");
  rig.takes_call(0);
  rig.server_acks();
  CHECK(rig.flow().up == path::FlowView::Way::cut_through);
  for (int i = 0; i < 3; ++i) rig.asks(PathRig::pattern(1000, static_cast<std::size_t>(i) * 1000)), rig.server_acks();
  CHECK(rig.count(Count::cut_through_up_packets) == 3);
  CHECK(rig.server_got().size() == 51 + 3000);
  const std::string body = PathRig::pattern(20'000);
  rig.answers(ok(body));
  CHECK(rig.client_reads() == ok(body));
  CHECK(rig.count(Count::cut_through_down_packets) == 15);
  rig.client_acks();
  rig.asks(get("/a"));
  CHECK(rig.server_got().ends_with(get("/a")));
}

TEST_CASE("A10: a request may come in single bytes, each in a record of its own") {
  Layer7Rig rig(plan_of(true));
  for (const char c : get("/c/x")) rig.asks(std::string_view(&c, 1));
  rig.takes_call(2);
  CHECK(rig.server_got() == "GET /c/x HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 10.1.0.2\r\nX-Forwarded-Proto: https\r\n\r\n");
  rig.answers(ok("x"));
  rig.client_acks();
  rig.asks("POST /c HTTP/1.1\r\nx-forwarded-for: y\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo");
  rig.asks("dy");
  CHECK(rig.server_got().ends_with("POST /c HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nX-Forwarded-For: 10.1.0.2\r\nX-Forwarded-Proto: https\r\n\r\nbody"));
}

TEST_CASE("A10: a server that ends its connection between two requests is called again, if it was kept or current, and the client hears nothing") {
  for (const bool is_reset : {false, true}) {
    Layer7Rig rig;
    rig.asks(get("/a/1"));
    rig.takes_call(0);
    rig.answers(ok("1"));
    rig.client_acks();
    rig.server_sends(rig.server.out.size(), 0, is_reset ? sim::kRst | sim::kAck : sim::kFin | sim::kAck);
    CHECK_FALSE(rig.client.has_fin);
    CHECK_FALSE(rig.client.has_rst);
    CHECK(rig.server.has_fin == !is_reset);
    rig.clear();
    rig.asks(get("/a/2"));
    CHECK(rig.syns() == 1);
    rig.forget_server();
    rig.takes_call(0);
    CHECK(rig.server_got() == get("/a/2"));
    rig.answers(ok("2"));
    CHECK(rig.client_reads() == ok("1") + ok("2"));
  }
}

TEST_CASE("A10: a server that ended its connection while the request was on its way to it is called again") {
  for (const bool is_kept : {false, true}) {
    Layer7Rig rig;
    rig.asks(get("/a/1"));
    rig.takes_call(0);
    rig.answers(ok("1"));
    rig.client_acks();
    if (is_kept) {
      rig.asks(get("/b"));
      rig.takes_call(1);
      rig.answers(ok("b"));
      rig.client_acks();
      rig.talk_to(0);
    }
    const sim::Segment fin = rig.server.segment(rig.server.out.size(), 0, sim::kFin | sim::kAck);
    rig.clear();
    rig.asks(get("/a/2"));
    CHECK(rig.syns() == 0);
    rig.send(Side::server, fin);
    CHECK(rig.syns() == 1);
    CHECK(rig.count(Count::requests_retried) == 1);
    rig.forget_server();
    rig.takes_call(0);
    CHECK(rig.server_got() == get("/a/2"));
    rig.answers(ok("2"));
    CHECK(rig.client_reads().ends_with(ok("2")));
  }
}

TEST_CASE("A10: a reset in answer to a request that may be repeated sends it to a server once more, and no more; others get 502") {
  for (const char* method : {"GET", "POST"}) {
    Layer7Rig rig;
    rig.asks(get("/a/1"));
    rig.takes_call(0);
    rig.answers(ok("1"));
    rig.client_acks();
    rig.clear();
    const std::string request = std::string(method) + " /a/2 HTTP/1.1\r\nHost: x\r\n\r\n";
    sim::Segment reset = rig.server.segment(rig.server.out.size(), 0, sim::kRst);
    rig.asks(request);
    rig.send(Side::server, reset);
    if (std::string_view(method) == "POST") {
      CHECK(rig.syns() == 0);
      CHECK(rig.client_reads().starts_with(ok("1") + "HTTP/1.1 502 "));
      CHECK(rig.client.has_fin);
      CHECK(rig.count(Reset::server_lost) == 1);
      continue;
    }
    CHECK(rig.syns() == 1);
    CHECK(rig.count(Count::requests_retried) == 1);
    rig.forget_server();
    rig.takes_call(0);
    CHECK(rig.server_got() == request);
    rig.send(Side::server, rig.server.segment(0, 0, sim::kRst));
    CHECK(rig.syns() == 1);
    CHECK(rig.client_reads().starts_with(ok("1") + "HTTP/1.1 502 "));
  }
}

TEST_CASE("A10: what is refused is answered by us, in TLS, behind the answers before it; no server hears of it, and nothing is left") {
  Layer7Rig rig;
  rig.asks(get("/a") + "GET /a HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n");
  rig.takes_call(0);
  rig.answers(ok("1"));
  rig.client_acks();
  CHECK(rig.client_reads() == ok("1") + "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  CHECK((SSL_get_shutdown(rig.tls().ssl()) & SSL_RECEIVED_SHUTDOWN) != 0);  // close_notify
  CHECK(rig.client.has_fin);
  CHECK(rig.server_got() == get("/a"));
  CHECK(rig.server.has_fin);
  CHECK_FALSE(rig.server.has_rst);
  CHECK(rig.count(Count::request_host_repeated) == 1);
  rig.client_acks();
  rig.client_sends(rig.client.out.size(), 0, sim::kAck | sim::kFin);
  rig.wait(20'000'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
  CHECK(rig.path().holdings().layer7 == 0);
}

TEST_CASE("A10, I5: a connection that ends takes its kept servers along, whichever way it ends") {
  for (const bool is_clean : {false, true}) {
    Layer7Rig rig;
    rig.asks(get("/a"));
    rig.takes_call(0);
    rig.answers(ok("1"));
    rig.client_acks();
    rig.asks(get("/b"));
    rig.takes_call(1);
    rig.answers(ok("2"));
    rig.client_acks();
    rig.clear();
    if (is_clean) {
      SSL_shutdown(rig.tls().ssl());
      const std::size_t at = rig.take_client_tls();
      rig.client_sends(at, rig.client.out.size() - at, sim::kAck | sim::kFin);
      CHECK(rig.server.has_fin);
      rig.server_sends(rig.server.out.size(), 0, sim::kAck | sim::kFin);
      sim::Segment ack = rig.client.segment(rig.client.out.size(), 0);
      ack.seq += 1;  // behind its own FIN
      rig.send(Side::client, ack);
      rig.wait(20'000'000);
      rig.talk_to(0);
      CHECK(rig.server.has_fin);
    } else {
      rig.client_sends(rig.client.out.size(), 0, sim::kRst);
      CHECK(rig.server.has_rst);
      rig.talk_to(0);
      CHECK(rig.server.has_rst);
    }
    CHECK(rig.path().live_flows() == 0);
    CHECK(rig.held_chunks() == 0);
    CHECK(rig.path().holdings().layer7 == 0);
  }
}

TEST_CASE("A10: a client that says nothing, or half a request, is gone after a while; so is one that ends without a word") {
  Layer7Rig silent;
  silent.wait(11'000'000);
  CHECK(silent.path().live_flows() == 0);
  Layer7Rig half;
  half.asks("GET / HT");
  half.wait(11'000'000);
  CHECK(half.path().live_flows() == 0);
  Layer7Rig leaving;
  SSL_shutdown(leaving.tls().ssl());
  const std::size_t at = leaving.take_client_tls();
  leaving.client_sends(at, leaving.client.out.size() - at, sim::kAck | sim::kFin);
  CHECK(leaving.client.has_fin);
  leaving.client_acks();
  leaving.wait(20'000'000);
  CHECK(leaving.syns() == 0);
  CHECK(leaving.path().live_flows() == 0);
}
