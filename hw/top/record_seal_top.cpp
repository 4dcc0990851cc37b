// The sealing machine as a kernel: one call is one clock, and the tool makes one clock of it. Its registers are the one object that stays.
#include "top/tops.hpp"

namespace cutwater::hw {

void record_seal_top(Stream<RecordJob>& jobs, Stream<InBlock>& blocks_in, Stream<OutBlock>& blocks_out,
                     Stream<RecordCompletion>& completions) noexcept {
  CUTWATER_HLS(HLS INTERFACE mode = ap_ctrl_none port = return)
  CUTWATER_HLS(HLS INTERFACE mode = axis port = jobs)
  CUTWATER_HLS(HLS INTERFACE mode = axis port = blocks_in)
  CUTWATER_HLS(HLS INTERFACE mode = axis port = blocks_out)
  CUTWATER_HLS(HLS INTERFACE mode = axis port = completions)
  CUTWATER_HLS(HLS PIPELINE II = 1 style = frp)
  static RecordSeal registers;
  CUTWATER_HLS(HLS RESET variable = registers)
  registers.step(jobs, blocks_in, blocks_out, completions);
}

}  // namespace cutwater::hw
