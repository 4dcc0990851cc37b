#include "hello/client_hello.hpp"

#include <doctest/doctest.h>

#include "native/hello/hello_builder.hpp"

using namespace cutwater;
using namespace cutwater::hello;
using namespace cutwater::hello::test;

namespace {

/// The error of a hello that must be refused.
HelloError refused(const ByteVector& message) {
  const auto parsed = parse_client_hello(message);
  REQUIRE_FALSE(parsed.has_value());
  CHECK_FALSE(to_string(parsed.error()).empty());
  CHECK(alert_for(parsed.error()) != 0);
  return parsed.error();
}

HelloError refused_extension(std::uint16_t type, const ByteVector& body) {
  return refused(HelloBuilder{}.add(type, body).message());
}

const ByteVector kOneIdentity = joined({vector16(text("ticket")), {0, 0, 0, 9}});
const ByteVector kOneBinder = vector8(ByteVector(32, 1));

}  // namespace

// What they hold was read from tshark 4.0.17's dissection.
TEST_CASE("H1: hellos of real clients are read whole") {
  struct Expected {
    const char* file;
    const char* name;
    const char* protocol;
    bool has_tls13, has_ems, has_psk, has_ticket;
  };
  for (const Expected& expected : {
           Expected{"chromium", "shop.example", "h2", true, true, false, true},
           Expected{"curl", "", "h2", true, true, false, false},
           Expected{"curl_name", "shop.example", "h2", true, true, false, false},
           Expected{"gnutls_default", "shop.example", "", true, true, false, true},
           Expected{"gnutls_legacy", "", "h2", true, false, false, true},
           Expected{"gnutls_tls12", "", "", false, true, false, true},
           Expected{"go_http", "shop.example", "", true, false, false, false},
           Expected{"java", "", "", true, true, false, true},
           Expected{"node", "localhost", "", true, true, false, true},
           Expected{"nss_tls12", "", "", false, true, false, false},
           Expected{"nss_tls13", "shop.example", "", true, true, false, false},
           Expected{"openssl_early_data", "", "", true, true, true, true},
           Expected{"openssl_maxfrag", "", "", true, true, false, true},
           Expected{"openssl_pq", "shop.example", "", true, true, false, true},
           Expected{"openssl_psk", "", "", true, true, true, true},
           Expected{"openssl_ticket12", "", "", false, true, false, true},
           Expected{"openssl_tls11", "", "", false, true, false, true},
           Expected{"openssl_tls12", "shop.example", "", false, true, false, true},
           Expected{"openssl_tls13", "shop.example", "h2", true, true, false, true},
           Expected{"python", "localhost", "", true, true, false, true},
           Expected{"wget", "localhost", "", true, false, false, true},
       }) {
    CAPTURE(std::string(expected.file));
    const ByteVector message = captured(expected.file);
    const auto hello = parse_client_hello(message);
    REQUIRE(hello.has_value());
    CHECK(hello->server_name == expected.name);
    CHECK((hello->protocols.empty() ? "" : *hello->protocols.begin()) == std::string_view(expected.protocol));
    CHECK(hello->offers(0x0304) == expected.has_tls13);
    CHECK(hello->has_extended_master_secret == expected.has_ems);
    CHECK(hello->has_psk == expected.has_psk);
    CHECK(hello->has_session_ticket == expected.has_ticket);
    CHECK(hello->random.size() == kRandomBytes);
    std::size_t extensions = 0;
    for ([[maybe_unused]] const Extension extension : hello->extensions) ++extensions;
    CHECK(extensions == hello->extension_count);
  }
}

TEST_CASE("H1: the rarer offers of real clients are seen") {
  const ByteVector fragment = captured("openssl_maxfrag");
  CHECK(parse_client_hello(fragment)->max_fragment_bytes == 1024);
  const ByteVector early = captured("openssl_early_data");
  CHECK(parse_client_hello(early)->has_early_data);
  CHECK((*parse_client_hello(early)->psk_identities.begin()).identity.size() == 32);
  const ByteVector ticket = captured("openssl_ticket12");
  CHECK_FALSE(parse_client_hello(ticket)->session_ticket.empty());
  CHECK(parse_client_hello(captured("chromium"))->has_encrypted_hello);
  for (const char* file : {"chromium", "openssl_pq"}) {
    constexpr std::uint16_t kX25519Mlkem768 = 0x11ec;
    const ByteVector message = captured(file);
    CHECK(message.size() > 1460);  // spans two packets
    std::size_t share_bytes = 0;
    const auto hello = parse_client_hello(message);
    for (const KeyShare share : hello->key_shares) share_bytes = share.group == kX25519Mlkem768 ? share.key.size() : share_bytes;
    CHECK(share_bytes == 1184 + 32);
  }
  const ByteVector gnutls = captured("gnutls_default");
  CHECK(parse_client_hello(gnutls)->record_size_limit == 16385);
}

TEST_CASE("H1: every view lies inside the message") {
  for (const auto& entry : std::filesystem::directory_iterator(corpus())) {
    const ByteVector message = captured(entry.path().filename().string());
    const auto hello = parse_client_hello(message);
    if (!hello) continue;
    const auto is_inside = [&](Bytes view) {
      return view.empty() ||
             (view.data() >= message.data() && view.data() + view.size() <= message.data() + message.size());
    };
    for (const Bytes view : {hello->random, hello->session_id, hello->suites.bytes(), hello->compression_methods,
                             hello->extensions.bytes(), hello->protocols.bytes(), hello->versions.bytes(),
                             hello->groups.bytes(), hello->key_shares.bytes(), hello->signature_schemes.bytes(),
                             hello->psk_identities.bytes(), hello->psk_binders, hello->cookie, hello->session_ticket}) {
      CHECK(is_inside(view));
    }
  }
}

TEST_CASE("H1: a hello cut at any byte is refused, and its length is known from the fourth byte") {
  for (const char* file : {"chromium", "openssl_tls13", "nss_tls13", "openssl_early_data"}) {
    const ByteVector message = captured(file);
    for (std::size_t bytes = 0; bytes < message.size(); ++bytes) {
      const Bytes cut = Bytes{message}.first(bytes);
      CHECK_FALSE(parse_client_hello(cut).has_value());
      CHECK(message_bytes(cut).has_value() == (bytes >= kMessageHeaderBytes));
    }
    CHECK(message_bytes(message) == message.size());
  }
}

TEST_CASE("H1: shortened inside but with a true outer length, a hello is refused or its views stay inside") {
  for (const char* file : {"chromium", "openssl_tls13", "gnutls_legacy"}) {
    const ByteVector message = captured(file);
    for (std::size_t bytes = kMessageHeaderBytes; bytes < message.size(); ++bytes) {
      ByteVector cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(bytes));
      cut[2] = static_cast<std::uint8_t>((bytes - kMessageHeaderBytes) >> 8);
      cut[3] = static_cast<std::uint8_t>(bytes - kMessageHeaderBytes);
      // Only where the extensions begin can a shorter hello be whole: an old client has none.
      if (const auto hello = parse_client_hello(cut)) CHECK(hello->extension_count == 0);
    }
  }
}

TEST_CASE("H1: a minimal hello has no extensions and offers TLS 1.2") {
  HelloBuilder builder;
  builder.has_extensions = false;
  const ByteVector message = builder.message();
  const auto hello = parse_client_hello(message);
  REQUIRE(hello.has_value());
  CHECK(hello->offers(0x0303));
  CHECK(hello->offers(0x0302));
  CHECK_FALSE(hello->offers(0x0304));
  CHECK(hello->suites.contains(std::uint16_t{0x1301}));
  CHECK_FALSE(hello->has_renegotiation_info);
}

TEST_CASE("H1: the fixed part is refused for each fault of its own") {
  ByteVector message = HelloBuilder{}.message();
  message[0] = 2;
  CHECK(refused(message) == HelloError::not_client_hello);
  message = HelloBuilder{}.message();
  message.push_back(0);
  CHECK(refused(message) == HelloError::trailing_bytes);
  CHECK(refused({}) == HelloError::truncated);
  CHECK(refused(HelloBuilder{.session_id = ByteVector(33)}.message()) == HelloError::bad_session_id);
  CHECK(refused(HelloBuilder{.suites = {}}.message()) == HelloError::bad_suites);
  CHECK(refused(HelloBuilder{.suites = ByteVector(3)}.message()) == HelloError::bad_suites);
  CHECK(refused(HelloBuilder{.compression = {}}.message()) == HelloError::bad_compression);
  CHECK(refused(HelloBuilder{.compression = {1}}.message()) == HelloError::bad_compression);
  CHECK(refused(HelloBuilder{.extensions = {0, 0, 0}}.message()) == HelloError::bad_extensions);
  CHECK(refused(HelloBuilder{.extensions = {0, 23, 0, 9}}.message()) == HelloError::bad_extensions);
}

TEST_CASE("H1: an extension is refused for each fault of its own") {
  const auto bytes = [](std::initializer_list<std::uint8_t> list) { return ByteVector(list); };
  CHECK(refused_extension(0, {}) == HelloError::bad_server_name);
  CHECK(refused_extension(0, name_body("")) == HelloError::bad_server_name);
  CHECK(refused_extension(0, name_body(std::string(256, 'a'))) == HelloError::bad_server_name);
  CHECK(refused_extension(0, name_body(std::string_view("a\0b", 3))) == HelloError::bad_server_name);
  CHECK(refused_extension(0, vector16(joined({{0}, vector16(text("a")), {0}, vector16(text("b"))}))) ==
        HelloError::bad_server_name);
  CHECK(refused_extension(0, vector16(joined({{1}, vector16(text("a"))}))) == HelloError::bad_server_name);
  CHECK(refused_extension(1, bytes({0})) == HelloError::bad_fragment_length);
  CHECK(refused_extension(1, bytes({5})) == HelloError::bad_fragment_length);
  CHECK(refused_extension(1, bytes({1, 1})) == HelloError::bad_fragment_length);
  CHECK(refused_extension(28, bytes({0, 63})) == HelloError::bad_fragment_length);
  CHECK(refused_extension(10, vector16({})) == HelloError::bad_groups);
  CHECK(refused_extension(10, vector16(ByteVector(3))) == HelloError::bad_groups);
  CHECK(refused_extension(11, vector8({})) == HelloError::bad_point_formats);
  CHECK(refused_extension(13, vector16(ByteVector(1))) == HelloError::bad_signature_schemes);
  CHECK(refused_extension(50, vector16({})) == HelloError::bad_signature_schemes);
  CHECK(refused_extension(16, vector16({})) == HelloError::bad_protocols);
  CHECK(refused_extension(16, vector16(joined({vector8(text("h2")), {0}}))) == HelloError::bad_protocols);
  CHECK(refused_extension(16, vector16(bytes({9, 'h', '2'}))) == HelloError::bad_protocols);
  CHECK(refused_extension(23, bytes({0})) == HelloError::bad_flag);
  CHECK(refused_extension(42, bytes({0})) == HelloError::bad_flag);
  CHECK(refused_extension(43, vector8({})) == HelloError::bad_versions);
  CHECK(refused_extension(43, vector8(ByteVector(3))) == HelloError::bad_versions);
  CHECK(refused_extension(44, vector16({})) == HelloError::bad_cookie);
  CHECK(refused_extension(45, vector8({})) == HelloError::bad_psk_modes);
  CHECK(refused_extension(0xff01, bytes({1, 0})) == HelloError::bad_renegotiation);
  CHECK(refused_extension(0xfe0d, bytes({2})) == HelloError::bad_encrypted_hello);
  CHECK(refused_extension(0xfe0d, bytes({0, 0, 1, 0, 1, 7})) == HelloError::bad_encrypted_hello);
  const ByteVector share = joined({numbers({29}), vector16(ByteVector(32))});
  CHECK(refused_extension(51, vector16(joined({share, share}))) == HelloError::bad_key_share);
  CHECK(refused_extension(51, vector16(joined({numbers({29}), vector16({})}))) == HelloError::bad_key_share);
  CHECK(refused_extension(51, bytes({0, 4, 0, 29, 0, 9})) == HelloError::bad_key_share);
}

TEST_CASE("H6: pre-shared keys come last, with modes, and with a binder each") {
  const ByteVector modes = vector8(ByteVector{1});
  const ByteVector psk = joined({vector16(kOneIdentity), vector16(kOneBinder)});
  const ByteVector good = HelloBuilder{}.add(45, modes).add(41, psk).message();
  const auto hello = parse_client_hello(good);
  REQUIRE(hello.has_value());
  const PskIdentity identity = *hello->psk_identities.begin();
  CHECK(identity.identity.size() == 6);
  CHECK(identity.obfuscated_age_ms == 9);
  CHECK(refused(HelloBuilder{}.add(41, psk).message()) == HelloError::no_psk_modes);
  CHECK(refused(HelloBuilder{}.add(45, modes).add(41, psk).add(23, {}).message()) == HelloError::psk_not_last);
  const auto with = [&](const ByteVector& identities, const ByteVector& binders) {
    return HelloBuilder{}.add(45, modes).add(41, joined({vector16(identities), vector16(binders)})).message();
  };
  CHECK(refused(with(joined({kOneIdentity, kOneIdentity}), kOneBinder)) == HelloError::bad_psk);
  CHECK(refused(with(kOneIdentity, joined({kOneBinder, kOneBinder}))) == HelloError::bad_psk);
  CHECK(refused(with(kOneIdentity, vector8(ByteVector(31)))) == HelloError::bad_psk);
  CHECK(refused(with({}, {})) == HelloError::bad_psk);
}

TEST_CASE("H1: extensions are bounded, and none comes twice") {
  HelloBuilder most;
  for (std::uint16_t type = 0; type < kMaxExtensions; ++type) most.add(static_cast<std::uint16_t>(0x4000 + type), {});
  const ByteVector full = most.message();
  CHECK(parse_client_hello(full)->extension_count == kMaxExtensions);
  CHECK(refused(most.add(0x5000, {}).message()) == HelloError::too_many_extensions);
  // Types 0x4000 and 0x4100 share a bit in the search; 0x4000 twice must still be found.
  const ByteVector alike = HelloBuilder{}.add(0x4000, {}).add(0x4100, {}).message();
  CHECK(parse_client_hello(alike).has_value());
  CHECK(refused(HelloBuilder{}.add(0x4000, {}).add(0x4100, {}).add(0x4000, {}).message()) ==
        HelloError::duplicate_extension);
  CHECK(refused(HelloBuilder{}.add(23, {}).add(23, {}).message()) == HelloError::duplicate_extension);
}

TEST_CASE("H1: GREASE is tolerated everywhere") {
  HelloBuilder builder;
  builder.suites = numbers({0x8a8a, 0x1301});
  const ByteVector message =
      builder.add(0x3a3a, {})
          .add(10, vector16(numbers({0x1a1a, 29})))
          .add(43, vector8(numbers({0x5a5a, 0x0304})))
          .add(51,
               vector16(joined({numbers({0x1a1a}), vector16(ByteVector(1)), numbers({29}), vector16(ByteVector(32))})))
          .add(0xdada, ByteVector(1))
          .message();
  const auto hello = parse_client_hello(message);
  REQUIRE(hello.has_value());
  CHECK(hello->offers(0x0304));
  CHECK(is_grease(0x0a0a));
  CHECK(is_grease(0xfafa));
  CHECK_FALSE(is_grease(0x0a1a));
  CHECK_FALSE(is_grease(0x0b0b));
}

TEST_CASE("H9: the renegotiation signal is seen as suite and as extension") {
  const ByteVector suite = HelloBuilder{.suites = numbers({0x1301, 0x00ff})}.message();
  CHECK(parse_client_hello(suite)->has_renegotiation_info);
  const ByteVector extension = HelloBuilder{}.add(0xff01, ByteVector{0}).message();
  CHECK(parse_client_hello(extension)->has_renegotiation_info);
}
