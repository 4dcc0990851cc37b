// Single operations of the dataplane, repeated, for bench/micro: what they cost where the add-on runs, with its compiler flags.
// Not here: clocks and statistics; the bench has them. Thread: any environment's.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace cutwater::addon {

/// The names run_operation() knows.
std::vector<std::string_view> operation_names();
/// Runs an operation on `input` again and again. What is prepared for it happens once, so `repeats` should be large.
/// Returns: false for an unknown name, or an input it cannot work on (a fragment of more than 16,384 bytes, a broken hello).
bool run_operation(std::string_view name, Bytes input, std::uint32_t repeats);

}  // namespace cutwater::addon
