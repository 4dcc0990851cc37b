// A number of so many bits. In synthesis it is stored in the vendor's type, so the registers are that wide; in software it is cut to
// that width at every store, so what would wrap on the card wraps in the tests too.
#pragma once

#include <cstdint>

#ifdef CUTWATER_VENDOR_TYPES
#include <ap_int.h>
#endif

namespace cutwater::hw {

template <unsigned kBits>
class UInt {
  static_assert(kBits >= 1 && kBits <= 32, "wider ones are plain words");

 public:
  constexpr UInt() noexcept : bits_(0) {}
  constexpr UInt(std::uint32_t value) noexcept : bits_(value & kMask) {}  // NOLINT(google-explicit-constructor): stored as a number is
#ifdef CUTWATER_VENDOR_TYPES
  constexpr operator std::uint32_t() const noexcept { return bits_.to_uint(); }
#else
  constexpr operator std::uint32_t() const noexcept { return bits_; }
#endif

 private:
  static constexpr std::uint32_t kMask = 0xffff'ffffU >> (32 - kBits);
#ifdef CUTWATER_VENDOR_TYPES
  ap_uint<kBits> bits_;
#else
  std::uint32_t bits_;
#endif
};

}  // namespace cutwater::hw
