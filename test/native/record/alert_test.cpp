#include "record/alert.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace cutwater;
using namespace cutwater::record;

namespace {

struct Row {
  Version version;
  std::vector<std::uint8_t> fragment;
  AlertMeaning meaning;
};

}  // namespace

TEST_CASE("A16: close_notify closes, user_canceled is ignored, the rest ends the connection") {
  const Row rows[] = {
      {Version::tls13, {1, 0}, AlertMeaning::close},    {Version::tls13, {2, 0}, AlertMeaning::close},
      {Version::tls12, {1, 0}, AlertMeaning::close},    {Version::tls13, {1, 90}, AlertMeaning::ignore},
      {Version::tls13, {2, 90}, AlertMeaning::ignore},  {Version::tls12, {1, 90}, AlertMeaning::ignore},
      {Version::tls13, {1, 100}, AlertMeaning::failure},  // the level does not soften an alert in TLS 1.3
      {Version::tls12, {1, 100}, AlertMeaning::ignore}, {Version::tls12, {2, 20}, AlertMeaning::failure},
      {Version::tls13, {2, 20}, AlertMeaning::failure}, {Version::tls13, {77, 42}, AlertMeaning::failure},
      {Version::tls13, {1, 250}, AlertMeaning::failure},
  };
  for (const Row& row : rows) {
    CAPTURE(row.fragment[0]);
    CAPTURE(row.fragment[1]);
    const auto alert = parse_alert(row.version, row.fragment);
    REQUIRE(alert);
    CHECK(alert->meaning == row.meaning);
    CHECK(alert->description == static_cast<Alert>(row.fragment[1]));
  }
}

TEST_CASE("an alert that is cut, joined with another or of no level is a decode_error") {
  for (const std::vector<std::uint8_t>& fragment : {std::vector<std::uint8_t>{}, {1}, {1, 0, 1}, {1, 0, 1, 0}}) {
    for (const Version version : {Version::tls12, Version::tls13}) {
      const auto alert = parse_alert(version, fragment);
      REQUIRE_FALSE(alert);
      CHECK(alert.error() == Alert::decode_error);
    }
  }
  CHECK_FALSE(parse_alert(Version::tls12, std::vector<std::uint8_t>{3, 0}));
}

TEST_CASE("an emitted alert reads back, close_notify as a warning and errors as fatal") {
  CHECK(emit_alert(Alert::close_notify) == std::array<std::uint8_t, 2>{1, 0});
  CHECK(emit_alert(Alert::bad_record_mac) == std::array<std::uint8_t, 2>{2, 20});
  for (const Alert alert : {Alert::unexpected_message, Alert::record_overflow, Alert::no_renegotiation}) {
    const auto bytes = emit_alert(alert);
    const auto read = parse_alert(Version::tls12, bytes);
    REQUIRE(read);
    CHECK(read->description == alert);
    CHECK(read->meaning == AlertMeaning::failure);
  }
}
