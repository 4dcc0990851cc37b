// An array that is a value: copied, returned and compared by its items, as registers are. std::array is not for synthesis.
#pragma once

namespace cutwater::hw {

template <class T, unsigned kSize>
struct Array {
  T items[kSize];

  static constexpr unsigned size() noexcept { return kSize; }
  constexpr T& operator[](unsigned at) noexcept { return items[at]; }
  constexpr const T& operator[](unsigned at) const noexcept { return items[at]; }
};

}  // namespace cutwater::hw
