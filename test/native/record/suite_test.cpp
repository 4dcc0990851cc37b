#include "record/suite.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace cutwater::record;

TEST_CASE("every suite has the sizes its RFC gives it") {
  for (const Suite& suite : all_suites()) {
    CAPTURE(suite.name);
    const bool is_chacha = suite.cipher == Cipher::chacha20_poly1305;
    CHECK(suite.key_bytes == (suite.cipher == Cipher::aes_128_gcm ? 16 : 32));
    CHECK(suite.hash == (suite.cipher == Cipher::aes_256_gcm ? Hash::sha384 : Hash::sha256));
    if (suite.version == Version::tls13) {
      CHECK(suite.overhead_bytes() == 22);
      CHECK(suite.front_bytes() == 5);
    } else {
      CHECK(suite.overhead_bytes() == (is_chacha ? 21 : 29));
      CHECK(suite.front_bytes() == (is_chacha ? 5 : 13));
    }
    CHECK(suite.overhead_bytes() <= kMaxOverheadBytes);
    if (!is_chacha && suite.version == Version::tls13) CHECK(suite.seal_limit <= 23'726'566);  // 2^24.5, RFC 9846 5.5
  }
}

TEST_CASE("A18: a suite is found in its own version only, and CBC suites have no row") {
  std::set<std::uint16_t> seen;
  for (const Suite& suite : all_suites()) {
    CHECK(find_suite(suite.iana, suite.version) == &suite);
    CHECK(find_suite(suite.iana, suite.version == Version::tls13 ? Version::tls12 : Version::tls13) == nullptr);
    CHECK(seen.insert(suite.iana).second);
  }
  CHECK(seen.size() == 14);
  for (const std::uint16_t cbc : std::initializer_list<std::uint16_t>{0x002F, 0x0035, 0x003C, 0xC013, 0xC014, 0xC027, 0xC02E, 0x1304, 0x1305}) {
    CHECK(find_suite(cbc, Version::tls12) == nullptr);
    CHECK(find_suite(cbc, Version::tls13) == nullptr);
  }
}
