// Published GCM vectors as slots: what the tests of both directions start from.
#pragma once

#include "core/ctr.hpp"
#include "core/ghash.hpp"
#include "tb/hex_block.hpp"
#include "vectors/aead.hpp"

namespace cutwater::hw::tb {

/// `text` is what goes in: plaintext to seal, ciphertext to open. `tag` is what was received, zeros when sealing.
inline std::vector<GcmInput> gcm_slots(const vectors::AeadVector& vector, std::string_view text, const Block& tag) {
  const auto aad = vectors::hex(vector.aad), bytes = vectors::hex(text), nonce_bytes = vectors::hex(vector.nonce);
  const auto aad_blocks = blocks_of(static_cast<std::uint32_t>(aad.size())), text_blocks = blocks_of(static_cast<std::uint32_t>(bytes.size()));
  const std::uint32_t total = aad_blocks + text_blocks + 1;
  Nonce nonce{};
  for (unsigned i = 0; i < 12; ++i) nonce[i] = nonce_bytes[i];
  std::uint32_t hashed = 0;
  std::vector<GcmInput> slots;
  const auto add = [&](SlotKind kind, const Block& counter, const Block& block) {
    GcmInput in{};
    in.slot.kind = kind;
    in.slot.block = block;
    in.slot.text_bytes = static_cast<std::uint32_t>(bytes.size());
    in.slot.aad_bytes = static_cast<std::uint32_t>(aad.size());
    in.counter = counter;
    in.key = key(vector.key);
    in.key_size = vector.cipher == record::Cipher::aes_128_gcm ? KeySize::aes_128 : KeySize::aes_256;
    if (kind != SlotKind::hash_key || !aad.empty()) in.slot.place = hash_place(hashed++, total);
    slots.push_back(in);
  };
  const auto block_at = [](const std::vector<std::uint8_t>& from, std::size_t index) {
    Block out{};
    for (unsigned i = 0; i < 16 && 16 * index + i < from.size(); ++i) out[i] = from[16 * index + i];
    return out;
  };
  add(SlotKind::hash_key, {}, block_at(aad, 0));
  for (std::uint32_t i = 1; i < aad_blocks; ++i) add(SlotKind::aad, {}, block_at(aad, i));
  for (std::uint32_t i = 0; i < text_blocks; ++i) {
    add(SlotKind::data, counter_block(nonce, kFirstTextCounter + i), block_at(bytes, i));
    slots.back().slot.bytes = bytes_in_block(static_cast<std::uint32_t>(bytes.size()), i);
  }
  add(SlotKind::tag, counter_block(nonce, kTagCounter), tag);
  return slots;
}

/// The AES vectors of the table.
inline std::vector<vectors::AeadVector> gcm_vectors() {
  std::vector<vectors::AeadVector> out;
  for (const auto& vector : vectors::kAeadVectors) {
    if (vector.cipher != record::Cipher::chacha20_poly1305) out.push_back(vector);
  }
  return out;
}

}  // namespace cutwater::hw::tb
