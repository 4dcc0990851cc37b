// Whoever answers the requests of some lanes: a processor on this thread (processor.hpp), or a carrier that has them answered by
// another process (carrier.hpp). Thread: its own, but for what it inherits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace cutwater::secure {

class LaneServer {
 public:
  using Wake = std::function<void(std::uint32_t link)>;

  virtual ~LaneServer() = default;
  /// Takes up to `budget` requests from each lane and pushes replies. Calls `wake` for each link that got some.
  /// Returns: false when there was nothing to do.
  virtual bool run(std::size_t budget, const Wake& wake) = 0;
  /// Ends what has taken too long; looks at a bounded number a call.
  virtual void reap() = 0;
  /// True while something waits that run() could do now.
  [[nodiscard]] virtual bool has_requests() const noexcept = 0;
  /// How long its thread may sleep when nothing comes in; -1: for ever.
  [[nodiscard]] virtual int sleep_ms() const noexcept = 0;
  /// What to wait for besides requests: a file and its poll(2) events; -1: nothing.
  struct Source {
    int file = -1;
    short events = 0;
  };
  [[nodiscard]] virtual Source source() const noexcept { return {}; }
};

}  // namespace cutwater::secure
