// The lists inside a ClientHello as ranges over its bytes. A list's bytes were checked when the hello was parsed:
// they hold whole entries, so going through them needs no checks and copies nothing.
// Thread: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <string_view>

#include "base/bytes.hpp"

namespace cutwater::hello {

/// A range over `Entry::read(at)` with entries of `Entry::size(at)` bytes.
template <class Entry>
class List {
 public:
  class Iterator {
   public:
    using value_type = typename Entry::Value;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;
    Iterator() noexcept = default;
    explicit Iterator(const std::uint8_t* at) noexcept : at_(at) {}
    value_type operator*() const noexcept { return Entry::read(at_); }
    Iterator& operator++() noexcept {
      at_ += Entry::size(at_);
      return *this;
    }
    Iterator operator++(int) noexcept {
      Iterator before = *this;
      ++*this;
      return before;
    }
    bool operator==(const Iterator&) const noexcept = default;

   private:
    const std::uint8_t* at_ = nullptr;
  };

  List() noexcept = default;
  /// Requires: whole entries only.
  explicit List(Bytes bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] Iterator begin() const noexcept { return Iterator{bytes_.data()}; }
  [[nodiscard]] Iterator end() const noexcept { return Iterator{bytes_.data() + bytes_.size()}; }
  [[nodiscard]] bool empty() const noexcept { return bytes_.empty(); }
  [[nodiscard]] Bytes bytes() const noexcept { return bytes_; }

  /// True when an entry equals `value`. Cost: linear.
  template <class T>
  [[nodiscard]] bool contains(const T& value) const noexcept {
    for (const auto entry : *this) {
      if (entry == value) return true;
    }
    return false;
  }

 private:
  Bytes bytes_;
};

struct U16Entry {
  using Value = std::uint16_t;
  static Value read(const std::uint8_t* at) noexcept { return load_be16(at); }
  static std::size_t size(const std::uint8_t*) noexcept { return 2; }
};
using U16List = List<U16Entry>;
using VersionList = U16List;

/// A name behind one byte of length (ALPN).
struct NameEntry {
  using Value = std::string_view;
  static Value read(const std::uint8_t* at) noexcept { return {reinterpret_cast<const char*>(at + 1), at[0]}; }
  static std::size_t size(const std::uint8_t* at) noexcept { return 1U + at[0]; }
};
using NameList = List<NameEntry>;

struct Extension {
  std::uint16_t type;
  Bytes body;
};
struct ExtensionEntry {
  using Value = Extension;
  static Value read(const std::uint8_t* at) noexcept { return {load_be16(at), {at + 4, load_be16(at + 2)}}; }
  static std::size_t size(const std::uint8_t* at) noexcept { return 4U + load_be16(at + 2); }
};
using ExtensionList = List<ExtensionEntry>;

struct KeyShare {
  std::uint16_t group;
  Bytes key;
};
struct KeyShareEntry {
  using Value = KeyShare;
  static Value read(const std::uint8_t* at) noexcept { return {load_be16(at), {at + 4, load_be16(at + 2)}}; }
  static std::size_t size(const std::uint8_t* at) noexcept { return 4U + load_be16(at + 2); }
};
using KeyShareList = List<KeyShareEntry>;

struct PskIdentity {
  Bytes identity;
  std::uint32_t obfuscated_age_ms;
};
struct PskEntry {
  using Value = PskIdentity;
  static Value read(const std::uint8_t* at) noexcept {
    const std::size_t bytes = load_be16(at);
    return {{at + 2, bytes}, load_be32(at + 2 + bytes)};
  }
  static std::size_t size(const std::uint8_t* at) noexcept { return 6U + load_be16(at); }
};
using PskList = List<PskEntry>;

/// A value that clients send to keep servers tolerant of the unknown. Source: RFC 8701 2.
constexpr bool is_grease(std::uint16_t value) noexcept {
  return (value & 0x0f0f) == 0x0a0a && value >> 8 == (value & 0xff);
}

}  // namespace cutwater::hello
