// The stand-in for OpenSSL's sprintf must print what sprintf prints.
#include <doctest/doctest.h>

#include <cstdio>
#include <limits>
#include <string>

extern "C" int __wrap___sprintf_chk(char* out, int flag, std::size_t room, const char* format, ...);

TEST_CASE("A5: every byte and every other format is printed as sprintf does") {
  constexpr std::size_t kUnknownRoom = std::numeric_limits<std::size_t>::max();
  char ours[64], theirs[64];
  for (unsigned value = 0; value < 70'000; value += value < 512 ? 1 : 997) {
    const int expected = std::snprintf(theirs, sizeof theirs, "%02x", value);
    for (const std::size_t room : {sizeof ours, kUnknownRoom}) {
      CHECK(__wrap___sprintf_chk(ours, 1, room, "%02x", value) == expected);
      CHECK(std::string(ours) == theirs);
    }
  }
  CHECK(__wrap___sprintf_chk(ours, 1, kUnknownRoom, "%s %d %lu", "ab", -4, 99UL) == 8);
  CHECK(std::string(ours) == "ab -4 99");
}
