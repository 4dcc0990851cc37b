// What a checker has found wrong: the invariant's name first, so that tests can ask for it.
// Thread: one run, one thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cutwater::invariants {

struct Finding {
  std::string invariant;  // "I1" … "I6", "tcp", "liveness"
  std::uint64_t at_us = 0;
  std::size_t connection = 0;
  std::string what;
};

/// A run's findings. Bounded: after the first few a run is only noise.
class Findings {
 public:
  void add(std::string invariant, std::uint64_t at_us, std::size_t connection, std::string what) {
    if (list_.size() < 20) list_.push_back({std::move(invariant), at_us, connection, std::move(what)});
  }
  [[nodiscard]] const std::vector<Finding>& list() const noexcept { return list_; }
  [[nodiscard]] bool empty() const noexcept { return list_.empty(); }
  [[nodiscard]] bool has(const std::string& invariant) const noexcept {
    for (const auto& f : list_) {
      if (f.invariant == invariant) return true;
    }
    return false;
  }

 private:
  std::vector<Finding> list_;
};

}  // namespace cutwater::invariants
