// PROXY protocol 2, read by a decoder of the test's own from the words of the specification.
#include <doctest/doctest.h>

#include <map>
#include <string>

#include "balance/proxy_header.hpp"

using namespace cutwater;
using namespace cutwater::balance;

namespace {

using Tlvs = std::map<std::uint8_t, std::string>;

Tlvs tlvs_of(std::string_view bytes) {
  Tlvs out;
  while (!bytes.empty()) {
    REQUIRE(bytes.size() >= 3);
    const std::size_t n = static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[1])) * 256 + static_cast<std::uint8_t>(bytes[2]);
    REQUIRE(bytes.size() >= 3 + n);
    CHECK(out.emplace(static_cast<std::uint8_t>(bytes[0]), bytes.substr(3, n)).second);
    bytes.remove_prefix(3 + n);
  }
  return out;
}

std::string text(const std::vector<std::uint8_t>& bytes) { return {bytes.begin(), bytes.end()}; }

IpAddress v4(std::uint8_t host) {
  const std::uint8_t bytes[4] = {192, 0, 2, host};
  return IpAddress::from_v4(bytes);
}

IpAddress v6(std::uint8_t host) {
  std::array<std::uint8_t, 16> bytes{0x20, 0x01, 0x0d, 0xb8};
  bytes[15] = host;
  return IpAddress::from_v6(bytes.data());
}

}  // namespace

TEST_CASE("A8: the header names both ends, byte for byte as the specification lays them out") {
  const auto header = proxy_header({v4(7), 50'000}, {v4(9), 443}, nullptr);
  CHECK(text(header) == std::string("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\7\xc0\0\2\x09\xc3\x50\x01\xbb", 28));
  const auto six = proxy_header({v6(7), 1}, {v6(9), 2}, nullptr);
  REQUIRE(six.size() == 16 + 36);
  CHECK(six[13] == 0x21);
  CHECK(six[15] == 36);
  CHECK(std::memcmp(six.data() + 16, v6(7).bytes.data(), 16) == 0);
  CHECK(std::memcmp(six.data() + 32, v6(9).bytes.data(), 16) == 0);
  CHECK(text(six).substr(48) == std::string("\0\1\0\2", 4));
}

TEST_CASE("A8: with TLVs the server learns version, cipher, ALPN, name, and who the client proved to be") {
  const ProxyTls tls{.version = "TLSv1.3", .cipher = "TLS_AES_128_GCM_SHA256", .protocol = "h2", .server_name = "shop.example",
                     .client_name = "alice", .has_client_certificate = true};
  const auto header = proxy_header({v4(7), 50'000}, {v4(9), 443}, &tls);
  CHECK(static_cast<std::size_t>(header[14] * 256 + header[15]) == header.size() - 16);
  const std::string all = text(header);
  const Tlvs outer = tlvs_of(std::string_view(all).substr(28));
  CHECK(outer.at(0x01) == "h2");
  CHECK(outer.at(0x02) == "shop.example");
  const std::string& ssl = outer.at(0x20);
  CHECK(ssl.substr(0, 5) == std::string("\7\0\0\0\0", 5));
  const Tlvs inner = tlvs_of(std::string_view(ssl).substr(5));
  CHECK(inner == Tlvs{{0x21, "TLSv1.3"}, {0x22, "alice"}, {0x23, "TLS_AES_128_GCM_SHA256"}});
}

TEST_CASE("A8: without a certificate the client is not called verified; what is not known or absurdly long is left out") {
  const std::string endless(300, 'x');
  const ProxyTls tls{.version = "TLSv1.2", .cipher = "C", .protocol = "", .server_name = endless, .client_name = ""};
  const std::string all = text(proxy_header({v4(7), 50'000}, {v4(9), 443}, &tls));
  const Tlvs outer = tlvs_of(std::string_view(all).substr(28));
  CHECK(outer.size() == 1);
  CHECK(outer.at(0x20).substr(0, 5) == std::string("\1\0\0\0\1", 5));
}
