// The spans that were sent again lately, of all flows of a worker: when the far side says that one came twice, its span has
// left the map, and this is how the resender can still be told in its own numbering. A ring: what is older is forgotten.
// Thread: owning worker. Implements: A7.
#pragma once

#include <array>

#include "record/key_cache.hpp"
#include "splice/span_map.hpp"

namespace cutwater::splice {

struct Resent {
  SeqNum cipher_begin, cipher_end, plain_begin, plain_end;
  std::uint32_t flow = ~0U, generation = 0;
  record::KeyId::Direction direction{};
};

class ResentLog {
 public:
  void note(std::uint32_t flow, std::uint32_t generation, record::KeyId::Direction direction, const Span& span) noexcept {
    ring_[next_++ % ring_.size()] = {.cipher_begin = span.cipher_begin,
                                     .cipher_end = span.cipher_end(),
                                     .plain_begin = span.plain_begin,
                                     .plain_end = span.plain_end(),
                                     .flow = flow,
                                     .generation = generation,
                                     .direction = direction};
  }
  /// Calls visit(resent) for those of a flow and direction, newest first.
  template <class Visit>
  void each(std::uint32_t flow, std::uint32_t generation, record::KeyId::Direction direction, Visit&& visit) const noexcept {
    for (std::size_t back = 1; back <= ring_.size(); ++back) {
      const Resent& resent = ring_[(next_ - back) % ring_.size()];
      if (resent.flow == flow && resent.generation == generation && resent.direction == direction) visit(resent);
    }
  }

 private:
  std::array<Resent, 256> ring_{};
  std::size_t next_ = 0;
};

}  // namespace cutwater::splice
