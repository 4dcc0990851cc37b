// Our own bytes towards the client: initial window, timer, fast retransmit, giving up, and records between the items.
#include <doctest/doctest.h>

#include "splice/local_sender.hpp"

using namespace cutwater;
using namespace cutwater::splice;

namespace {

constexpr Tick kNow{1'000'000};
constexpr SeqNum kAt{0xffff'fc00};
constexpr std::uint16_t kMss = 1000;

std::vector<std::uint8_t> bytes(std::size_t n) {
  std::vector<std::uint8_t> out(n);
  for (std::size_t i = 0; i < n; ++i) out[i] = static_cast<std::uint8_t>(i * 31 + i / 256);
  return out;
}
struct Sent {
  SeqNum begin, end;
  bool is_resent, has_fin;
};
std::vector<Sent> drain(LocalSender& sender, SeqNum edge = kAt + 1'000'000U, Tick now = kNow) {
  std::vector<Sent> out;
  while (const auto piece = sender.next(edge, now)) {
    out.push_back({piece->begin, piece->begin + static_cast<std::uint32_t>(piece->bytes.size()), piece->is_resent, piece->ending == Ending::fin});
    if (out.size() > 1000) break;
  }
  return out;
}
LocalSender started(std::size_t n, Ending ending = Ending::none) {
  LocalSender sender;
  sender.start(kMss, 0);
  sender.append(kAt, bytes(n), ending);
  return sender;
}

}  // namespace

TEST_CASE("A5: ten segments at first, whole ones, then as acknowledgements come") {
  LocalSender sender = started(30'000);
  const auto first = drain(sender);
  REQUIRE(first.size() == 10);
  for (const Sent& piece : first) CHECK(piece.end - piece.begin == kMss);
  sender.on_ack(kAt + 2'000U, kNow);
  CHECK(drain(sender).size() == 4);
}

TEST_CASE("A5: the bytes are those that were appended, wherever they are cut, and FIN goes with the last") {
  LocalSender sender;
  sender.start(700, 0);
  const auto all = bytes(5'000);
  sender.append(kAt, bytes(5'000), Ending::fin);
  std::size_t got = 0;
  while (const auto piece = sender.next(kAt + 100'000U, kNow)) {
    REQUIRE(piece->begin == kAt + static_cast<std::uint32_t>(got));
    REQUIRE(std::equal(piece->bytes.begin(), piece->bytes.end(), all.begin() + static_cast<std::ptrdiff_t>(got)));
    got += piece->bytes.size();
    CHECK((piece->ending == Ending::fin) == (got == all.size()));
  }
  CHECK(got == all.size());
  sender.on_ack(kAt + 5'000U, kNow);
  CHECK_FALSE(sender.is_empty());  // the FIN is still out
  sender.on_ack(kAt + 5'001U, kNow);
  CHECK(sender.is_empty());
  CHECK(sender.deadline() == kNever);
}

TEST_CASE("RFC 5681 3.2: three duplicates send the first missing segment again, once") {
  LocalSender sender = started(5'000);
  drain(sender);
  for (int i = 0; i < 2; ++i) sender.on_duplicate(kAt, kNow);
  CHECK(drain(sender).empty());
  sender.on_duplicate(kAt, kNow);
  const auto again = drain(sender);
  REQUIRE(again.size() == 1);
  CHECK(again[0].begin == kAt);
  CHECK(again[0].is_resent);
  for (int i = 0; i < 5; ++i) sender.on_duplicate(kAt, kNow);
  CHECK(drain(sender).empty());
}

TEST_CASE("RFC 6298: the timer sends again from the first missing byte, doubles, and gives the client up at last") {
  LocalSender sender = started(3'000);
  drain(sender);
  Tick now = sender.deadline();
  CHECK(now - kNow == 1'000'000);
  int expiries = 0;
  std::uint64_t last = 0;
  while (sender.on_timer(now)) {
    const auto again = drain(sender, kAt + 1'000'000U, now);
    REQUIRE_FALSE(again.empty());
    CHECK(again[0].begin == kAt);
    CHECK(again[0].is_resent);
    CHECK(sender.deadline() - now >= last);
    last = sender.deadline() - now;
    now = sender.deadline();
    REQUIRE(++expiries < 20);
  }
  CHECK(expiries == Rto::kMaxRetries);
}

TEST_CASE("items with records between them: only our own bytes are sent, and acknowledged through") {
  LocalSender sender;
  sender.start(kMss, 0);
  sender.append(kAt, bytes(100), Ending::none);
  CHECK(drain(sender).size() == 1);
  sender.append(kAt + 5'000U, bytes(50), Ending::none);  // 4,900 bytes of records lie between
  const auto second = drain(sender);
  REQUIRE(second.size() == 1);
  CHECK(second[0].begin == kAt + 5'000U);
  sender.on_ack(kAt + 100U, kNow);
  CHECK_FALSE(sender.is_empty());
  sender.on_ack(kAt + 3'000U, kNow);
  sender.on_ack(kAt + 5'050U, kNow);
  CHECK(sender.is_empty());
}

TEST_CASE("the client's window holds what is not the only thing on its way") {
  LocalSender sender = started(5'000);
  const auto sent = drain(sender, kAt + 2'500U);
  REQUIRE_FALSE(sent.empty());
  CHECK(at_or_before(sent.back().end, kAt + 3'000U));
  CHECK(sent.size() <= 3);
}
