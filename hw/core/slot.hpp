// A slot: what enters the pipeline in one clock, and what becomes of it on the way. A record of N blocks is N + 2 slots: its hash key (which
// takes the additional data along), its blocks, its tag. That is all AES has to do for a record, so no slot is wasted.
#pragma once

#include "core/key_expand.hpp"

namespace cutwater::hw {

enum class SlotKind : std::uint8_t {
  idle,      // nothing came this clock
  hash_key,  // AES makes the hash key; GHASH takes the additional data
  aad,       // a further block of additional data (no TLS record has one)
  data,      // a block of text
  tag,       // AES makes the tag's mask; GHASH takes the lengths
  refused,   // a job that was not begun: passes, so that completions stay in order
};

enum class SlotMark : std::uint8_t { sound, broken };  // broken: the input was not what the job said

/// Where a block stands among all that are hashed of its record.
struct HashPlace {
  UInt<2> lane = 0;   // which accumulator
  UInt<3> power = 0;  // 1 to 4: times H to this
  bool is_hashed = false;
  bool is_first = false;  // of its lane: nothing was accumulated before
  bool is_final = false;  // of its lane: goes into the sum
};

/// The parts that travel the whole way.
struct Slot {
  SlotKind kind = SlotKind::idle;
  SlotMark mark = SlotMark::sound;
  HashPlace place{};
  Block block{};            // additional data | text | the tag as received (zeros when sealing), when it leaves AES: the ciphertext, or tag XOR mask
  BlockBytes bytes = 0;     // so many of a text's block count
  UInt<15> text_bytes = 0;  // of the whole record; the hash needs it at the tag
  UInt<5> aad_bytes = 0;
};

/// A slot as it enters: with what AES is to encrypt, and its key.
struct GcmInput {
  Slot slot{};
  Block counter{};
  Key key{};
  KeySize key_size = KeySize::aes_128;
};

}  // namespace cutwater::hw
