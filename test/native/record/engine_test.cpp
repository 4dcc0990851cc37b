#include "record/engine.hpp"

#include <doctest/doctest.h>

#include "support/record_room.hpp"
#include "tb/card_engine.hpp"

using namespace cutwater;
using namespace cutwater::record;

namespace {

/// An engine as hardware is: it finishes a job only some turns after it was submitted, and a few at a time.
class SlowEngine {
 public:
  explicit SlowEngine(const Aead& aead) : aead_(aead) {}
  void turn() { ++now_; }
  bool submit(const EngineJob& job) noexcept {
    if (in_flight() == kCapacity) return false;
    slots_[head_++ % kCapacity] = {job, now_ + kTurns};
    return true;
  }
  std::size_t complete(std::span<EngineCompletion> out) noexcept {
    std::size_t done = 0;
    while (done < out.size() && done < kPerTurn && in_flight() != 0 && slots_[tail_ % kCapacity].due <= now_) {
      out[done++] = run(aead_, slots_[tail_++ % kCapacity].job);
    }
    return done;
  }
  [[nodiscard]] std::size_t in_flight() const noexcept { return head_ - tail_; }

 private:
  static constexpr std::size_t kCapacity = 8, kPerTurn = 3;
  static constexpr std::uint64_t kTurns = 3;
  struct Slot { EngineJob job; std::uint64_t due; };
  const Aead& aead_;
  std::array<Slot, kCapacity> slots_{};
  std::size_t head_ = 0, tail_ = 0;
  std::uint64_t now_ = 0;
};
static_assert(AeadEngine<SlowEngine>);

void turn(SoftwareEngine&) {}
void turn(SlowEngine& engine) { engine.turn(); }
void turn(hw::tb::CardEngine& engine) { engine.turn(); }

/// Seals `count` records and opens them again, all through the engine. Returns: the turns it took.
template <AeadEngine E>
std::size_t seal_and_open(E& engine, const Aead& aead, std::size_t count) {
  std::mt19937_64 random{7};
  const Suite& suite = *find_suite(0x1301, Version::tls13);
  const TrafficKeys keys = support::random_keys(random);
  ExpandedKey key;
  aead.expand(suite, keys, key);
  std::vector<std::vector<std::uint8_t>> fragments;
  std::vector<support::RecordRoom> rooms;
  for (std::size_t i = 0; i < count; ++i) {
    fragments.push_back(support::random_bytes(random, 1 + i * 7));
    rooms.emplace_back(suite, fragments.back());
  }
  std::size_t sealed = 0, opened = 0, seal_next = 0, open_next = 0, turns = 0;
  for (; opened < count && turns < 10'000; ++turns) {
    turn(engine);
    std::array<EngineCompletion, 5> done;
    const std::size_t n = engine.complete(done);
    for (const EngineCompletion& c : std::span{done}.first(n)) {
      if (c.operation == EngineJob::Operation::seal) {
        CHECK(c.user == sealed++);  // in the order of submission
        CHECK(c.sealed_bytes == rooms[c.user].bytes().size());
      } else {
        CHECK(c.user == opened++);
        REQUIRE(c.opened.status == Opened::Status::ok);
        CHECK(std::equal(c.opened.fragment.begin(), c.opened.fragment.end(), fragments[c.user].begin(), fragments[c.user].end()));
      }
    }
    while (open_next < sealed &&
           engine.submit({.operation = EngineJob::Operation::open, .key = &key, .keys = &keys, .number = open_next,
                          .bytes = rooms[open_next].bytes().data(),
                          .size = static_cast<std::uint32_t>(rooms[open_next].bytes().size()), .user = open_next})) {
      ++open_next;
    }
    while (seal_next < count &&
           engine.submit({.key = &key, .keys = &keys, .number = seal_next, .bytes = rooms[seal_next].fragment(),
                          .size = static_cast<std::uint32_t>(rooms[seal_next].fragment_bytes()), .user = seal_next})) {
      ++seal_next;
    }
  }
  CHECK(opened == count);
  CHECK(engine.in_flight() == 0);
  return turns;
}

}  // namespace

TEST_CASE("the software engine completes every job once and in order") {
  SoftwareEngine engine{default_aead()};
  seal_and_open(engine, default_aead(), 200);
}

TEST_CASE("an engine that completes turns later works through the same interface") {
  SlowEngine engine{default_aead()};
  CHECK(seal_and_open(engine, default_aead(), 200) > 100);
}

TEST_CASE("the cipher core, as a card behind the rings, completes every job once and in order") {
  hw::tb::CardEngine engine;
  CHECK(seal_and_open(engine, default_aead(), 200) > 100);
}

TEST_CASE("A1: a card gives the bytes and verdicts of the software engine for the same jobs, sealing and opening mixed, good and bad") {
  std::mt19937_64 random{9};
  for (const Suite& suite : all_suites()) {
    const TrafficKeys keys = support::random_keys(random);
    ExpandedKey key;
    default_aead().expand(suite, keys, key);
    hw::tb::CardEngine card;
    std::vector<std::vector<std::uint8_t>> ours, theirs;  // one for software, one for the card
    std::vector<EngineJob> jobs;
    for (std::size_t i = 0; i < 40; ++i) {
      const auto fragment = support::random_bytes(random, i % 9 == 8 ? 16384 : random() % 300);
      const bool opens = i % 2 == 1;
      auto room = opens ? support::sealed(default_aead(), key, keys, i, ContentType::application_data, fragment) : support::RecordRoom{suite, fragment}.bytes();
      if (i % 8 == 3) room[room.size() - 1 - random() % 16] ^= 1;
      if (i % 8 == 7) room.resize(kHeaderBytes + random() % 24);  // too short to be one
      ours.push_back(room);
      theirs.push_back(room);
      const std::size_t at = opens ? 0 : suite.front_bytes();
      jobs.push_back({.operation = opens ? EngineJob::Operation::open : EngineJob::Operation::seal, .key = &key, .keys = &keys, .number = i,
                      .size = static_cast<std::uint32_t>(opens ? room.size() : fragment.size()), .user = at});
    }
    std::vector<EngineCompletion> done;
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      jobs[i].bytes = theirs[i].data() + jobs[i].user;
      REQUIRE(card.submit(jobs[i]));
    }
    for (unsigned turns = 0; turns < 1000 && done.size() < jobs.size(); ++turns) {
      std::array<EngineCompletion, 5> some;
      card.turn();
      const std::size_t n = card.complete(some);
      done.insert(done.end(), some.begin(), some.begin() + static_cast<std::ptrdiff_t>(n));
    }
    REQUIRE(done.size() == jobs.size());
    for (std::size_t i = 0; i < jobs.size(); ++i) {
      CAPTURE(i);
      CAPTURE(suite.name);
      if (suite.cipher == Cipher::chacha20_poly1305) {  // not in the core: refused, and nothing of the fragment is left in clear
        CHECK(done[i].sealed_bytes == 0);
        CHECK(done[i].opened.status != Opened::Status::ok);
        continue;
      }
      jobs[i].bytes = ours[i].data() + jobs[i].user;
      const EngineCompletion wanted = run(default_aead(), jobs[i]);
      CHECK(done[i].operation == wanted.operation);
      CHECK(done[i].sealed_bytes == wanted.sealed_bytes);
      if (jobs[i].operation == EngineJob::Operation::seal) {
        CHECK(theirs[i] == ours[i]);
        continue;
      }
      CHECK(done[i].opened.status == wanted.opened.status);
      CHECK(done[i].opened.alert == wanted.opened.alert);
      const MutableBytes a = done[i].opened.fragment, b = wanted.opened.fragment;
      CHECK(std::equal(a.begin(), a.end(), b.begin(), b.end()));
    }
  }
}

TEST_CASE("I5: a full engine takes nothing more, and loses nothing") {
  SoftwareEngine engine{default_aead()};
  std::mt19937_64 random{8};
  const Suite& suite = *find_suite(0x1303, Version::tls13);
  const TrafficKeys keys = support::random_keys(random);
  ExpandedKey key;
  default_aead().expand(suite, keys, key);
  std::vector<support::RecordRoom> rooms(SoftwareEngine::kCapacity + 1, support::RecordRoom{suite, support::random_bytes(random, 100)});
  std::size_t taken = 0;
  for (auto& room : rooms) {
    taken += engine.submit({.key = &key, .keys = &keys, .number = taken, .bytes = room.fragment(), .size = 100, .user = taken}) ? 1 : 0;
  }
  CHECK(taken == SoftwareEngine::kCapacity);
  std::array<EngineCompletion, SoftwareEngine::kCapacity + 1> done;
  CHECK(engine.complete(done) == SoftwareEngine::kCapacity);
  CHECK(done[SoftwareEngine::kCapacity - 1].user == SoftwareEngine::kCapacity - 1);
  CHECK(engine.complete(done) == 0);
}
