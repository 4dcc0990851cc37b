#include "core/gcm_seal.hpp"

#include <doctest/doctest.h>

#include "tb/gcm_slots.hpp"

using namespace cutwater;
using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("A2: the sealing pipeline gives the published GCM bytes and tags, all vectors behind each other without a pause, and with some") {
  for (const unsigned pause : {0U, 1U, 5U}) {
    GcmSeal gcm;
    std::vector<std::uint8_t> wanted, got;
    std::uint64_t clock = 0, tags = 0, last_in = 0, last_out = 0;
    const auto step = [&](const GcmInput& in) {
      const Slot out = gcm.step(in);
      const auto bytes = bytes_of(out.block);
      if (out.kind == SlotKind::data) got.insert(got.end(), bytes.begin(), bytes.begin() + static_cast<std::uint32_t>(out.bytes));
      if (out.kind == SlotKind::tag) got.insert(got.end(), bytes.begin(), bytes.end()), ++tags, last_out = clock;
      ++clock;
    };
    for (const auto& vector : gcm_vectors()) {
      for (const std::string_view text : {vector.ciphertext, vector.tag}) {
        const auto bytes = vectors::hex(text);
        wanted.insert(wanted.end(), bytes.begin(), bytes.end());
      }
      for (const GcmInput& in : gcm_slots(vector, vector.plaintext, {})) {
        last_in = clock;
        step(in);
        for (unsigned i = 0; i < pause; ++i) step({});
      }
    }
    for (unsigned i = 0; i <= kGcmClocks; ++i) step({});
    CHECK(got == wanted);
    CHECK(tags == 8);
    CHECK(last_out == last_in + kGcmClocks);
  }
}
