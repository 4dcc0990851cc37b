// Fourteen rounds, a clock and a set of registers each. AES-128 is done after ten and passes through the others, so both sizes take the
// same time and may follow each other without a gap. What is in a stage goes on every clock: nothing stays that was not put in.
#pragma once

#include "core/aes_round.hpp"
#include "core/slot.hpp"

namespace cutwater::hw {

inline constexpr unsigned kAesClocks = kMostRounds + 1;  // and one for the first round key

struct AesStage {
  Slot slot{};
  Block state{};
  RoundKeys keys{};
  KeySize key_size = KeySize::aes_128;
};

struct AesOutput {
  Slot slot{};
  Block keystream{};
};

/// The clock of round `round`, from what the stage before has.
template <unsigned round>
inline AesStage aes_stage(const AesStage& before) noexcept {
  AesStage after = before;
  const unsigned last = rounds_of(before.key_size);
  if (round < last) after.state = aes_round(before.state, before.keys.next);
  if (round == last) after.state = aes_last_round(before.state, before.keys.next);
  after.keys = next_keys<round - 1>(before.keys, before.key_size);
  return after;
}

struct AesPipe {
  AesStage stages[kAesClocks]{};

  /// One clock. Returns: what entered kAesClocks clocks ago.
  AesOutput step(const GcmInput& in) noexcept {
    const AesOutput out{stages[kMostRounds].slot, stages[kMostRounds].state};
    advance<kMostRounds>();
    const RoundKeys keys = first_keys(in.key, in.key_size);
    stages[0] = {in.slot, exclusive_or(in.counter, keys.current), keys, in.key_size};
    return out;
  }

 private:
  template <unsigned round>
  void advance() noexcept {
    stages[round] = aes_stage<round>(stages[round - 1]);
    if constexpr (round > 1) advance<round - 1>();
  }
};

}  // namespace cutwater::hw
