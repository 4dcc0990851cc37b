// The sealing machine through its top, against OpenSSL: bytes, clocks, hostile jobs, and what is left in it afterwards.
#include "core/record_seal.hpp"

#include <doctest/doctest.h>

#include "tb/golden.hpp"
#include "top/tops.hpp"

using namespace cutwater;
using namespace cutwater::hw;
using namespace cutwater::hw::tb;

namespace {

/// Lengths that meet every place of a block, both ends of the range, and some between.
std::vector<std::size_t> lengths(std::mt19937_64& random) {
  std::vector<std::size_t> all;
  for (std::size_t n = 0; n <= 130; ++n) all.push_back(n);
  for (const std::size_t n : {1439U, 1440U, 1460U, 4095U, 4096U, 16367U, 16368U, 16369U, 16383U, 16384U}) all.push_back(n);
  for (unsigned i = 0; i < 40; ++i) all.push_back(random() % 2000);
  return all;
}

void check_lengths(Pace pace) {
  std::mt19937_64 random{11};
  Bench bench{record_seal_top, pace};
  for (unsigned which = 0; which < 4; ++which) {
    const auto all = lengths(random);
    std::vector<std::vector<std::uint8_t>> wanted;
    std::deque<Golden> keys;  // one a record: every job is a key change
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto fragment = support::random_bytes(random, all[i]);
      const auto number = i % 3 == 0 ? random() : i;
      keys.emplace_back(which, random);
      wanted.push_back(keys.back().sealed(number, fragment, i % 5 == 1 ? 22 : 23));
      bench.ask(keys.back().seal(number, static_cast<JobId>(i), fragment, i % 5 == 1 ? 22 : 23));
    }
    REQUIRE(bench.run(all.size()));
    for (std::size_t i = 0; i < all.size(); ++i) {
      CAPTURE(all[i]);
      CHECK(bench.answers()[i].completion.id == i);
      CHECK(bench.answers()[i].completion.status == RecordStatus::ok);
      CHECK(record_of(keys[i], bench.answers()[i]) == wanted[i]);
      CHECK(bench.answers()[i].ends == 1);
    }
    CHECK(bench.unclaimed().empty());
    bench.forget();
  }
}

/// A fragment of `blocks` blocks, when the type of TLS 1.3 has its place in the last one.
std::vector<std::uint8_t> fragment_of(std::mt19937_64& random, std::size_t blocks) { return support::random_bytes(random, 16 * blocks - 1); }

}  // namespace

TEST_CASE("A2: the sealing core makes the bytes that OpenSSL makes, of all lengths, a new key every record") { check_lengths(Pace::steady); }

TEST_CASE("A2: and the same bytes while its input pauses and its output is slow") { check_lengths(Pace::random); }

TEST_CASE("a record of N blocks takes the sealing core N + 2 clocks, and the next one under another key follows without a bubble") {
  std::mt19937_64 random{12};
  const Golden one{0, random}, other{1, random};
  for (const std::size_t blocks : {1U, 2U, 3U, 4U, 5U, 64U, 1024U}) {
    Bench bench{record_seal_top};
    bench.ask(one.seal(1, 0, fragment_of(random, blocks)));
    REQUIRE(bench.run(1));
    // The job is taken in clock 1, the first block in clock 2; N blocks of text leave as N + 1 with the tag.
    CHECK(bench.answers()[0].first_block_at == 2 + kSealClocks);
    CHECK(bench.answers()[0].last_block_at == 2 + kSealClocks + blocks);

    Bench row{record_seal_top};
    constexpr std::size_t kJobs = 6;
    for (std::size_t i = 0; i < kJobs; ++i) row.ask((i % 2 == 0 ? one : other).seal(i, static_cast<JobId>(i), fragment_of(random, blocks)));
    REQUIRE(row.run(kJobs));
    for (std::size_t i = 0; i < kJobs; ++i) CHECK(row.answers()[i].last_block_at == (i + 1) * (blocks + 2) + kSealClocks);
  }
}

TEST_CASE("the sealing core does not lose a clock to the tag of a record that fills its last block") {
  std::mt19937_64 random{13};
  const Golden key{2, random};  // TLS 1.2: no type, so 16 n bytes are n blocks
  Bench bench{record_seal_top};
  for (JobId i = 0; i < 20; ++i) bench.ask(key.seal(i, i, support::random_bytes(random, 160)));
  REQUIRE(bench.run(20));
  CHECK(bench.answers()[19].last_block_at == 20 * 12 + kSealClocks);
}

TEST_CASE("hostile sealing jobs end in an error, put nothing out, and the next job is whole") {
  std::mt19937_64 random{14};
  const Golden key{1, random};
  const auto fragment = support::random_bytes(random, 100);
  for (const Pace pace : {Pace::steady, Pace::random}) {
    std::vector<RecordJob> hostile;
    for (const std::uint32_t bytes : {16385U, 32767U, 32768U, 65535U, 65536U, 0x8000'0000U, 0xffff'ffffU}) {
      hostile.push_back(key.job(1, 0));
      hostile.back().bytes = bytes;
    }
    hostile.push_back(key.job(1, 0));
    hostile.back().key_size = static_cast<KeySize>(7);
    hostile.push_back(key.job(1, 0));
    hostile.back().version = static_cast<RecordVersion>(2);
    hostile.push_back(key.job(1, 0));
    hostile.back().release = static_cast<Release>(9);
    Bench bench{record_seal_top, pace};
    for (std::size_t i = 0; i < hostile.size(); ++i) {
      hostile[i].id = static_cast<JobId>(2 * i);
      bench.ask({hostile[i], in_blocks(support::random_bytes(random, i * 40))});
      bench.ask(key.seal(i, static_cast<JobId>(2 * i + 1), fragment));
    }
    REQUIRE(bench.run(2 * hostile.size()));
    for (std::size_t i = 0; i < hostile.size(); ++i) {
      CHECK(bench.answers()[2 * i].completion.status == RecordStatus::bad_job);
      CHECK(bench.answers()[2 * i].blocks == 0);
      CHECK(record_of(key, bench.answers()[2 * i + 1]) == key.sealed(i, fragment));
    }
  }
}

TEST_CASE("fewer or more blocks than a sealing job said: an error, no keystream, no tag, and the next job is whole") {
  std::mt19937_64 random{15};
  for (unsigned which = 0; which < 4; ++which) {
    const Golden key{which, random};
    const auto fragment = support::random_bytes(random, 100);
    const auto whole = key.sealed(7, fragment);
    for (const std::size_t blocks : {1U, 2U, 6U, 8U, 9U, 30U}) {
      Bench bench{record_seal_top};
      Request broken{key.job(7, 0), in_blocks(support::random_bytes(random, 16 * blocks))};
      broken.job.bytes = 100;  // seven blocks
      bench.ask(broken);
      bench.ask(key.seal(8, 1, fragment));
      REQUIRE(bench.run(2));
      CHECK(bench.answers()[0].completion.status == RecordStatus::bad_input);
      CHECK(bench.answers()[0].completion.bytes == 0);
      const auto& bytes = bench.answers()[0].bytes;
      // From the block that came last on all is zero: neither text XOR nothing, nor a tag.
      const std::size_t good = 16 * (std::min<std::size_t>(blocks, 7) - 1);
      CHECK(std::all_of(bytes.begin() + static_cast<std::ptrdiff_t>(good), bytes.end(), [](auto byte) { return byte == 0; }));
      CHECK(record_of(key, bench.answers()[1]) == key.sealed(8, fragment));
    }
  }
}

TEST_CASE("32 sealing jobs may be under way, and none is lost when nobody takes the completions for a while") {
  std::mt19937_64 random{16};
  const Golden key{0, random};
  Stream<RecordJob> jobs;
  Stream<InBlock> in;
  Stream<OutBlock> out;
  Stream<RecordCompletion> completions;
  JobId asked = 0, done = 0;
  std::uint64_t blocks = 0;
  for (unsigned clock = 0; clock < 4000; ++clock) {
    if (asked < 100 && !jobs.full()) {
      jobs.write(key.job(asked, asked));  // empty fragments: the shortest records there are
      ++asked;
    }
    if (!in.full() && clock < 3000) in.write({{}, true});
    record_seal_top(jobs, in, out, completions);
    if (!out.empty() && clock > 1500) blocks += out.read().is_last ? 1 : 0;
    if (!completions.empty() && clock > 1000) CHECK(completions.read().id == done++);
  }
  CHECK(done == 100);
  CHECK(blocks == 100);
  while (!in.empty()) in.read();
}
