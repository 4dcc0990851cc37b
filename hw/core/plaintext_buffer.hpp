// Where plaintext waits for its verdict: a ring of blocks, a record of the greatest size and what comes in while its tag is on the way.
// Two banks, even and odd blocks, each with two ports: one writes what comes, the other reads or wipes. Reading goes from block to
// block, so while one bank is read the other wipes what was read a clock before: a block leaves no copy, and it costs no clock.
#pragma once

#include "core/block.hpp"
#include "core/gcm_open.hpp"
#include "core/record_job.hpp"

namespace cutwater::hw {

/// Blocks of the longest record's text, and those that come until its verdict is there: (16 KiB + 256) / 16 and 64 = 1104.
inline constexpr unsigned kBufferBlocks = kMostBodyBytes / kBlockBytes + 64;
static_assert(kBufferBlocks % 2 == 0, "the block behind the last one lies in the other bank");
/// A block may be read so many clocks after it was written, so that a memory's write and read may lie that far apart in the tool's pipeline.
inline constexpr unsigned kSettleClocks = 4;
static_assert(64 > kGcmClocks + kSettleClocks, "or records of the greatest size could not follow each other without a pause");

using BufferIndex = UInt<11>;

inline BufferIndex next_index(BufferIndex index) noexcept { return index + 1 == kBufferBlocks ? 0U : index + 1; }

struct PlaintextBuffer {
  static constexpr unsigned kBankBlocks = kBufferBlocks / 2;

  Block banks[2][kBankBlocks]{};
  BufferIndex write_at = 0;
  BufferIndex read_at = 0;
  BufferIndex wipe_at = 0;
  bool has_wipe = false;
  UInt<kSettleClocks> settling = 0;  // a bit for each clock that wrote a block, the oldest at the top
  BufferIndex count = 0;             // settled and not yet taken

  /// Once a clock, before the others.
  void clock() noexcept {
    if (has_wipe) banks[wipe_at % 2][wipe_at / 2] = {};
    has_wipe = false;
    count = count + (settling >> (kSettleClocks - 1));
    settling = settling << 1U;
  }

  /// At most once a clock. Requires: room, which was made sure of when the block's slot entered; so it is clocks since the place was wiped.
  void write(const Block& block) noexcept {
    banks[write_at % 2][write_at / 2] = block;
    write_at = next_index(write_at);
    settling = settling | 1U;
  }

  /// The oldest block; it is wiped in the next clock. At most once a clock. Requires: count != 0.
  Block take() noexcept {
    const Block block = banks[read_at % 2][read_at / 2];
    wipe_at = read_at;
    has_wipe = true;
    read_at = next_index(read_at);
    count = count - 1;
    return block;
  }
};

}  // namespace cutwater::hw
