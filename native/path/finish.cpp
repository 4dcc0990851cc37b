// Stage 8: every packet ends here, by its verdict. Nobody else gives a received chunk back (C6).
#include "path/state.hpp"
#include "splice/emit.hpp"

namespace cutwater::path {

void finish(State& s, std::span<Work> work) noexcept {
  for (Work& w : work) {
    switch (w.verdict.action) {
      case Action::forward: break;  // the outbox has it
      case Action::hold: break;     // the splice has it
      case Action::drop: s.counters.add(w.verdict.reason); [[fallthrough]];
      case Action::consume: s.r.chunks.put(w.packet.chunk); break;
    }
  }
  splice::settle_acks(s.r);
}

}  // namespace cutwater::path
