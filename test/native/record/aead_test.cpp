// Promises of seal, open and the stream that hold for every backend and every suite.
#include "record/aead.hpp"

#include <doctest/doctest.h>

#include <set>
#include <thread>

#include "record/framing.hpp"
#include "support/forged_record.hpp"
#include "support/record_room.hpp"

using namespace cutwater;
using namespace cutwater::record;
using ByteVector = std::vector<std::uint8_t>;

namespace {

/// One backend, suite and key.
struct Keyed {
  const Aead& aead;
  const Suite& suite;
  TrafficKeys keys;
  ExpandedKey key;

  Keyed(const Aead& a, const Suite& s, std::mt19937_64& random) : aead(a), suite(s), keys(support::random_keys(random)) {
    aead.expand(suite, keys, key);
  }
  ByteVector seal(std::uint64_t number, Bytes fragment, ContentType type = ContentType::application_data) const {
    return support::sealed(aead, key, keys, number, type, fragment);
  }
  Opened open(std::uint64_t number, ByteVector& record) const { return aead.open(key, keys, number, record); }

  ByteVector forge(std::uint64_t number, const ByteVector& inner, ContentType outer_type = ContentType::application_data) const {
    const auto record = support::forged_record(aead, key, keys, {number, outer_type, number}, inner);
    CHECK_FALSE(record.empty());
    return record;
  }
};

template <class F>
void for_all(F&& f) {
  std::mt19937_64 random{20'260'801};
  for (const Aead* aead : support::backends()) {
    for (const Suite& suite : all_suites()) {
      CAPTURE(aead->name);
      CAPTURE(suite.name);
      f(Keyed{*aead, suite, random}, random);
    }
  }
}

bool holds(const ByteVector& bytes, const ByteVector& part) {
  return std::search(bytes.begin(), bytes.end(), part.begin(), part.end()) != bytes.end();
}
ByteVector to_vector(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

}  // namespace

TEST_CASE("A1, A2: what is sealed opens to the same fragment and type") {
  for_all([](const Keyed& k, auto& random) {
    for (const auto n : std::initializer_list<std::size_t>{1, 2, 15, 16, 17, 64, 1438, 16384}) {
      for (const auto type : {ContentType::application_data, ContentType::handshake, ContentType::alert}) {
        const ByteVector fragment = support::random_bytes(random, n);
        const std::uint64_t number = random();
        ByteVector record = k.seal(number, fragment, type);
        REQUIRE(record.size() == n + k.suite.overhead_bytes());
        CHECK(record[0] == static_cast<std::uint8_t>(k.suite.version == Version::tls13 ? ContentType::application_data : type));
        CHECK(load_be16(record.data() + 1) == 0x0303);
        CHECK(load_be16(record.data() + 3) == record.size() - kHeaderBytes);
        const Opened opened = k.open(number, record);
        REQUIRE(opened.status == Opened::Status::ok);
        CHECK(opened.type == type);
        CHECK(to_vector(opened.fragment) == fragment);
      }
    }
  });
}

TEST_CASE("A15, I3: the same bytes under the same number seal to the same record") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector fragment = support::random_bytes(random, 1000);
    CHECK(k.seal(5, fragment) == k.seal(5, fragment));
    CHECK(k.seal(5, fragment) != k.seal(6, fragment));
  });
}

TEST_CASE("A2: what is sealed is the record that the RFCs spell out byte by byte") {
  for_all([](const Keyed& k, auto& random) {
    for (const auto n : std::initializer_list<std::size_t>{1, 15, 16, 17, 1438, 16384}) {
      for (const std::uint64_t number : {0ULL, 1ULL, 0xffff'ffffULL, 0x0123'4567'89ab'cdefULL, ~0ULL}) {
        ByteVector inner = support::random_bytes(random, n);
        const ByteVector record = k.seal(number, inner);
        if (k.suite.version == Version::tls13) inner.push_back(23);
        CHECK(record == k.forge(number, inner));
      }
    }
  });
}

TEST_CASE("I4: a record with any bit flipped does not open, and nothing of it stays readable") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector fragment = support::random_bytes(random, 40);
    const ByteVector good = k.seal(9, fragment);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
      // In TLS 1.2 the length is bound by the record's own size, so the header's length bytes are not looked at again.
      const std::size_t byte = bit / 8;
      if (k.suite.version == Version::tls12 && (byte == 3 || byte == 4)) continue;
      ByteVector record = good;
      record[byte] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const Opened opened = k.open(9, record);
      CHECK(opened.status == Opened::Status::bad_tag);
      CHECK(opened.alert == Alert::bad_record_mac);
      CHECK(opened.fragment.empty());
      CHECK_FALSE(holds(record, ByteVector(fragment.begin(), fragment.begin() + 8)));
      CHECK(std::all_of(record.begin() + static_cast<std::ptrdiff_t>(k.suite.front_bytes()), record.end() - kTagBytes,
                        [](std::uint8_t b) { return b == 0; }));
    }
  });
}

TEST_CASE("I4: a record cut to any length does not open") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector good = k.seal(9, support::random_bytes(random, 40));
    for (std::size_t cut = kHeaderBytes; cut < good.size(); ++cut) {
      ByteVector record(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(cut));
      store_be16(record.data() + 3, static_cast<std::uint16_t>(cut - kHeaderBytes));
      const Opened opened = k.open(9, record);
      CHECK(opened.status == (cut < k.suite.front_bytes() + kTagBytes ? Opened::Status::bad_shape : Opened::Status::bad_tag));
      CHECK(opened.alert == Alert::bad_record_mac);
    }
  });
}

TEST_CASE("a record does not open under another number, key or IV") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector good = k.seal(9, support::random_bytes(random, 40));
    for (const std::uint64_t number : {0ULL, 8ULL, 10ULL, 9ULL + (1ULL << 32)}) {
      ByteVector record = good;
      CHECK(k.open(number, record).status == Opened::Status::bad_tag);
    }
    TrafficKeys other_iv = k.keys;
    other_iv.iv[0] ^= 1;
    ByteVector record = good;
    CHECK(k.aead.open(k.key, other_iv, 9, record).status == Opened::Status::bad_tag);
    const Keyed other{k.aead, k.suite, random};
    record = good;
    CHECK(other.open(9, record).status == Opened::Status::bad_tag);
  });
}

TEST_CASE("TLS 1.3: padding of any length is stripped") {
  for_all([](const Keyed& k, auto& random) {
    if (k.suite.version != Version::tls13) return;
    for (const auto padding : std::initializer_list<std::size_t>{0, 1, 7, 8, 9, 255, 4000}) {
      const ByteVector fragment = support::random_bytes(random, 33);
      ByteVector inner = fragment;
      inner.push_back(23);
      inner.resize(inner.size() + padding, 0);
      ByteVector record = k.forge(1, inner);
      const Opened opened = k.open(1, record);
      REQUIRE(opened.status == Opened::Status::ok);
      CHECK(to_vector(opened.fragment) == fragment);
    }
  });
}

TEST_CASE("authentic records that may not exist are refused, each with its alert, and wiped") {
  for_all([](const Keyed& k, auto& random) {
    const auto refuses = [&](const ByteVector& inner, Alert alert, ContentType outer = ContentType::application_data) {
      ByteVector record = k.forge(3, inner, outer);
      const Opened opened = k.open(3, record);
      CHECK(opened.status == Opened::Status::bad_shape);
      CHECK(opened.alert == alert);
      CHECK(opened.fragment.empty());
      CHECK(std::all_of(record.begin() + static_cast<std::ptrdiff_t>(k.suite.front_bytes()), record.end() - kTagBytes,
                        [](std::uint8_t b) { return b == 0; }));
    };
    if (k.suite.version == Version::tls13) {
      refuses({}, Alert::unexpected_message);                        // no type at all
      refuses(ByteVector(100, 0), Alert::unexpected_message);        // all padding
      refuses({21, 0, 0}, Alert::unexpected_message);                // an empty alert
      refuses({22}, Alert::unexpected_message);                      // an empty handshake record
      refuses({1, 20}, Alert::unexpected_message);                   // change_cipher_spec, encrypted
      refuses({1, 2, 3, 24}, Alert::unexpected_message);             // unknown inner type
      refuses({1, 2, 23}, Alert::unexpected_message, ContentType::handshake);  // outer type is not application_data
      ByteVector long_one = support::random_bytes(random, 16385);
      long_one.push_back(23);
      refuses(long_one, Alert::record_overflow);
      ByteVector padded(16386, 0);  // short fragment, but longer than a record may be with its padding
      padded[0] = 1;
      padded[1] = 23;
      refuses(padded, Alert::record_overflow);
    } else {
      refuses({}, Alert::unexpected_message, ContentType::alert);
      refuses({}, Alert::unexpected_message, ContentType::handshake);
      refuses(ByteVector(16385, 1), Alert::record_overflow);
    }
  });
}

TEST_CASE("an empty application_data record opens: it is legal, and some clients send it") {
  for_all([](const Keyed& k, auto&) {
    ByteVector record = k.forge(0, k.suite.version == Version::tls13 ? ByteVector{23} : ByteVector{});
    const Opened opened = k.open(0, record);
    CHECK(opened.status == Opened::Status::ok);
    CHECK(opened.fragment.empty());
  });
}

TEST_CASE("I3: nonces of one key never repeat, over 2^32 boundaries and at the ends of the range") {
  std::mt19937_64 random{3};
  for (const Suite& suite : all_suites()) {
    const TrafficKeys keys = support::random_keys(random);
    std::set<ByteVector> seen;
    for (const std::uint64_t base : {0ULL, 0xffff'ff00ULL, 0xffff'ffff'ffULL, ~0ULL - 1000}) {
      for (std::uint64_t number = base; number < base + 1000; ++number) {
        const Block nonce = nonce_for(suite, keys, number, __builtin_bswap64(number));  // as seal does
        const ByteVector bytes(nonce.bytes(), nonce.bytes() + kNonceBytes);
        CHECK(seen.insert(bytes).second);
        const Nonce plain = support::plain_nonce(suite, keys, {.number = number, .explicit_nonce = number});
        CHECK(bytes == ByteVector(plain.begin(), plain.end()));
      }
    }
  }
}

TEST_CASE("TLS 1.2 AES-GCM: the nonce on the wire is the record number when sealing, and is believed when opening") {
  for_all([](const Keyed& k, auto& random) {
    if (k.suite.explicit_nonce_bytes == 0) return;
    const ByteVector fragment = support::random_bytes(random, 20);
    ByteVector record = k.seal(0x0102'0304'0506'0708, fragment);
    CHECK(load_be64(record.data() + kHeaderBytes) == 0x0102'0304'0506'0708);

    // A peer that numbers its nonces in another way: number 4, nonce 0xabcd.
    record = support::forged_record(k.aead, k.key, k.keys, {.number = 4, .explicit_nonce = 0xabcd}, fragment);
    const Opened opened = k.open(4, record);
    REQUIRE(opened.status == Opened::Status::ok);
    CHECK(to_vector(opened.fragment) == fragment);
  });
}

TEST_CASE("one ExpandedKey serves many keys in turn, across suites and backends") {
  std::mt19937_64 random{4};
  ExpandedKey key;
  for (int round = 0; round < 300; ++round) {
    const auto found = support::backends();
    const Aead& aead = *found[random() % found.size()];
    const Suite& suite = all_suites()[random() % all_suites().size()];
    const TrafficKeys keys = support::random_keys(random);
    aead.expand(suite, keys, key);
    const ByteVector fragment = support::random_bytes(random, 100);
    ByteVector record = support::sealed(aead, key, keys, 1, ContentType::application_data, fragment);
    CHECK(to_vector(aead.open(key, keys, 1, record).fragment) == fragment);
    if (random() % 4 == 0) key.clear();
  }
}

TEST_CASE("a cleared key holds nothing") {
  for_all([](const Keyed& k, auto&) {
    ExpandedKey key;
    k.aead.expand(k.suite, k.keys, key);
    CHECK(std::any_of(key.space.begin(), key.space.end(), [](std::uint8_t b) { return b != 0; }));
    key.clear();
    CHECK(std::all_of(key.space.begin(), key.space.end(), [](std::uint8_t b) { return b == 0; }));
    CHECK(key.suite == nullptr);
    CHECK((key.release == nullptr));
  });
}

TEST_CASE("A12: a record in two pieces opens whatever the cut, in place and elsewhere, and its key may be expanded anew between them") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector fragment = support::random_bytes(random, 300);
    const ByteVector good = k.seal(77, fragment);
    const std::size_t front = k.suite.front_bytes();
    const std::size_t inner = good.size() - front - kTagBytes;
    OpenStream stream;
    for (std::size_t cut = 0; cut <= inner; ++cut) {
      ByteVector record = good, out(inner);
      std::uint8_t* const body = record.data() + front;
      std::uint8_t* const to = cut % 2 == 0 ? body : out.data();
      k.aead.open_begin(stream, k.key, k.keys, 77, Bytes{record}.first(front));
      k.aead.open_update(stream, k.key, to, body, cut);
      ExpandedKey again;
      k.aead.expand(k.suite, k.keys, again);
      OpenStream moved{std::move(stream)};
      k.aead.open_update(moved, again, to + cut, body + cut, inner - cut);
      CHECK(k.aead.open_finish(moved, again, body + inner));
      const Opened opened = read_inner(k.suite, static_cast<ContentType>(record[0]), {to, inner});
      CHECK(opened.status == Opened::Status::ok);
      CHECK(to_vector(opened.fragment) == fragment);
      stream = std::move(moved);
    }
  });
}

TEST_CASE("A12: a stream says no to every wrong tag bit, to a flipped ciphertext bit and to a missing piece") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector good = k.seal(77, support::random_bytes(random, 50));
    const std::size_t front = k.suite.front_bytes();
    const std::size_t inner = good.size() - front - kTagBytes;
    OpenStream stream;
    const auto verdict = [&](ByteVector record, std::size_t given) {
      k.aead.open_begin(stream, k.key, k.keys, 77, Bytes{record}.first(front));
      k.aead.open_update(stream, k.key, record.data() + front, record.data() + front, given);
      return k.aead.open_finish(stream, k.key, record.data() + front + inner);
    };
    CHECK(verdict(good, inner));
    CHECK_FALSE(verdict(good, inner - 1));
    for (std::size_t bit = front * 8; bit < good.size() * 8; ++bit) {
      ByteVector record = good;
      record[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      CHECK_FALSE(verdict(record, inner));
    }
    CHECK(verdict(good, inner));
  });
}

TEST_CASE("a stream given up half-way leaves nothing behind, and serves the next record") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector fragment = support::random_bytes(random, 64);
    const ByteVector good = k.seal(1, fragment);
    const std::size_t front = k.suite.front_bytes();
    OpenStream stream;
    for (int i = 0; i < 3; ++i) {
      ByteVector record = good;
      k.aead.open_begin(stream, k.key, k.keys, 1, Bytes{record}.first(front));
      k.aead.open_update(stream, k.key, record.data() + front, record.data() + front, 20);
      if (i == 1) {
        stream.clear();
        CHECK(std::all_of(stream.state.begin(), stream.state.end(), [](std::uint8_t b) { return b == 0; }));
      }
    }
  });
}

TEST_CASE("workers seal and open side by side without meeting") {
  for_all([](const Keyed& k, auto& random) {
    const ByteVector fragment = support::random_bytes(random, 1438);
    const ByteVector good = k.seal(1, fragment);
    std::array<int, 4> right{};
    std::vector<std::thread> workers;
    for (int& count : right) {
      workers.emplace_back([&] {
        ExpandedKey key;  // each worker has its own
        k.aead.expand(k.suite, k.keys, key);
        for (int i = 0; i < 200; ++i) {
          ByteVector record = support::sealed(k.aead, key, k.keys, 1, ContentType::application_data, fragment);
          count += record == good && k.aead.open(key, k.keys, 1, record).status == Opened::Status::ok ? 1 : 0;
        }
      });
    }
    for (auto& worker : workers) worker.join();
    for (const int count : right) CHECK(count == 200);
  });
}

TEST_CASE("tags are compared whole: equal only when all sixteen bytes are") {
  std::array<std::uint8_t, 16> a{}, b{};
  CHECK(tags_equal(a.data(), b.data()));
  for (std::size_t bit = 0; bit < 128; ++bit) {
    b[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    CHECK_FALSE(tags_equal(a.data(), b.data()));
    CHECK_FALSE(tags_equal(b.data(), a.data()));
    b[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  }
}

TEST_CASE("backends are found by name only") {
  CHECK(find_aead("openssl") != nullptr);
  CHECK(find_aead("") == nullptr);
  CHECK(find_aead("OpenSSL") == nullptr);
  CHECK(find_aead(default_aead().name) == &default_aead());
}
