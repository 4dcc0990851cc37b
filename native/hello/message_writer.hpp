// Writes fields of a message in network order, one behind the other. The caller knows that there is room.
// Thread: any. Used by: retry.cpp, deferral.cpp.
#pragma once

#include <algorithm>
#include <utility>

#include "base/bytes.hpp"

namespace cutwater::hello {

class MessageWriter {
 public:
  explicit MessageWriter(std::uint8_t* at) noexcept : begin_(at), at_(at) {}
  void u8(std::uint8_t value) noexcept { *at_++ = value; }
  void u16(std::uint16_t value) noexcept { store_be16(at_, value), at_ += 2; }
  void bytes(Bytes bytes) noexcept { at_ = std::copy(bytes.begin(), bytes.end(), at_); }
  /// Leaves room for what is known only later. Returns: where it is.
  std::uint8_t* skip(std::size_t bytes) noexcept { return std::exchange(at_, at_ + bytes); }
  [[nodiscard]] std::size_t since(const std::uint8_t* from) const noexcept { return static_cast<std::size_t>(at_ - from); }
  [[nodiscard]] std::size_t size() const noexcept { return since(begin_); }

 private:
  std::uint8_t* begin_;
  std::uint8_t* at_;
};

}  // namespace cutwater::hello
