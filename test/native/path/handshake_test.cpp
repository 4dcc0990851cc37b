// Set-up through the path: SYNs and their options, hellos in every cut, and what the server sees meanwhile (nothing).
#include <doctest/doctest.h>

#include "native/hello/hello_builder.hpp"
#include "splice/close.hpp"
#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {
constexpr std::uint16_t kBothVersions[] = {0x1301, 0xc02b};
}

TEST_CASE("A3: SYN and SYN-ACK pass with their numbers, addresses and options; only MSS and unknown options change") {
  PathRig rig({.has_timestamps = true});
  sim::Segment syn = rig.client.syn(sim::kSyn);
  syn.options.other_kinds = {34, 30};  // Fast Open, MPTCP
  rig.send(Side::client, syn);
  REQUIRE(rig.to_server.size() == 1);
  const sim::Segment& s = rig.to_server[0].segment;
  CHECK(s.flags == sim::kSyn);
  CHECK(s.seq == rig.client.isn);
  CHECK(s.source == rig.client.host.address);
  CHECK(s.source_port == rig.client.port);
  CHECK(s.target_port == rig.server.port);
  CHECK(s.target_mac == rig.server.host.mac);
  CHECK(s.options.mss == 1460 - 29);
  CHECK(s.options.window_scale == 7);
  CHECK(s.options.sack_permitted);
  CHECK(s.options.timestamps.has_value());
  CHECK(s.options.other_kinds.empty());
  rig.send(Side::server, rig.server.syn(sim::kSyn | sim::kAck));
  REQUIRE(rig.to_client.size() == 1);
  const sim::Segment& answer = rig.to_client[0].segment;
  CHECK(answer.flags == (sim::kSyn | sim::kAck));
  CHECK(answer.seq == rig.server.isn);
  CHECK(answer.source == rig.server.host.address);
  CHECK(answer.source_port == 443);
  CHECK(answer.options.mss == 1460);
}

TEST_CASE("A5: until the handshake is done the server is shown a zero window; then the client's") {
  PathRig rig;
  rig.connect();
  REQUIRE(rig.to_server.size() == 2);
  CHECK(rig.to_server[1].segment.window == 0);
  rig.handshake();
  for (std::size_t i = 1; i + 1 < rig.to_server.size(); ++i) CHECK((rig.to_server[i].segment.window == 0 || i + 2 >= rig.to_server.size()));
  CHECK(rig.server.window_end > 100'000);
  CHECK(rig.server.in.empty());
}

TEST_CASE("A5: what a server sends against the zero window is dropped, acknowledged as not received, and taken when it comes again") {
  PathRig rig;
  rig.connect();
  rig.server_sends(rig.server_writes("220 hello"), 9);
  CHECK(rig.count(Drop::early_server_data) == 1);
  CHECK(rig.server.acked == 0);
  rig.handshake();
  rig.server_sends(0, 9);
  CHECK(rig.client_reads() == "220 hello");
  rig.client_acks();
  CHECK(rig.server.acked == 9);
}

TEST_CASE("H1: a hello cut at any offset gives the same handshake") {
  std::size_t hello_bytes = 0;
  const auto secure = make_secure_pool(0, [] { return Tick{1'000'000}; });
  for (std::size_t cut = 1; hello_bytes == 0 || cut < hello_bytes; ++cut) {
    CAPTURE(cut);
    PathRig rig({.secure = secure.get()});
    rig.connect();
    rig.tls().step();
    rig.take_client_tls();
    hello_bytes = rig.client.out.size();
    const bool is_swapped = cut % 3 == 0;
    if (is_swapped) rig.client_sends(cut, hello_bytes - cut);
    rig.client_sends(0, cut);
    if (!is_swapped) rig.client_sends(cut, hello_bytes - cut);
    rig.handshake();
    REQUIRE(rig.flow().state == splice::FlowState::established);
  }
}

TEST_CASE("H1: a whole handshake byte by byte, in both versions, each byte twice") {
  for (const std::uint16_t suite : kBothVersions) {
    PathRig rig({.suite = suite});
    rig.connect();
    for (int round = 0; round < 10; ++round) {
      rig.tls().step();
      const std::size_t at = rig.take_client_tls();
      for (std::size_t p = at; p < rig.client.out.size(); ++p) rig.client_sends(p, 1), rig.client_sends(p, 1);
    }
    REQUIRE(rig.flow().state == splice::FlowState::established);
    const std::size_t at = rig.client_writes("there");
    rig.client_sends(at, rig.client.out.size() - at);
    CHECK(rig.server_got() == "there");
    CHECK(rig.held_chunks() == 0);
  }
}

TEST_CASE("H1, H3: hellos of real clients, one byte a segment, are answered: asked back by TLS 1.3, with a server hello, or with the alert they have earned") {
  using path::Retry;
  const auto secure = make_secure_pool(0, [] { return Tick{1'000'000}; });
  for (const Retry retry : {Retry::never, Retry::always}) {
    for (const auto& entry : std::filesystem::directory_iterator(hello::test::corpus())) {
      const std::string name = entry.path().filename().string();
      CAPTURE(name);
      const ByteVector message = hello::test::captured(name);
      PathRig rig({.retry = retry, .secure = secure.get()});
      rig.connect();
      rig.client.out = {22, 3, 1, static_cast<std::uint8_t>(message.size() >> 8), static_cast<std::uint8_t>(message.size())};
      rig.client.out.insert(rig.client.out.end(), message.begin(), message.end());
      for (std::size_t at = 0; at < rig.client.out.size(); ++at) rig.client_sends(at, 1);
      REQUIRE(rig.client.in.size() > 6);
      const bool is_too_old = name == "openssl_tls11";
      CHECK(rig.client.in[0] == (is_too_old ? 21 : 22));
      CHECK(rig.client.in[is_too_old ? 6 : 5] == (is_too_old ? 70 : 2));  // protocol_version; a server hello
      const auto hello = hello::parse_client_hello(message);
      REQUIRE(hello.has_value());
      CHECK(rig.count(Count::hellos_retried) == (retry == Retry::always && hello->offers(0x0304) ? 1 : 0));
      CHECK(rig.secure().stats().alive == (is_too_old || rig.count(Count::hellos_retried) != 0 ? 0 : 1));
      rig.send(Side::client, rig.client.segment(rig.client.out.size(), 0, sim::kRst | sim::kAck));
      CHECK(rig.held_chunks() == 0);
    }
  }
}

TEST_CASE("A5: data that follows the Finished in its segment belongs to the splice") {
  for (const std::uint16_t suite : kBothVersions) {
    for (const std::size_t cut_off : {0U, 4U}) {
      PathRig rig({.suite = suite});
      rig.connect();
      for (int i = 0; i < 5 && !rig.tls().step(); ++i) {
        const std::size_t at = rig.take_client_tls();
        if (at < rig.client.out.size() && suite == 0x1301 && at != 0) break;
        rig.client_sends(at, rig.client.out.size() - at);
      }
      if (suite == 0x1301) {  // the client is done with its own Finished; in TLS 1.2 it waits for the server's
        const std::size_t at = rig.client.out.size();
        rig.take_client_tls();
        rig.client_writes("GET / HTTP/1.1");
        rig.client_sends(at, rig.client.out.size() - at - cut_off);
        if (cut_off != 0) {
          CHECK(rig.server.in.empty());
          rig.client_sends(rig.client.out.size() - cut_off, cut_off);
        }
        CHECK(rig.server_got() == "GET / HTTP/1.1");
        rig.server_acks();
        CHECK(rig.held_chunks() == 0);
      }
    }
  }
}

TEST_CASE("A5: flights that are lost are sent again by our timer") {
  PathRig rig;
  rig.connect();
  rig.tls().step();
  rig.take_client_tls();
  rig.lose(Side::client, 100);
  rig.client_sends(0, rig.client.out.size());
  rig.lose(Side::client, 0);
  CHECK(rig.client.in.empty());
  rig.wait(1'500'000);
  rig.client_acks();
  rig.handshake();
  CHECK(rig.flow().state == splice::FlowState::established);
  CHECK(rig.count(Count::local_resent) >= 1);
  CHECK_FALSE(rig.client.is_contradicted);
}

TEST_CASE("H8: a handshake that stands still is reset after its time") {
  PathRig rig;
  rig.connect();
  rig.tls().step();
  rig.take_client_tls();
  rig.client_sends(0, rig.client.out.size() / 2);
  rig.wait(9'000'000);
  CHECK(rig.path().live_flows() == 1);
  rig.wait(1'100'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.count(Reset::handshake_timeout) == 1);
  CHECK(rig.server.has_rst);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A5: HTTP on the TLS port gets an alert in a record, and the server a reset") {
  PathRig rig;
  rig.connect();
  const std::string_view text = "GET / HTTP/1.1\r\n\r\n";
  rig.client.out.assign(text.begin(), text.end());
  rig.client_sends(0, text.size());
  CHECK(rig.server.has_rst);
  CHECK(rig.client.in == ByteVector{21, 3, 3, 0, 2, 2, 10});
  CHECK(rig.client.has_fin);
  CHECK(rig.count(Reset::handshake_failed) == 1);
}

TEST_CASE("A3: a server that refuses is a refusal to the client; a SYN comes again as often as it is sent") {
  PathRig rig;
  for (int i = 0; i < 3; ++i) rig.send(Side::client, rig.client.syn(sim::kSyn));
  CHECK(rig.to_server.size() == 3);
  CHECK(rig.path().live_flows() == 1);
  sim::Segment refusal = rig.server.syn(sim::kRst | sim::kAck);
  refusal.ack = rig.client.isn + 1U;
  refusal.seq = 0;
  rig.send(Side::server, refusal);
  CHECK(rig.client.has_rst);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.count(Reset::server_refused) == 1);
}

TEST_CASE("RFC 9293 3.10.7.1: a packet of no flow is answered with RST, a RST with nothing, a SYN to nobody with RST and ACK") {
  PathRig rig;
  rig.client_sends(0, 0);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.flags == sim::kRst);
  rig.clear();
  rig.client_sends(0, 0, sim::kRst);
  CHECK(rig.to_client.empty());
  sim::Segment syn = rig.client.syn(sim::kSyn);
  syn.target_port = 444;
  rig.send(Side::client, syn);
  REQUIRE(rig.to_client.size() == 1);
  CHECK(rig.to_client[0].segment.flags == (sim::kRst | sim::kAck));
  CHECK(rig.to_client[0].segment.ack == rig.client.isn + 1U);
  CHECK(rig.to_client[0].segment.source_port == 444);
  rig.server_sends(0, 0);
  CHECK(rig.to_server.size() == 1);
  CHECK(rig.to_server[0].segment.flags == sim::kRst);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("H8: beyond max_half_open the oldest client that proved nothing gives way, and its server hears of it") {
  PathRig rig({.max_half_open = 2});
  for (std::uint16_t i = 0; i < 5; ++i) {
    sim::Segment syn = rig.client.syn(sim::kSyn);
    syn.source_port = static_cast<std::uint16_t>(50'000 + i);
    rig.send(Side::client, syn);
  }
  CHECK(rig.path().live_flows() == 2);
  CHECK(rig.count(Reset::half_open_reaped) == 3);
  REQUIRE(rig.to_server.size() == 8);
  CHECK(rig.to_server[2].segment.has(sim::kRst));
  CHECK(rig.to_server[2].segment.source_port == 50'000);
  CHECK(rig.to_server[3].segment.source_port == 50'002);
  rig.wait(80'000'000);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A3: a SYN that comes twice in a burst is one flow") {
  PathRig rig;
  const std::array syns{rig.client.syn(sim::kSyn), rig.client.syn(sim::kSyn)};
  rig.send_burst(Side::client, syns);
  CHECK(rig.path().live_flows() == 1);
  REQUIRE(rig.to_server.size() == 2);
  CHECK(rig.to_server[0].segment.source_port == rig.to_server[1].segment.source_port);
  rig.send(Side::server, rig.server.syn(sim::kSyn | sim::kAck));
  rig.client_sends(0, 0);
  rig.handshake();
  rig.wait(80'000'000);
  CHECK(rig.path().live_flows() == 1);
}

TEST_CASE("A5: an alert that is lost is sent again to a client that says nothing more, and its flow ends in time") {
  PathRig rig;
  rig.connect();
  const std::string_view text = "GET / HTTP/1.1\r\n\r\n";
  rig.client.out.assign(text.begin(), text.end());
  rig.lose(Side::client, 100);
  rig.client_sends(0, text.size());
  rig.lose(Side::client, 0);
  CHECK(rig.client.in.empty());
  rig.wait(1'500'000);
  CHECK(rig.client.in == ByteVector{21, 3, 3, 0, 2, 2, 10});
  CHECK(rig.client.has_fin);
  rig.wait(splice::kDrainUs);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.held_chunks() == 0);
}
