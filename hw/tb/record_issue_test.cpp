#include "core/record_issue.hpp"

#include <doctest/doctest.h>

#include "tb/hex_block.hpp"

using namespace cutwater::hw;
using namespace cutwater::hw::tb;

namespace {

RecordJob job() {
  RecordJob out{};
  out.key = key("000102030405060708090a0b0c0d0e0f");
  return out;
}

}  // namespace

TEST_CASE("I3: a record's slots count 0 for the hash key, 2, 3, … for its text and 1 for its tag, and no counter comes twice") {
  RecordIssue issue;
  CHECK(is_zero(issue.begin(job(), {}, {}, 40, 3).counter));
  for (std::uint8_t i = 0; i < 3; ++i) {
    CHECK(issue.wants_input());
    issue.count({{}, i == 2});
    CHECK(issue.text({}).counter[15] == 2 + i);
  }
  CHECK(issue.phase == IssuePhase::tag);
  const GcmInput tag = issue.finish({});
  CHECK(tag.counter[15] == 1);
  CHECK(tag.slot.mark == SlotMark::sound);
  CHECK(issue.phase == IssuePhase::ready);
}

TEST_CASE("after its tag's slot a record's key is gone from the issue") {
  RecordIssue issue;
  issue.begin(job(), {}, {}, 0, 1);
  CHECK(issue.key[15] == 15);
  issue.count({{}, true});
  CHECK(issue.finish({}).key[15] == 15);
  for (unsigned i = 0; i < 32; ++i) CHECK(issue.key[i] == 0);
}

TEST_CASE("a record whose blocks end early is blank from there on; one whose blocks go on is thrown away to its end") {
  RecordIssue issue;
  issue.begin(job(), {}, {}, 40, 3);
  issue.count({{}, false});
  CHECK(issue.text({}).slot.bytes == 16);
  issue.count({{}, true});  // the second says it is the last
  CHECK(issue.text({}).slot.bytes == 0);
  CHECK_FALSE(issue.wants_input());
  CHECK(issue.text({}).slot.bytes == 0);
  CHECK(issue.finish({}).slot.mark == SlotMark::broken);
  CHECK(issue.phase == IssuePhase::ready);

  issue.begin(job(), {}, {}, 10, 1);
  issue.count({{}, false});
  CHECK(issue.text({}).slot.bytes == 0);
  CHECK(issue.finish({}).slot.mark == SlotMark::broken);
  CHECK(issue.phase == IssuePhase::discard);
  issue.discard({{}, false});
  CHECK(issue.phase == IssuePhase::discard);
  issue.discard({{}, true});
  CHECK(issue.phase == IssuePhase::ready);
  CHECK(issue.mark == SlotMark::sound);
}
