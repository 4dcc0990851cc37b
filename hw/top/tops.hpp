// The two kernels. In software each is one card: whoever calls it must let it come to rest before another does.
#pragma once

#include "core/record_open.hpp"
#include "core/record_seal.hpp"
#include "shim/stream.hpp"

namespace cutwater::hw {

void record_seal_top(Stream<RecordJob>& jobs, Stream<InBlock>& blocks_in, Stream<OutBlock>& blocks_out,
                     Stream<RecordCompletion>& completions) noexcept;
void record_open_top(Stream<RecordJob>& jobs, Stream<InBlock>& blocks_in, Stream<OutBlock>& blocks_out,
                     Stream<RecordCompletion>& completions) noexcept;

}  // namespace cutwater::hw
