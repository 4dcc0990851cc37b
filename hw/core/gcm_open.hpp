// AES-GCM opening: hash over the ciphertext, keystream on it. The plaintext leaves before its verdict can be there, so it goes into a buffer and
// nowhere else (plaintext_buffer.hpp). Source: SP 800-38D 7.2.
#pragma once

#include "core/gcm_seal.hpp"

namespace cutwater::hw {

/// What leaves in one clock.
struct GcmOpened {
  Slot plain{};    // kAesClocks after it entered: a data slot with its plaintext, a tag slot behind the last of them
  Slot judged{};   // kGcmClocks after it entered: a tag slot whose block is zero when, and only when, the tag is right
};

struct GcmOpen {
  AesPipe aes{};
  Ghash ghash{};

  /// One clock. A tag slot enters with the tag as it was received.
  GcmOpened step(const GcmInput& in) noexcept {
    const AesOutput from_aes = aes.step(in);
    Slot plain = from_aes.slot, hashed = from_aes.slot;
    if (plain.kind == SlotKind::data) {
      hashed.block = first_bytes(plain.block, plain.bytes);
      plain.block = first_bytes(exclusive_or(plain.block, from_aes.keystream), plain.bytes);
    }
    if (plain.kind == SlotKind::tag) hashed.block = exclusive_or(plain.block, from_aes.keystream);
    return {plain, ghash.step(hashed, plain.kind == SlotKind::hash_key ? from_aes.keystream : Block{})};
  }
};

}  // namespace cutwater::hw
