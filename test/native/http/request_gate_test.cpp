// The gate that requests pass: the same verdict in whatever cut their bytes come.
#include <doctest/doctest.h>

#include <string>

#include "http/forwarded.hpp"
#include "http/request_gate.hpp"
#include "http/route_match.hpp"

using namespace cutwater;
using namespace cutwater::http;

namespace {

constexpr std::uint32_t kMaxHead = 1024;
using State = RequestGate::State;

Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

// Feeds `text` in two parts; heads are passed as they come. Returns: what was seen, one word each, and where.
std::string transcript(std::string_view text, std::size_t cut) {
  RequestGate gate;
  gate.start(kMaxHead);
  std::string seen;
  std::size_t at = 0;
  for (const std::string_view part : {text.substr(0, cut), text.substr(cut)}) {
    const std::size_t end = at + part.size();
    while (true) {
      at += gate.take(bytes_of(text.substr(at, end - at)));
      if (gate.state() == State::decide) {
        seen += std::string(gate.head().method) + " " + std::string(gate.head().path) + " " + std::string(gate.head().host) + " @" + std::to_string(at) + "\n";
        gate.pass();
      } else if (gate.state() == State::complete) {
        seen += "end @" + std::to_string(at) + "\n";
        gate.next();
      } else {
        break;
      }
    }
  }
  if (gate.state() == State::refused) seen += "refused " + std::to_string(static_cast<int>(gate.error())) + "\n";
  return seen;
}

std::string at_every_cut(std::string_view text) {
  const std::string whole = transcript(text, 0);
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    CAPTURE(cut);
    REQUIRE(transcript(text, cut) == whole);
  }
  return whole;
}

HttpError error_of(std::string_view text) {
  const std::string seen = at_every_cut(text);
  const std::size_t at = seen.find("refused ");
  return at == std::string::npos ? HttpError::none : static_cast<HttpError>(std::stoi(seen.substr(at + 8)));
}

}  // namespace

TEST_CASE("A10: requests on one connection end where they say, in every cut: none, by length, by chunks, pipelined") {
  CHECK(at_every_cut("GET /a?b=c HTTP/1.1\r\nHost: Shop.example:443\r\n\r\n"
                     "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                     "PUT /c HTTP/1.1\r\nhost:x\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n00a;x=y\r\n0123456789\r\n0\r\nT: v\r\n\r\n"
                     "OPTIONS * HTTP/1.0\r\n\r\n"
                     "GET https://x/d?e HTTP/1.1\r\nHost: x\r\n\r\n"
                     "CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n") ==
        "GET /a Shop.example @47\nend @47\nPOST /b x @95\nend @100\nPUT /c x @155\nend @197\nOPTIONS *  @219\nend @219\nGET /d x @258\nend @258\n"
        "CONNECT x:443 x @297\nend @297\n");
}

TEST_CASE("A10: shapes by which requests are smuggled are refused, whatever the cut, each by its name") {
  const auto head = [](std::string_view lines) { return "POST / HTTP/1.1\r\nHost: x\r\n" + std::string(lines) + "\r\n"; };
  struct Case {
    std::string text;
    HttpError error;
  };
  const Case cases[] = {
      {head("Content-Length: 5\r\nContent-Length: 6\r\n"), HttpError::bad_length},
      {head("Content-Length: 5\r\nContent-Length: 5\r\n"), HttpError::bad_length},
      {head("Content-Length: 5, 5\r\n"), HttpError::bad_length},
      {head("Content-Length: +5\r\n"), HttpError::bad_length},
      {head("Content-Length: 0x5\r\n"), HttpError::bad_length},
      {head("Content-Length: -1\r\n"), HttpError::bad_length},
      {head("Content-Length:\r\n"), HttpError::bad_length},
      {head("Content-Length: 5 5\r\n"), HttpError::bad_length},
      {head("Content-Length: 1000000000000000000000\r\n"), HttpError::bad_length},
      {head("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), HttpError::length_and_coding},
      {head("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), HttpError::length_and_coding},
      {head("Transfer-Encoding: gzip, chunked\r\n"), HttpError::bad_coding},
      {head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), HttpError::bad_coding},
      {head("Transfer-Encoding: identity\r\n"), HttpError::bad_coding},
      {head("Transfer-Encoding: xchunked\r\n"), HttpError::bad_coding},
      {head("Transfer-Encoding: \x0b" "chunked\r\n"), HttpError::bad_field},
      {head("Transfer-Encoding : chunked\r\n"), HttpError::bad_field},
      {head("Content-Length : 5\r\n"), HttpError::bad_field},
      {head(" Content-Length: 5\r\n"), HttpError::folded},
      {head("X: a\r\n b\r\n"), HttpError::folded},
      {head("X: a\r\n\tb\r\n"), HttpError::folded},
      {head("X\r\n"), HttpError::bad_field},
      {head(": v\r\n"), HttpError::bad_field},
      {head("X: a\nContent-Length: 5\r\n"), HttpError::bare_line_end},
      {head("X: a\rContent-Length: 5\r\n"), HttpError::bare_line_end},
      {head("X: a\r\r\n"), HttpError::bare_line_end},
      {head(std::string("X: a\0b\r\n", 8)), HttpError::bare_line_end},
      {head("X: a\x7f\r\n"), HttpError::bad_field},
      {head("Host: y\r\n"), HttpError::host_repeated},
      {head("Connection: X-Forwarded-For\r\n"), HttpError::bad_field},
      {"GET / HTTP/1.1\r\n\r\n", HttpError::host_missing},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", HttpError::host_missing},
      {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", HttpError::bad_field},
      {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", HttpError::bad_field},
      {"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_target},
      {"GET x HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_target},
      {"GET * HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_target},
      {"GET /a b HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_target},
      {"GET /a\tb HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_target},
      {"GET /#a HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_target},
      {"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_target},
      {"GET / HTTP/1.2\r\nHost: x\r\n\r\n", HttpError::bad_line},
      {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", HttpError::bad_line},
      {"GET / http/1.1\r\nHost: x\r\n\r\n", HttpError::bad_line},
      {"GET /\r\nHost: x\r\n\r\n", HttpError::bad_line},
      {"G(T / HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_line},
      {"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", HttpError::bad_line},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HttpError::bad_line},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", HttpError::bad_coding},
      {"GET / HTTP/1.1\nHost: x\n\n", HttpError::bare_line_end},
      {"GET / HTTP/1.1\r\nHost: x\r\nX: " + std::string(kMaxHead, 'a') + "\r\n\r\n", HttpError::head_too_long},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    CHECK(error_of(one.text) == one.error);
  }
}

TEST_CASE("A10: chunk sizes, their line ends and trailers are read to the letter") {
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const char* body : {"0x5\r\nhello\r\n", "+5\r\nhello\r\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n", "\r\n", "g\r\n", "5\nhello\r\n", "5\r\nhello\n",
                           "5\r\nhelloX\r\n", "5;a\nb\r\nhello\r\n", "fffffffffffffffff\r\n", "0\r\n X: y\r\n\r\n", "0\r\nX : y\r\n\r\n", "0\r\nX: y\n\r\n",
                           "0\r\n\n", "-1\r\n", "0\r\nX: y\rz\r\n\r\n"}) {
    CAPTURE(body);
    CHECK(error_of(head + body) == HttpError::bad_chunk);
  }
  CHECK(error_of(head + "5;" + std::string(300, 'x') + "\r\n") == HttpError::bad_chunk);
  CHECK(error_of(head + "0\r\nX: " + std::string(9000, 'x') + "\r\n\r\n") == HttpError::bad_chunk);
}

TEST_CASE("A10: what surely is body is told, so that it need not be kept") {
  RequestGate gate;
  gate.start(kMaxHead);
  CHECK(gate.known_bytes() == 0);
  const std::string head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n";
  REQUIRE(gate.take(bytes_of(head)) == head.size());
  CHECK(gate.known_bytes() == 0);  // not before it was decided
  gate.pass();
  CHECK(gate.known_bytes() == 100);
  CHECK(gate.take(bytes_of(std::string(60, 'a'))) == 60);
  CHECK(gate.known_bytes() == 40);
  CHECK(gate.take(bytes_of(std::string(60, 'a'))) == 40);
  CHECK(gate.state() == State::complete);
  CHECK(gate.take(bytes_of("GET")) == 0);
}

TEST_CASE("A10: routes look at method, host, path by whole segments, header and cookie") {
  const std::string text = "GET /api/v1?x=/y HTTP/1.1\r\nHost: a.Shop.example:8443\r\nX-Beta: 1\r\nCookie: a=b; group=blue\r\nCookie: z=1\r\n\r\n";
  const auto head = parse_request(text);
  REQUIRE(head);
  CHECK(matches({}, *head));
  CHECK(matches({.methods = {"POST", "GET"}}, *head));
  CHECK_FALSE(matches({.methods = {"get"}}, *head));
  CHECK(matches({.host = "a.shop.example"}, *head));
  CHECK(matches({.host = "*.shop.example"}, *head));
  CHECK_FALSE(matches({.host = "shop.example"}, *head));
  CHECK(matches({.path = "/"}, *head));
  CHECK(matches({.path = "/api"}, *head));
  CHECK(matches({.path = "/api/"}, *head));
  CHECK_FALSE(matches({.path = "/ap"}, *head));
  CHECK_FALSE(matches({.path = "/api", .is_path_exact = true}, *head));
  CHECK(matches({.path = "/api/v1", .is_path_exact = true}, *head));
  CHECK(matches({.header = {"x-beta"}}, *head));
  CHECK(matches({.header = {"x-beta", "1"}}, *head));
  CHECK_FALSE(matches({.header = {"x-beta", "2"}}, *head));
  CHECK(matches({.cookie = {"group", "blue"}}, *head));
  CHECK(matches({.cookie = {"z"}}, *head));
  CHECK_FALSE(matches({.cookie = {"roup", "blue"}}, *head));
  CHECK_FALSE(matches({.methods = {"GET"}, .path = "/other"}, *head));
}

TEST_CASE("A10: the server is told of the client by our headers, never by the client's own") {
  const std::string text = "GET / HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\nHost: x\r\nx_forwarded_proto: http\r\nForwarded: for=6.6.6.6\r\nAccept: */*\r\n\r\n";
  const auto head = parse_request(text);
  REQUIRE(head);
  const auto out = with_forwarded(text, *head, "192.0.2.1");
  CHECK(std::string(out.begin(), out.end()) ==
        "GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\nX-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n\r\n");
}
