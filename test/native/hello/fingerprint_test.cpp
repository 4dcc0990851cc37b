#include "hello/fingerprint.hpp"

#include <doctest/doctest.h>

#include "native/hello/hello_builder.hpp"

using namespace cutwater;
using namespace cutwater::hello;
using namespace cutwater::hello::test;

TEST_CASE("JA3 agrees with Wireshark on hellos of real clients") {
  // Hashes by tshark 4.0.17: -T fields -e tls.handshake.ja3
  struct Expected {
    const char* file;
    const char* ja3;
  };
  for (const Expected& expected :
       {Expected{"chromium", "fa25d32b25fe5777bbbe7f39de4929c1"}, Expected{"curl", "78f0dc5ac5b19daf131a133cfdee9691"},
        Expected{"gnutls_default", "f35ce21b44ac0b87d3266294bb1b0e20"},
        Expected{"java", "795a08fe385896aee616d3b7236502da"}, Expected{"nss_tls13", "ab5db42466846be28dbb1efc688a4608"},
        Expected{"openssl_early_data", "136d786b027136ea072db946bf6780c5"},
        Expected{"openssl_psk", "3863f41670623e9a1e943750d8947b0f"},
        Expected{"openssl_ticket12", "fbe7e189e37a07ee33706f86bc746344"},
        Expected{"openssl_tls11", "1cc6e836247808b61d8e8dfbc48ad934"},
        Expected{"python", "93c7d42c0df602fb91589311534831f5"}}) {
    CAPTURE(std::string(expected.file));
    const ByteVector message = captured(expected.file);
    const auto hello = parse_client_hello(message);
    REQUIRE(hello.has_value());
    CHECK(to_string(ja3(*hello)) == expected.ja3);
  }
}

TEST_CASE("JA4 of the hello in its own specification is the published one") {
  HelloBuilder builder;
  builder.suites = numbers({0x4a4a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013,
                            0xc014, 0x009c, 0x009d, 0x002f, 0x0035});
  builder.add(0x8a8a, {})
      .add(0x001b, ByteVector{2, 0, 2})
      .add(0x0000, name_body("shop.example"))
      .add(0x0033, vector16(joined({numbers({29}), vector16(ByteVector(32))})))
      .add(0x0010, vector16(joined({vector8(text("h2")), vector8(text("http/1.1"))})))
      .add(0x4469, {})
      .add(0x0017, {})
      .add(0x002d, ByteVector{1, 1})
      .add(0x000d, vector16(numbers({0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601})))
      .add(0x0005, {})
      .add(0x0023, {})
      .add(0x0012, {})
      .add(0x002b, vector8(numbers({0x6a6a, 0x0304, 0x0303})))
      .add(0xff01, ByteVector{0})
      .add(0x000b, ByteVector{1, 0})
      .add(0x000a, vector16(numbers({0x2a2a, 29})))
      .add(0x0015, ByteVector(3));
  const ByteVector message = builder.message();
  const auto hello = parse_client_hello(message);
  REQUIRE(hello.has_value());
  CHECK(to_string(ja4(*hello)) == "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

TEST_CASE("JA4 of a bare hello: no name, no protocol, no extensions") {
  HelloBuilder builder;
  builder.has_extensions = false;
  const ByteVector message = builder.message();
  const std::string text{to_string(ja4(*parse_client_hello(message)))};
  CHECK(text.substr(0, 11) == "t12i020000_");
  CHECK(text.substr(text.size() - 13) == "_000000000000");
}

TEST_CASE("JA4 shows a protocol that is no text by its hex digits") {
  const auto code = [](Bytes protocol) {
    const ByteVector message = HelloBuilder{}.add(16, vector16(vector8(protocol))).message();
    return std::string(to_string(ja4(*parse_client_hello(message)))).substr(8, 2);
  };
  CHECK(code(ByteVector{0xab}) == "ab");
  CHECK(code(ByteVector{0xab, 0xcd}) == "ad");
  CHECK(code(ByteVector{0x30, 0x31, 0xab}) == "3b");
  CHECK(code(text("http/1.1")) == "h1");
  CHECK(code(text("x")) == "xx");
}
