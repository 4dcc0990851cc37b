// Key updates of TLS 1.3, both ways, and retransmissions of the epoch before.
#include <doctest/doctest.h>

#include "support/native/path_rig.hpp"

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

namespace {

std::size_t client_updates(PathRig& rig, int kind) {
  SSL_key_update(rig.tls().ssl(), kind);
  SSL_do_handshake(rig.tls().ssl());
  return rig.take_client_tls();
}
void client_sends_rest(PathRig& rig, std::size_t from) { rig.client_sends(from, rig.client.out.size() - from); }
std::size_t records_in(Bytes bytes) {
  std::size_t n = 0;
  for (std::size_t at = 0; at + 5 <= bytes.size(); ++n) at += 5U + load_be16(bytes.data() + at + 3);
  return n;
}

}  // namespace

TEST_CASE("KeyUpdate of the client: it is acknowledged by us, and what follows is opened under the next key") {
  for (const bool is_answer_wanted : {false, true}) {
    PathRig rig;
    rig.establish();
    const std::size_t before = rig.client.in.size();
    const std::size_t at = client_updates(rig, is_answer_wanted ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
    client_sends_rest(rig, at);
    CHECK(rig.to_server.empty());
    CHECK(rig.client.acked == rig.client.out.size());
    client_sends_rest(rig, rig.client_writes("new key"));
    CHECK(rig.server_got() == "new key");
    CHECK(rig.count(Count::key_updates_received) == 1);
    // Our answer does not wait for the server to say something.
    CHECK(records_in(Bytes(rig.client.in).subspan(before)) == (is_answer_wanted ? 1 : 0));
    rig.server_sends(rig.server_writes("answer"), 6);
    CHECK(rig.client_reads() == "answer");
    CHECK(records_in(Bytes(rig.client.in).subspan(before)) == (is_answer_wanted ? 2 : 1));
    CHECK(rig.count(Count::key_updates_sent) == (is_answer_wanted ? 1 : 0));
    rig.client_acks();
    CHECK(rig.server.acked == 6);
  }
}

TEST_CASE("KeyUpdate between data in one segment, and cut by segments, is followed by the next key") {
  PathRig rig;
  rig.establish();
  const std::size_t at = rig.client_writes("before ");
  client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED);
  rig.client_writes("after");
  client_sends_rest(rig, at);
  CHECK(rig.server_got() == "before after");
  rig.server_acks();
  CHECK(rig.client.acked == rig.client.out.size());
  const std::size_t second = rig.client_writes(" 1");
  client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED);
  rig.client_writes(" 2");
  for (std::size_t p = second; p < rig.client.out.size(); p += 3) rig.client_sends(p, std::min<std::size_t>(3, rig.client.out.size() - p));
  CHECK(rig.server_got() == "before after 1 2");
  CHECK(rig.count(Count::key_updates_received) == 2);
  rig.server_acks();
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A15 over a key update: what the server lost of the epoch before is opened again under the old key") {
  PathRig rig;
  rig.establish();
  rig.lose(Side::server, 1);
  const std::size_t at = rig.client_writes("old key, ");
  client_sends_rest(rig, at);
  const std::size_t update = client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED);
  client_sends_rest(rig, update);
  client_sends_rest(rig, rig.client_writes("new key"));
  CHECK(rig.server.in.empty());
  CHECK(rig.client.acked == at);
  rig.client_sends(at, update - at);
  CHECK(rig.server_got() == "old key, new key");
  CHECK(rig.count(Count::records_reopened) == 1);
  rig.server_acks();
  CHECK(rig.client.acked == rig.client.out.size());
}

TEST_CASE("A15 over two key updates: with records of two epochs unacknowledged the third begins when the server has caught up, and nothing is reset") {
  PathRig rig;
  rig.establish();
  rig.lose(Side::server, 2);
  const std::size_t first = rig.client_writes("first key, ");
  client_sends_rest(rig, first);
  const std::size_t update = client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED);
  client_sends_rest(rig, update);
  const std::size_t second = rig.client_writes("second key, ");
  client_sends_rest(rig, second);
  const std::size_t again = client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED);
  const std::size_t third = rig.client_writes("third key");
  rig.client_sends(again, 10);  // cut, so that it goes into custody, where nothing can be put back
  client_sends_rest(rig, again + 10);
  CHECK(rig.server.in.empty());
  CHECK(rig.count(Drop::epoch_busy) == 1);
  client_sends_rest(rig, third);
  CHECK(rig.count(Drop::epoch_busy) == 2);
  rig.client_sends(first, update - first);
  rig.client_sends(second, again - second);
  rig.server_acks();
  client_sends_rest(rig, third);
  rig.server_acks();
  CHECK(rig.server_got() == "first key, second key, third key");
  CHECK(rig.client.acked == rig.client.out.size());
  CHECK(rig.count(Reset::key_update_flood) == 0);
}

TEST_CASE("I5: a record that is opened again two key updates later leaves no key behind when the flow has gone") {
  PathRig rig;
  rig.establish();
  rig.lose(Side::server, 1);
  const std::size_t at = rig.client_writes("two keys ago");
  client_sends_rest(rig, at);
  const std::size_t updates = client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED);
  client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED);
  for (std::size_t p = updates; p < rig.client.out.size(); p += 3) rig.client_sends(p, std::min<std::size_t>(3, rig.client.out.size() - p));
  CHECK(rig.count(Count::key_updates_received) == 2);
  rig.client_sends(at, updates - at);
  CHECK(rig.server_got() == "two keys ago");
  CHECK(rig.count(Count::records_reopened) == 1);
  client_sends_rest(rig, rig.client_writes(", and now"));
  CHECK(rig.server_got() == "two keys ago, and now");
  CHECK(rig.path().holdings().expanded_keys != 0);
  rig.client_sends(rig.client.out.size(), 0, sim::kRst);
  CHECK(rig.path().live_flows() == 0);
  CHECK(rig.path().holdings().expanded_keys == 0);
}

TEST_CASE("I3: the device changes its key in time by itself, and the client follows") {
  PathRig rig({.rekey_after_records = 3});
  rig.establish();
  std::string got;
  for (int i = 0; i < 20; ++i) {
    rig.server_sends(rig.server_writes(50), 50);
    got += rig.client_reads();
    rig.client_acks();
  }
  CHECK(got.size() == 1000);
  CHECK(rig.count(Count::key_updates_sent) >= 4);
  CHECK(rig.server.acked == 1000);
  CHECK(rig.held_chunks() == 0);
}

TEST_CASE("A15 over a rekey of ours: records of the old epoch and the KeyUpdate itself come again as they were") {
  PathRig rig({.rekey_after_records = 2});
  rig.establish();
  const std::size_t at = rig.server_writes(500);
  rig.lose(Side::client, 100);
  for (std::size_t i = 0; i < 5; ++i) rig.server_sends(at + i * 100, 100);
  CHECK(rig.count(Count::key_updates_sent) == 1);
  rig.lose(Side::client, 0);
  for (std::size_t i = 0; i < 5; ++i) rig.server_sends(at + i * 100, 100);
  rig.wait(3'000'000);  // the KeyUpdate is ours to resend
  CHECK(rig.client_reads() == PathRig::pattern(500));
  CHECK_FALSE(rig.client.is_contradicted);
  CHECK(rig.count(Count::records_resealed) == 5);
  rig.client_acks();
  CHECK(rig.server.acked == 500);
}

TEST_CASE("a flood of key updates ends the flow") {
  PathRig rig;
  rig.establish();
  for (int i = 0; i < 150 && rig.path().live_flows() == 1 && !rig.server.has_rst; ++i) {
    client_sends_rest(rig, client_updates(rig, SSL_KEY_UPDATE_NOT_REQUESTED));
  }
  CHECK(rig.count(Reset::key_update_flood) == 1);
  CHECK(rig.count(Count::key_updates_received) <= 102);  // 100 at once, one for the time it took, and the one too many
  CHECK(rig.server.has_rst);
}

TEST_CASE("TLS 1.2 renegotiation, which also is a handshake message after the handshake, is refused") {
  PathRig rig({.suite = 0xc02b});
  rig.establish();
  SSL_renegotiate(rig.tls().ssl());
  SSL_do_handshake(rig.tls().ssl());
  const std::size_t at = rig.take_client_tls();
  if (at < rig.client.out.size()) {
    client_sends_rest(rig, at);
    CHECK(rig.server.has_rst);
    CHECK(rig.count(Reset::unexpected_message) == 1);
  }
}
