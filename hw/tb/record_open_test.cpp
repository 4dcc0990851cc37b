// The opening machine through its top, against OpenSSL: verdicts, bytes, clocks, hostile jobs, and that nothing leaves before its verdict.
#include "core/record_open.hpp"

#include <doctest/doctest.h>

#include <memory>

#include "tb/golden.hpp"
#include "top/tops.hpp"

using namespace cutwater;
using namespace cutwater::hw;
using namespace cutwater::hw::tb;

namespace {

using ByteVector = std::vector<std::uint8_t>;

/// A record with any inner plaintext, as one who has the keys could send it.
ByteVector forged(const Golden& key, std::uint64_t number, const ByteVector& inner, std::uint8_t outer_type = 23) {
  return support::forged_record(key.aead, key.key, key.keys,
                                {.number = number, .outer_type = static_cast<record::ContentType>(outer_type), .explicit_nonce = number ^ 0x5555},
                                inner);
}

/// What software says of a record, put as the card puts it.
RecordCompletion software_verdict(const Golden& key, std::uint64_t number, JobId id, ByteVector record, ByteVector& fragment) {
  const record::Opened opened = key.aead.open(key.key, key.keys, number, record);
  fragment.assign(opened.fragment.begin(), opened.fragment.end());
  RecordCompletion completion{};
  completion.id = id;
  switch (opened.status) {
    case record::Opened::Status::ok:
      completion.type = static_cast<std::uint8_t>(opened.type);
      completion.bytes = static_cast<std::uint16_t>(fragment.size());
      return completion;
    case record::Opened::Status::bad_tag: completion.status = RecordStatus::bad_tag; break;
    case record::Opened::Status::bad_shape: completion.status = RecordStatus::bad_shape; break;
  }
  completion.alert = static_cast<RecordAlert>(opened.alert);
  return completion;
}

void check_same(const Golden& key, std::uint64_t number, const ByteVector& record, const Answer& answer) {
  ByteVector fragment;
  const RecordCompletion wanted = software_verdict(key, number, answer.completion.id, record, fragment);
  CHECK(answer.completion.status == wanted.status);
  CHECK(answer.completion.alert == wanted.alert);
  CHECK(answer.completion.type == wanted.type);
  CHECK(answer.completion.bytes == wanted.bytes);
  fragment.resize(16 * blocks_of(static_cast<std::uint32_t>(fragment.size())));  // zeros behind it: neither type nor padding leaves
  CHECK(answer.bytes == fragment);
  CHECK(answer.ends == (fragment.empty() ? 0 : 1));
}

struct Case {
  Golden key;
  std::uint64_t number;
  ByteVector record{};

  Case(unsigned which, std::mt19937_64& random, std::uint64_t n) : key(which, random), number(n) {}
};

/// Texts of all lengths, in TLS 1.3 some with padding; some without a byte of text, some of zeros alone, some of types that do not exist.
std::deque<Case> cases(std::mt19937_64& random) {
  std::deque<Case> all;
  const auto add = [&](const ByteVector& inner, std::uint8_t outer_type = 23) {
    const auto which = static_cast<unsigned>(all.size() % 4);
    all.emplace_back(which, random, all.size() % 3 == 0 ? random() : all.size());
    all.back().record = forged(all.back().key, all.back().number, inner, outer_type);
  };
  const auto with_end = [&](std::size_t n, std::uint8_t type, std::size_t padding) {
    ByteVector inner = support::random_bytes(random, n);
    inner.push_back(type);
    inner.resize(inner.size() + padding);
    return inner;
  };
  for (std::size_t n = 0; n <= 100; ++n) {
    for (unsigned which = 0; which < 4; ++which) add(with_end(n, n % 5 == 0 ? 22 : 23, 0));
  }
  for (const std::size_t n : {1439U, 1460U, 16367U, 16368U, 16382U, 16383U, 16384U}) {
    for (unsigned which = 0; which < 4; ++which) add(with_end(n, 23, 0));
  }
  for (const std::size_t padding : {1U, 15U, 16U, 17U, 40U, 100U}) {
    for (unsigned which = 0; which < 8; ++which) add(with_end(which * 9, 23, padding));
  }
  for (unsigned which = 0; which < 4; ++which) {
    add(with_end(16384, 23, 1));             // one byte too long
    add(with_end(16590, 23, 0));             // too long
    add({});                                 // nothing
    add(ByteVector(40));                          // all padding
    add(ByteVector(16385));                       // the same, of the greatest length
    add(with_end(30, 24, 0));                // no such type
    add(with_end(30, 20, 3));                // change_cipher_spec is never inside
    add(with_end(0, 21, 0));                 // an alert without a byte
    add(with_end(20, 23, 0), 22);            // a handshake record outside
  }
  return all;
}

void check_all(Pace pace) {
  std::mt19937_64 random{21};
  auto all = cases(random);
  Bench bench{record_open_top, pace};
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (i % 7 == 3) all[i].record[all[i].record.size() - 1 - random() % (all[i].record.size() - 5)] ^= static_cast<std::uint8_t>(1 + random() % 255);
    bench.ask(all[i].key.open(all[i].number, static_cast<JobId>(i), all[i].record));
  }
  REQUIRE(bench.run(all.size()));
  CHECK(bench.unclaimed().empty());  // each block was of a job that was completed
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(i);
    const Answer& answer = bench.answers()[i];
    check_same(all[i].key, all[i].number, all[i].record, answer);
    if (pace == Pace::steady && answer.blocks != 0) CHECK(answer.first_block_at >= answer.completed_at);
  }
}

}  // namespace

TEST_CASE("A1: the opening core gives the verdicts and bytes that OpenSSL gives, of all lengths and shapes, a new key every record") {
  check_all(Pace::steady);
}

TEST_CASE("A1: and the same while its input pauses and its output is slow") { check_all(Pace::random); }

TEST_CASE("A1: each bit of a short record, flipped, is refused by the opening core, and nothing of it comes out") {
  std::mt19937_64 random{22};
  for (unsigned which = 0; which < 4; ++which) {
    const Golden key{which, random};
    const auto record = key.sealed(5, support::random_bytes(random, 21));
    Bench bench{record_open_top};
    std::size_t jobs = 0;
    for (std::size_t bit = 0; bit < 8 * record.size(); ++bit) {
      if (bit / 8 == 3 || bit / 8 == 4) continue;  // the length: it is the job's own, tried below
      auto copy = record;
      copy[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      bench.ask(key.open(5, static_cast<JobId>(jobs++), copy));
    }
    REQUIRE(bench.run(jobs));
    for (const Answer& answer : bench.answers()) CHECK(answer.completion.status == RecordStatus::bad_tag);
    CHECK(bench.blocks_seen() == 0);
  }
}

TEST_CASE("A12: no block of a record leaves the opening core before its verdict, however long it is") {
  std::mt19937_64 random{23};
  const Golden key{0, random};
  for (const std::size_t n : {1U, 15U, 16U, 100U, 1460U, 16384U}) {
    const auto record = key.sealed(1, support::random_bytes(random, n));
    Bench bench{record_open_top};
    bench.ask(key.open(1, 0, record));
    REQUIRE(bench.run(1));
    CHECK(bench.unclaimed().empty());
    CHECK(bench.answers()[0].first_block_at >= bench.answers()[0].completed_at);
    check_same(key, 1, record, bench.answers()[0]);
  }
}

TEST_CASE("A13: a streaming job's plaintext leaves as it comes, and its verdict behind it") {
  std::mt19937_64 random{24};
  const Golden key{1, random};
  const auto fragment = support::random_bytes(random, 2000);
  auto record = key.sealed(1, fragment);
  for (const bool is_forged : {false, true}) {
    if (is_forged) record.back() ^= 1;
    auto request = key.open(1, 0, record);
    request.job.release = Release::streaming;
    Bench bench{record_open_top};
    bench.ask(request);
    REQUIRE(bench.run(1));
    const Answer& answer = bench.answers()[0];
    CHECK(answer.completion.status == (is_forged ? RecordStatus::bad_tag : RecordStatus::ok));
    CHECK(answer.first_block_at < answer.completed_at - 100);
    CHECK(answer.blocks == 126);  // with the type, behind 125 blocks of fragment
    CHECK(ByteVector(answer.bytes.begin(), answer.bytes.begin() + 2000) == fragment);
    CHECK(answer.ends == 1);
  }
}

TEST_CASE("records of the greatest size follow each other through the opening core at N + 2 clocks each, whoever's key they have") {
  std::mt19937_64 random{25};
  const Golden one{0, random}, other{1, random};
  for (const std::size_t blocks : {1U, 2U, 3U, 4U, 5U, 64U, 1024U}) {
    constexpr std::size_t kJobs = 6;
    Bench bench{record_open_top};
    for (std::size_t i = 0; i < kJobs; ++i) {
      const Golden& key = i % 2 == 0 ? one : other;
      bench.ask(key.open(i, static_cast<JobId>(i), key.sealed(i, support::random_bytes(random, 16 * blocks - 1))));
    }
    REQUIRE(bench.run(kJobs));
    for (std::size_t i = 0; i < kJobs; ++i) {
      const Answer& answer = bench.answers()[i];
      CHECK(answer.completion.status == RecordStatus::ok);
      CHECK(answer.completed_at == (i + 1) * (blocks + 2) + kOpenClocks);   // the tag's slot is the record's last
      CHECK(answer.first_block_at == answer.completed_at);                  // released in the clock of the verdict
      CHECK(answer.last_block_at == answer.first_block_at + blocks - 1);    // a block a clock
    }
  }
}

TEST_CASE("a reader that stands still fills the buffer, stops the input, and loses nothing") {
  std::mt19937_64 random{26};
  const Golden key{0, random};
  Stream<RecordJob> jobs;
  Stream<InBlock> in;
  Stream<OutBlock> out;
  Stream<RecordCompletion> completions;
  std::deque<InBlock> blocks;
  std::vector<ByteVector> fragments;
  for (unsigned i = 0; i < 12; ++i) {
    fragments.push_back(support::random_bytes(random, 4000));
    for (const InBlock& block : key.open(i, 0, key.sealed(i, fragments.back())).blocks) blocks.push_back(block);
  }
  JobId asked = 0, done = 0;
  std::size_t stopped_with = 0;
  ByteVector seen;
  for (unsigned clock = 0; clock < 12'000; ++clock) {
    if (asked < 12 && !jobs.full()) {
      jobs.write(key.open(asked, asked, key.sealed(asked, fragments[asked])).job);
      ++asked;
    }
    if (!blocks.empty() && !in.full()) {
      in.write(blocks.front());
      blocks.pop_front();
    }
    record_open_top(jobs, in, out, completions);
    if (!completions.empty()) CHECK(completions.read().status == (done++, RecordStatus::ok));
    if (clock == 5000) stopped_with = blocks.size();
    if (clock > 5000 && !out.empty()) {
      const OutBlock block = out.read();
      seen.insert(seen.end(), block.data.items, block.data.items + kBlockBytes);
    }
  }
  CHECK(stopped_with > 12 * 251 - 1104 - 20);  // the buffer's 1104 blocks went in, and no more of 12 times 251
  CHECK(done == 12);
  REQUIRE(seen.size() == 12 * 4000);
  for (std::size_t i = 0; i < 12; ++i) CHECK(std::equal(fragments[i].begin(), fragments[i].end(), seen.begin() + static_cast<std::ptrdiff_t>(4000 * i)));
}

TEST_CASE("hostile opening jobs end in an error, put nothing out, and the next record opens") {
  std::mt19937_64 random{27};
  const auto fragment = support::random_bytes(random, 100);
  for (unsigned which = 0; which < 4; ++which) {
    for (const Pace pace : {Pace::steady, Pace::random}) {
      const Golden key{which, random};
      const auto record = key.sealed(3, fragment);
      Bench bench{record_open_top, pace};
      const std::uint32_t hostile[] = {0, 1, 15, 16, 17, 23, 24, 25, 100, 116, 118, 16384, 16640, 16641, 32768, 65535, 65536, 0x8000'0005U, 0xffff'ffffU};
      JobId asked = 0;
      for (const std::uint32_t bytes : hostile) {
        Request request = key.open(3, asked++, record);
        request.job.bytes = bytes + (bytes == request.job.bytes ? 1 : 0);  // not what the blocks are
        bench.ask(request);
        bench.ask(key.open(3, asked++, record));
      }
      REQUIRE(bench.run(asked));
      for (const Answer& answer : bench.answers()) {
        if (answer.completion.status == RecordStatus::ok) {
          check_same(key, 3, record, answer);
        } else {
          CHECK(answer.blocks == 0);
          CHECK(answer.completion.bytes == 0);
        }
      }
      const auto good = std::count_if(bench.answers().begin(), bench.answers().end(), [](const Answer& answer) { return answer.completion.status == RecordStatus::ok; });
      CHECK(good == static_cast<std::ptrdiff_t>(bench.answers().size() / 2));
    }
  }
}

TEST_CASE("secrets: when an opened, a refused or a broken record is done, the machine holds neither key, hash key, keystream nor plaintext") {
  std::mt19937_64 random{28};
  const Golden key{1, random};
  const auto fragment = support::random_bytes(random, 200);
  // What must not stay, in words of eight bytes: found at any place of the machine's memory.
  std::vector<ByteVector> secrets;
  const auto is_secret_held = [&](const RecordOpen& machine) {
    const auto* const begin = reinterpret_cast<const std::uint8_t*>(&machine);
    return std::any_of(secrets.begin(), secrets.end(), [&](const ByteVector& secret) {
      return std::search(begin, begin + sizeof machine, secret.begin(), secret.end()) != begin + sizeof machine;
    });
  };
  const auto add_secret = [&](const std::uint8_t* bytes, std::size_t size) {
    for (std::size_t at = 0; at + 8 <= size; at += 8) {
      secrets.emplace_back(bytes + at, bytes + at + 8);
      secrets.emplace_back(secrets.back().rbegin(), secrets.back().rend());
    }
  };
  add_secret(key.keys.key.data(), 32);
  add_secret(fragment.data(), 192);
  const auto record = key.sealed(1, fragment);
  ByteVector keystream(192);
  for (std::size_t i = 0; i < keystream.size(); ++i) keystream[i] = static_cast<std::uint8_t>(fragment[i] ^ record[5 + i]);
  add_secret(keystream.data(), keystream.size());
  // The hash key and its powers: AES of zero is the first keystream block under a counter block that is zero.
  RoundKeys keys = first_keys(key.job(1, 0).key, KeySize::aes_256);
  GcmInput zero{};
  zero.key = key.job(1, 0).key;
  zero.key_size = KeySize::aes_256;
  add_secret(keys.next.items, 16);
  AesPipe aes;
  AesOutput h{};
  for (unsigned i = 0; i <= kAesClocks; ++i) h = aes.step(zero);
  PowersPipe pipe;
  HashPowers powers{};
  for (unsigned i = 0; i <= kPowerClocks; ++i) powers = pipe.step(to_field(h.keystream));
  for (const Field& power : {powers.first, powers.second, powers.third, powers.fourth}) add_secret(reinterpret_cast<const std::uint8_t*>(&power), 16);

  enum class Trial { good, forged, broken };
  for (const Trial trial : {Trial::good, Trial::forged, Trial::broken}) {
    auto machine = std::make_unique<RecordOpen>();
    Request request = key.open(1, 0, record);
    if (trial == Trial::forged) request.blocks[3].data[2] ^= 1;
    if (trial == Trial::broken) request.blocks[5].is_last = true, request.blocks.resize(6);
    Stream<RecordJob> jobs;
    Stream<InBlock> in;
    Stream<OutBlock> out;
    Stream<RecordCompletion> completions;
    jobs.write(request.job);
    std::size_t next = 0, completed = 0;
    bool was_held = false;
    for (unsigned clock = 0; clock < 200; ++clock) {
      if (next < request.blocks.size() && !in.full()) in.write(request.blocks[next++]);
      machine->step(jobs, in, out, completions);
      if (!out.empty()) out.read();
      if (!completions.empty()) completions.read(), ++completed;
      was_held = was_held || is_secret_held(*machine);
    }
    CHECK(completed == 1);
    CHECK(was_held);  // or the search could not find anything
    CHECK_FALSE(is_secret_held(*machine));
    CHECK(machine->buffer.count == 0);
  }
}
