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

TEST_CASE("JA4 and JA3 of hellos of real clients are those that a reading of their own gives") {
  // By thirty lines of Python that read the captured bytes after the two specifications and share nothing with this code. The JA3 of
  // Go's library is the one it is known by.
  struct Expected {
    const char* file;
    const char* ja4;
  };
  for (const Expected& expected : {
        Expected{"chromium", "t13d1517h2_8daaf6152771_cb7bf5808d99"},
        Expected{"curl", "t13i3111h2_e8f1e7e78f70_b26ce05bbdd6"},
        Expected{"gnutls_default", "t13d291300_723694b0fccc_2cc26d266019"},
        Expected{"gnutls_tls12", "t12i251000_7415a186c913_9cd001eb2487"},
        Expected{"go_http", "t13d190900_9dc949149365_97f8aa674fd9"},
        Expected{"java", "t13i371100_db35923f8641_7c76daad20ec"},
        Expected{"node", "t13d591000_a33745022dd6_1f22a2ca17c4"},
        Expected{"nss_tls12", "t12i320600_3acd2c70fcf0_6b16546de802"},
        Expected{"nss_tls13", "t13d351100_948423e5275c_496733ea6893"},
        Expected{"openssl_pq", "t13d301100_1d37bd780c83_0d46a1bf4a7c"},
        Expected{"openssl_psk", "t13i571000_131602cb7446_dbd39dd1d406"},
        Expected{"openssl_tls11", "t11i230500_44099cda8a52_195413a0cc0f"},
        Expected{"openssl_tls13", "t13d3111h2_e8f1e7e78f70_1f22a2ca17c4"},
        Expected{"python", "t13d181100_85036bcba153_d41ae481755e"},
        Expected{"wget", "t13d291300_723694b0fccc_899037bd0b8c"}}) {
    CAPTURE(std::string(expected.file));
    const ByteVector message = captured(expected.file);
    CHECK(to_string(ja4(*parse_client_hello(message))) == expected.ja4);
  }
  const ByteVector go = captured("go_http"), post_quantum = captured("openssl_pq");
  CHECK(to_string(ja3(*parse_client_hello(go))) == "473cd7cb9faa642487833865d516e578");
  CHECK(to_string(ja3(*parse_client_hello(post_quantum))) == "1a90ed1522533c739c8b5c6bc9f1709b");
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
