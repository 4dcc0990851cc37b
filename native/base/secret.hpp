// Bytes that must not be copied by accident, printed, or outlive their use. Reading them is the word `expose`.
// Thread: the owner's.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.hpp"

namespace cutwater {

/// Overwrites memory in a way the compiler may not remove.
inline void wipe(void* p, std::size_t bytes) noexcept {
  if (bytes == 0) return;
  __asm__("" : "+r"(bytes));  // a length known to the compiler would become `rep stos`, whose start costs more than a short record's wipe
  std::memset(p, 0, bytes);
  __asm__ __volatile__("" : : "r"(p) : "memory");
}

/// Up to N secret bytes, with their length. Movable (the source is wiped), never copyable.
template <std::size_t N>
class Secret {
  static_assert(N <= 0xffff);

 public:
  Secret() noexcept = default;
  explicit Secret(Bytes bytes) noexcept { assign(bytes); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  Secret(Secret&& other) noexcept { take(other); }
  Secret& operator=(Secret&& other) noexcept {
    if (this != &other) take(other);
    return *this;
  }
  ~Secret() { wipe(bytes_.data(), N); }

  /// Requires: bytes.size() <= N; what exceeds it is cut off.
  void assign(Bytes bytes) noexcept {
    size_ = static_cast<std::uint16_t>(std::min(bytes.size(), N));
    if (size_ != 0) std::memcpy(bytes_.data(), bytes.data(), size_);
  }
  [[nodiscard]] Bytes expose() const noexcept { return {bytes_.data(), size_}; }
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }

 private:
  void take(Secret& other) noexcept {
    assign(other.expose());
    wipe(other.bytes_.data(), N);
    other.size_ = 0;
  }
  std::array<std::uint8_t, N> bytes_{};
  std::uint16_t size_ = 0;  // a flow has two of these
};

}  // namespace cutwater
