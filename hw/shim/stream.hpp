// A stream between the card and what feeds it: who writes looks for room first (ready), who reads looks for something first (valid).
// Three kinds, by macro: the vendor's in synthesis; a bounded FIFO in software, whose misuse ends the program, since on the card it
// would stop the pipeline for ever; and declarations alone, for the check that the tops reach nothing else
// (scripts/check_synthesizable.mjs). Depth: what comes while the other side looks away; 2 keeps one a clock going.
#pragma once

#if defined(CUTWATER_VENDOR_TYPES)

#include <hls_stream.h>

namespace cutwater::hw {
template <class T, unsigned kDepth = 2>
using Stream = hls::stream<T>;
}  // namespace cutwater::hw

#elif defined(CUTWATER_PORTS_ONLY)

namespace cutwater::hw {
template <class T, unsigned kDepth = 2>
struct Stream {
  bool empty() const noexcept;
  bool full() const noexcept;
  T read() noexcept;
  void write(const T& item) noexcept;
};
}  // namespace cutwater::hw

#else

#include <cstdio>
#include <cstdlib>

#include "shim/array.hpp"

namespace cutwater::hw {

/// What a stream that dies with something in it says. Lost data is a bug of whoever drove it, so the usual complaint ends the program.
using StreamComplaint = void (*)(const char* name, unsigned left);
inline void end_program(const char* name, unsigned left) {
  std::fprintf(stderr, "stream %s died with %u items in it\n", name, left);
  std::abort();
}
inline StreamComplaint stream_complaint = end_program;

template <class T, unsigned kDepth = 2>
class Stream {
 public:
  explicit Stream(const char* name = "unnamed") noexcept : name_(name) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  ~Stream() {
    if (count_ != 0) stream_complaint(name_, count_);
  }

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == kDepth; }
  T read() noexcept {
    if (empty()) misused("read while empty");
    const T item = items_[first_];
    items_[first_] = T{};
    first_ = (first_ + 1) % kDepth;
    --count_;
    return item;
  }
  void write(const T& item) noexcept {
    if (full()) misused("written while full");
    items_[(first_ + count_) % kDepth] = item;
    ++count_;
  }

 private:
  void misused(const char* how) const noexcept {
    std::fprintf(stderr, "stream %s %s: on the card nothing would move again\n", name_, how);
    std::abort();
  }

  const char* name_;
  Array<T, kDepth> items_{};
  unsigned first_ = 0, count_ = 0;
};

}  // namespace cutwater::hw

#endif
