// IPsec-MB against OpenSSL: what one seals the other opens, to the byte, over all suites, sizes and cuts.
#include <doctest/doctest.h>

#include "support/record_room.hpp"

using namespace cutwater;
using namespace cutwater::record;
using ByteVector = std::vector<std::uint8_t>;

namespace {

/// One key, expanded by both.
struct Twins {
  const Aead& a;
  const Aead& b;
  const Suite& suite;
  TrafficKeys keys;
  ExpandedKey key_a, key_b;

  Twins(const Aead& first, const Aead& second, const Suite& s, std::mt19937_64& random)
      : a(first), b(second), suite(s), keys(support::random_keys(random)) {
    a.expand(suite, keys, key_a);
    b.expand(suite, keys, key_b);
  }
  void agree_on(std::uint64_t number, ContentType type, const ByteVector& fragment) const {
    ByteVector by_a = support::sealed(a, key_a, keys, number, type, fragment);
    ByteVector by_b = support::sealed(b, key_b, keys, number, type, fragment);
    REQUIRE(by_a == by_b);
    const Opened opened_b = b.open(key_b, keys, number, by_a);
    const Opened opened_a = a.open(key_a, keys, number, by_b);
    REQUIRE(opened_a.status == Opened::Status::ok);
    REQUIRE(opened_b.status == Opened::Status::ok);
    CHECK(opened_a.type == type);
    CHECK(opened_b.type == type);
    CHECK(ByteVector(opened_a.fragment.begin(), opened_a.fragment.end()) == fragment);
    CHECK(ByteVector(opened_b.fragment.begin(), opened_b.fragment.end()) == fragment);
  }
};

template <class F>
void for_all_suites(F&& f) {
  const Aead* const fast = find_aead("ipsec-mb");
  const Aead* const portable = find_aead("openssl");
  REQUIRE(portable != nullptr);
  if (fast == nullptr) {
    MESSAGE("skipped: no IPsec-MB here");
    return;
  }
  std::mt19937_64 random{20'261'122};
  for (const Suite& suite : all_suites()) {
    CAPTURE(suite.name);
    f(Twins{*fast, *portable, suite, random}, random);
  }
}

}  // namespace

TEST_CASE("both backends seal to the same bytes and open each other's: every size to 600, and the largest") {
  for_all_suites([](const Twins& twins, auto& random) {
    for (std::size_t n = 0; n <= 600; ++n) {
      twins.agree_on(random(), ContentType::application_data, support::random_bytes(random, n));
    }
    for (const auto n : std::initializer_list<std::size_t>{1023, 1024, 1025, 1438, 4095, 4096, 4097, 16383, 16384}) {
      twins.agree_on(random(), ContentType::application_data, support::random_bytes(random, n));
    }
  });
}

TEST_CASE("both backends agree on random sizes from 0 to 16384, numbers and types") {
  for_all_suites([](const Twins& twins, auto& random) {
    for (int i = 0; i < 200; ++i) {
      const std::size_t n = random() % 16'385;
      const auto type = n == 0 ? ContentType::application_data : static_cast<ContentType>(21 + random() % 3);
      twins.agree_on(random(), type, support::random_bytes(random, n));
    }
  });
}

TEST_CASE("A12: both backends agree on every piece of a stream, whatever the cuts") {
  for_all_suites([](const Twins& twins, auto& random) {
    OpenStream a, b;
    for (int i = 0; i < 300; ++i) {
      const std::size_t n = i % 4 == 0 ? random() % 16'384 : random() % 700;
      const std::uint64_t number = random();
      const ByteVector record = support::sealed(twins.a, twins.key_a, twins.keys, number, ContentType::application_data,
                                                support::random_bytes(random, n));
      const std::size_t front = twins.suite.front_bytes();
      const std::size_t inner = record.size() - front - kTagBytes;
      ByteVector in_place = record, elsewhere(inner);
      twins.a.open_begin(a, twins.key_a, twins.keys, number, Bytes{record}.first(front));
      twins.b.open_begin(b, twins.key_b, twins.keys, number, Bytes{record}.first(front));
      const std::size_t largest = std::array<std::size_t, 5>{1, 5, 16, 100, 1460}[random() % 5];
      for (std::size_t at = 0; at < inner;) {
        const std::size_t piece = std::min(inner - at, 1 + random() % largest);
        twins.a.open_update(a, twins.key_a, in_place.data() + front + at, in_place.data() + front + at, piece);
        twins.b.open_update(b, twins.key_b, elsewhere.data() + at, record.data() + front + at, piece);
        REQUIRE(std::equal(elsewhere.begin() + static_cast<std::ptrdiff_t>(at), elsewhere.begin() + static_cast<std::ptrdiff_t>(at + piece),
                           in_place.begin() + static_cast<std::ptrdiff_t>(front + at)));
        at += piece;
      }
      CHECK(twins.a.open_finish(a, twins.key_a, record.data() + front + inner));
      CHECK(twins.b.open_finish(b, twins.key_b, record.data() + front + inner));
    }
  });
}
