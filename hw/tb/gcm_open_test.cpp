#include "core/gcm_open.hpp"

#include <doctest/doctest.h>

#include "tb/gcm_slots.hpp"

using namespace cutwater;
using namespace cutwater::hw;
using namespace cutwater::hw::tb;

TEST_CASE("A1: the opening pipeline opens the published GCM vectors, and refuses each with any bit of its tag flipped") {
  for (const auto& vector : gcm_vectors()) {
    CAPTURE(vector.name);
    GcmOpen gcm;
    std::vector<std::uint8_t> plaintext;
    unsigned right = 0, wrong = 0, clock = 0, entered = 0;
    bool is_first = true;
    const auto step = [&](const GcmInput& in) {
      const GcmOpened out = gcm.step(in);
      const auto bytes = bytes_of(out.plain.block);
      if (is_first && out.plain.kind == SlotKind::data) plaintext.insert(plaintext.end(), bytes.begin(), bytes.begin() + static_cast<std::uint32_t>(out.plain.bytes));
      if (out.plain.kind == SlotKind::tag) is_first = false;
      if (out.judged.kind == SlotKind::tag) {
        if (right + wrong == 0) CHECK(clock == entered + kGcmClocks);
        ++(is_zero(out.judged.block) ? right : wrong);
      }
      ++clock;
    };
    for (unsigned bit = 0; bit <= 128; ++bit) {
      Block tag = block(vector.tag);
      if (bit != 0) tag[(bit - 1) / 8] = static_cast<std::uint8_t>(tag[(bit - 1) / 8] ^ 1U << ((bit - 1) % 8));
      for (const GcmInput& in : gcm_slots(vector, vector.ciphertext, tag)) {
        if (bit == 0) entered = clock;
        step(in);
      }
    }
    for (unsigned i = 0; i <= kGcmClocks; ++i) step({});
    CHECK(plaintext == vectors::hex(vector.plaintext));
    CHECK(right == 1);
    CHECK(wrong == 128);
  }
}
