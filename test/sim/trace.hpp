// Packets as lines, for people: time, where, numbers relative to each direction's start.
// Thread: one run, one thread. Used by: run.
#pragma once

#include <map>
#include <string>

#include "sim/frame.hpp"

namespace cutwater::sim {

class Trace {
 public:
  void packet(std::uint64_t at_us, std::string_view where, const Decoded& decoded);
  void note(std::uint64_t at_us, const std::string& text);
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
  std::map<std::string, std::uint32_t> first_;  // by interface, source and target: the number behind its SYN
};

}  // namespace cutwater::sim
