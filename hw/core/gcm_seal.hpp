// AES-GCM sealing: keystream on the text, hash over what came of it. A block in and a block out a clock; the tag leaves as the block behind
// its record's last. Source: SP 800-38D 7.1.
#pragma once

#include "core/aes_pipe.hpp"
#include "core/ghash.hpp"

namespace cutwater::hw {

inline constexpr unsigned kGcmClocks = kAesClocks + kHashClocks;

struct GcmSeal {
  AesPipe aes{};
  Ghash ghash{};

  /// One clock. Returns: what entered kGcmClocks clocks ago: a data slot with its ciphertext, a tag slot with its tag.
  Slot step(const GcmInput& in) noexcept {
    const AesOutput from_aes = aes.step(in);
    Slot slot = from_aes.slot;
    // What does not count becomes zero, not keystream: a block that is missing must not give it away.
    if (slot.kind == SlotKind::data) slot.block = first_bytes(exclusive_or(slot.block, from_aes.keystream), slot.bytes);
    if (slot.kind == SlotKind::tag) slot.block = from_aes.keystream;
    return ghash.step(slot, slot.kind == SlotKind::hash_key ? from_aes.keystream : Block{});
  }
};

}  // namespace cutwater::hw
