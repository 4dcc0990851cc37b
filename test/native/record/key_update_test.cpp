#include "record/key_update.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace cutwater;
using namespace cutwater::record;

using ByteVector = std::vector<std::uint8_t>;

TEST_CASE("a KeyUpdate that we emit is five bytes and reads back") {
  CHECK(emit_key_update(KeyUpdateRequest::not_requested) == std::array<std::uint8_t, 5>{24, 0, 0, 1, 0});
  CHECK(emit_key_update(KeyUpdateRequest::requested) == std::array<std::uint8_t, 5>{24, 0, 0, 1, 1});
  PostHandshakeReader reader;
  CHECK(*reader.take(Version::tls13, Writer::client, emit_key_update(KeyUpdateRequest::not_requested)) == PostHandshake::key_update);
  CHECK(*reader.take(Version::tls13, Writer::client, emit_key_update(KeyUpdateRequest::requested)) == PostHandshake::key_update_and_answer);
}

TEST_CASE("a KeyUpdate cut over records at any place is one KeyUpdate") {
  const auto whole = emit_key_update(KeyUpdateRequest::requested);
  for (std::size_t first = 1; first < whole.size(); ++first) {
    for (std::size_t second = first; second < whole.size(); ++second) {
      PostHandshakeReader reader;
      const Bytes bytes{whole};
      CHECK(*reader.take(Version::tls13, Writer::client, bytes.first(first)) == PostHandshake::partial);
      CHECK(reader.has_partial());
      if (second > first) CHECK(*reader.take(Version::tls13, Writer::client, bytes.subspan(first, second - first)) == PostHandshake::partial);
      CHECK(*reader.take(Version::tls13, Writer::client, bytes.subspan(second)) == PostHandshake::key_update_and_answer);
      CHECK_FALSE(reader.has_partial());
    }
  }
}

TEST_CASE("whatever else a client says after its handshake is refused, each with its alert") {
  struct Row { Version version; ByteVector fragment; PostHandshakeError error; Alert alert; };
  const Row rows[] = {
      {Version::tls13, {1, 0, 0, 40, 3, 3}, PostHandshakeError::unexpected_type, Alert::unexpected_message},
      {Version::tls13, {4, 0, 0, 1, 0}, PostHandshakeError::unexpected_type, Alert::unexpected_message},
      {Version::tls13, {11}, PostHandshakeError::unexpected_type, Alert::unexpected_message},
      {Version::tls13, {24, 0, 0, 2, 0, 0}, PostHandshakeError::bad_length, Alert::decode_error},
      {Version::tls13, {24, 0, 0, 0}, PostHandshakeError::bad_length, Alert::decode_error},
      {Version::tls13, {24, 1}, PostHandshakeError::bad_length, Alert::decode_error},
      {Version::tls13, {24, 0, 0, 1, 2}, PostHandshakeError::bad_request, Alert::illegal_parameter},
      {Version::tls13, {24, 0, 0, 1, 0, 24}, PostHandshakeError::trailing_bytes, Alert::unexpected_message},
      {Version::tls13, {24, 0, 0, 1, 0, 24, 0, 0, 1, 0}, PostHandshakeError::trailing_bytes, Alert::unexpected_message},
      {Version::tls12, {1, 0, 0, 40, 3, 3}, PostHandshakeError::renegotiation, Alert::no_renegotiation},
      {Version::tls12, {24, 0, 0, 1, 0}, PostHandshakeError::unexpected_type, Alert::unexpected_message},
      {Version::tls13, {}, PostHandshakeError::unexpected_type, Alert::unexpected_message},
      {Version::tls12, {}, PostHandshakeError::unexpected_type, Alert::unexpected_message},
      {Version::tls12, {0, 0, 0, 0}, PostHandshakeError::unexpected_type, Alert::unexpected_message},
  };
  for (const Row& row : rows) {
    CAPTURE(row.fragment.size());
    PostHandshakeReader reader;
    const auto result = reader.take(row.version, Writer::client, row.fragment);
    REQUIRE_FALSE(result);
    CHECK(result.error() == row.error);
    CHECK(alert_for(result.error()) == row.alert);
  }
}

TEST_CASE("KeyUpdates are limited to 100 at once and 100 a second") {
  KeyUpdateLimit limit;
  const Tick start{5'000'000};
  int admitted = 0;
  for (int i = 0; i < 1000; ++i) admitted += limit.admit(start) ? 1 : 0;
  CHECK(admitted == 100);
  for (std::uint64_t us = 0; us < 10'000'000; us += 1'000) admitted += limit.admit(start + us) ? 1 : 0;
  CHECK(admitted >= 100 + 999);
  CHECK(admitted <= 100 + 1001);
  CHECK(limit.admit(start + 60'000'000));
}

TEST_CASE("a client that updates once a second is never limited") {
  KeyUpdateLimit limit;
  for (std::uint64_t second = 0; second < 10'000; ++second) CHECK(limit.admit(Tick{second * 1'000'000}));
}

TEST_CASE("H10: a server's tickets are passed over in any cut, and a KeyUpdate among them is found") {
  ByteVector all;
  const auto add_ticket = [&all](std::size_t bytes) {
    all.insert(all.end(), {4, static_cast<std::uint8_t>(bytes >> 16), static_cast<std::uint8_t>(bytes >> 8), static_cast<std::uint8_t>(bytes)});
    for (std::size_t i = 0; i < bytes; ++i) all.push_back(static_cast<std::uint8_t>(24));  // looks like a KeyUpdate all along
  };
  add_ticket(0), add_ticket(1), add_ticket(300), add_ticket(70'000);
  const auto update = emit_key_update(KeyUpdateRequest::requested);
  all.insert(all.end(), update.begin(), update.end());
  for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{5}, std::size_t{7}, std::size_t{304}, all.size()}) {
    PostHandshakeReader reader;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      const auto result = reader.take(Version::tls13, Writer::server, Bytes(all).subspan(at, std::min(piece, all.size() - at)));
      REQUIRE(result);
      const bool is_last = at + piece >= all.size();
      CHECK((*result == PostHandshake::key_update_and_answer) == is_last);
      CHECK(reader.has_partial() == (*result == PostHandshake::partial));
    }
  }
}

TEST_CASE("H10: what a server may not say after its handshake is refused as well") {
  struct Row { Version version; ByteVector fragment; PostHandshakeError error; };
  const Row rows[] = {
      {Version::tls13, {1, 0, 0, 40, 3, 3}, PostHandshakeError::unexpected_type},
      {Version::tls13, {13, 0, 0, 1, 0}, PostHandshakeError::unexpected_type},  // we offer no post-handshake authentication
      {Version::tls13, {4, 0, 0, 1, 0, 13}, PostHandshakeError::unexpected_type},
      {Version::tls13, {4, 3, 0, 0}, PostHandshakeError::bad_length},
      {Version::tls13, {24, 0, 0, 1, 0, 4, 0, 0, 0}, PostHandshakeError::trailing_bytes},
      {Version::tls12, {0, 0, 0, 1, 0}, PostHandshakeError::bad_length},
      {Version::tls12, {4, 0, 0, 1, 0}, PostHandshakeError::unexpected_type},
      {Version::tls12, {24, 0, 0, 1, 0}, PostHandshakeError::unexpected_type},
  };
  for (const Row& row : rows) {
    PostHandshakeReader reader;
    const auto result = reader.take(row.version, Writer::server, row.fragment);
    REQUIRE_FALSE(result);
    CHECK(result.error() == row.error);
  }
  PostHandshakeReader reader;
  CHECK(*reader.take(Version::tls12, Writer::server, ByteVector{0, 0, 0, 0}) == PostHandshake::passed_over);
  CHECK_FALSE(reader.has_partial());
}
