// Where an answer ends, in whatever cut its bytes come.
#include <doctest/doctest.h>

#include <string>

#include "http/response_tracker.hpp"

using namespace cutwater;
using namespace cutwater::http;

namespace {

using State = ResponseTracker::State;

Bytes bytes_of(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

State state_after(std::string_view text, const Asked& asked, std::size_t cut, bool has_ended = false) {
  ResponseTracker tracker;
  tracker.start(1024);
  tracker.expect(asked);
  if (tracker.take(bytes_of(text.substr(0, cut)))) (void)tracker.take(bytes_of(text.substr(cut)));
  if (has_ended) tracker.end();
  return tracker.state();
}

// In every cut the same.
State state_of(std::string_view text, const Asked& asked = {}, bool has_ended = false) {
  const State whole = state_after(text, asked, 0, has_ended);
  for (std::size_t cut = 1; cut < text.size(); ++cut) {
    CAPTURE(cut);
    REQUIRE(state_after(text, asked, cut, has_ended) == whole);
  }
  return whole;
}

}  // namespace

TEST_CASE("A10: answers end by length, by chunks, by the close, or where there can be no body") {
  CHECK(state_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello") == State::complete);
  CHECK(state_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell") == State::body);
  CHECK(state_of("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n") == State::complete);
  CHECK(state_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n") == State::complete);
  CHECK(state_of("HTTP/1.1 200 OK\r\n\r\nanything") == State::body);
  CHECK(state_of("HTTP/1.1 200 OK\r\n\r\nanything", {}, true) == State::complete);
  CHECK(state_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", {}, true) == State::body);
  CHECK(state_of("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n", {.is_head = true}) == State::complete);
  CHECK(state_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", {.is_head = true}) == State::complete);
  CHECK(state_of("HTTP/1.1 204 No Content\r\n\r\n") == State::complete);
  CHECK(state_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n") == State::complete);
  CHECK(state_of("HTTP/1.1 100 Continue\r\n\r\n") == State::head);
  CHECK(state_of("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") == State::complete);
  CHECK(state_of("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n\x81\x05hello", {.is_upgrade = true}) == State::tunnel);
  CHECK(state_of("HTTP/1.1 200 OK\r\n\r\nanything", {.is_connect = true}) == State::tunnel);
  CHECK(state_of("HTTP/1.1 407 No\r\nContent-Length: 2\r\n\r\nno", {.is_connect = true}) == State::complete);
}

TEST_CASE("A10: an answer that two readers could read in two ways is broken") {
  for (const char* text : {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
                           "HTTP/1.1 99 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/2 200\r\n\r\n", "ICY 200 OK\r\n\r\n", "hello world, this is no HTTP\r\n\r\n",
                           "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\nbody", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    CAPTURE(text);
    CHECK(state_of(text) == State::broken);
  }
  ResponseTracker tracker;
  tracker.start(1024);
  CHECK_FALSE(tracker.take(bytes_of("HTTP/1.1 408 Request Timeout\r\n\r\n")));  // nobody asked
  CHECK(tracker.error() == HttpError::not_asked_for);
}

TEST_CASE("A10: whether a server goes on behind its answer is what it says") {
  const auto is_persistent = [](std::string_view text) {
    ResponseTracker tracker;
    tracker.start(1024);
    tracker.expect({});
    REQUIRE(tracker.take(bytes_of(text)));
    return tracker.is_persistent();
  };
  CHECK(is_persistent("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK_FALSE(is_persistent("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: foo, Close\r\n\r\n"));
  CHECK_FALSE(is_persistent("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"));
  CHECK(is_persistent("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n"));
  CHECK_FALSE(is_persistent("HTTP/1.1 200 OK\r\n\r\n"));
}
