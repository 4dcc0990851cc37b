// The record layer against the trace of RFC 8448 section 3.
#include <doctest/doctest.h>

#include <numeric>

#include "record/traffic_secret.hpp"
#include "support/record_room.hpp"
#include "vectors/hex.hpp"
#include "vectors/rfc8448.hpp"

using namespace cutwater;
using namespace cutwater::record;
using vectors::hex;
namespace trace = vectors::rfc8448;

namespace {

const Suite& suite() { return *find_suite(0x1301, Version::tls13); }

std::vector<std::uint8_t> zero_to_49() {
  std::vector<std::uint8_t> bytes(50);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

struct Row {
  const trace::Side& side;
  std::uint64_t number;
  std::string_view record;
  ContentType type;
  std::size_t fragment_bytes;
};
const Row kRows[] = {
    {trace::kClientHandshake, 0, trace::kClientFinishedRecord, ContentType::handshake, 36},
    {trace::kServerApplication, 0, trace::kServerTicketRecord, ContentType::handshake, 205},
    {trace::kClientApplication, 0, trace::kClientDataRecord, ContentType::application_data, 50},
    {trace::kServerApplication, 1, trace::kServerDataRecord, ContentType::application_data, 50},
    {trace::kClientApplication, 1, trace::kClientCloseRecord, ContentType::alert, 2},
    {trace::kServerApplication, 2, trace::kServerCloseRecord, ContentType::alert, 2},
};

}  // namespace

TEST_CASE("RFC 8448: traffic secrets give the trace's keys and IVs") {
  for (const auto* side : {&trace::kServerHandshake, &trace::kClientHandshake, &trace::kServerApplication, &trace::kClientApplication}) {
    const TrafficKeys keys = derive_keys(suite(), TrafficSecret{hex(side->traffic_secret)});
    CHECK(std::vector<std::uint8_t>(keys.key.begin(), keys.key.begin() + 16) == hex(side->key));
    CHECK(std::vector<std::uint8_t>(keys.iv.begin(), keys.iv.end()) == hex(side->iv));
  }
}

TEST_CASE("A1, A2: the trace's records open, and seal again to the same bytes") {
  for (const Aead* aead : support::backends()) {
    for (const Row& row : kRows) {
      CAPTURE(aead->name);
      CAPTURE(row.record);
      const TrafficKeys keys = derive_keys(suite(), TrafficSecret{hex(row.side.traffic_secret)});
      ExpandedKey key;
      aead->expand(suite(), keys, key);
      auto record = hex(row.record);
      const Opened opened = aead->open(key, keys, row.number, record);
      REQUIRE(opened.status == Opened::Status::ok);
      CHECK(opened.type == row.type);
      CHECK(opened.fragment.size() == row.fragment_bytes);
      if (row.type == ContentType::application_data) {
        CHECK(std::vector<std::uint8_t>(opened.fragment.begin(), opened.fragment.end()) == zero_to_49());
      }
      CHECK(support::sealed(*aead, key, keys, row.number, row.type, opened.fragment) == hex(row.record));
    }
  }
}
