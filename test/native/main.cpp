// Entry of the native test binary. Run `cutwater_tests -ltc` for the list, `-tc="*I3*"` for one promise.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
