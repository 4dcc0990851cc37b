// A JavaScript value with its path, read once into a C++ type or refused with a message that names the path.
// Thread: control (JavaScript's).
#pragma once

#include <napi.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace cutwater::addon {

/// The first complaint is kept; reading goes on with default values, and the caller looks at `failure` once at the end.
class Field {
 public:
  Field(Napi::Value value, std::string path, std::string& failure)
      : value_(value), path_(std::move(path)), failure_(&failure) {}

  [[nodiscard]] Field operator[](const char* key) const;
  [[nodiscard]] bool is_undefined() const { return value_.IsEmpty() || value_.IsUndefined(); }

  [[nodiscard]] std::string text() const;
  /// A Uint8Array as text: PEM that the control plane can overwrite afterwards.
  [[nodiscard]] std::string bytes() const;
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] double number(double min, double max) const;

  template <class T>
  [[nodiscard]] T integer() const {
    // A JavaScript number is exact up to 2^53 - 1.
    constexpr double kExact = 9'007'199'254'740'991.0;
    constexpr double kMin = std::is_signed_v<T> ? -kExact : 0.0;
    const double type_max = static_cast<double>(std::numeric_limits<T>::max());
    const double type_min = static_cast<double>(std::numeric_limits<T>::min());
    return static_cast<T>(number(std::max(kMin, type_min), std::min(kExact, type_max)));
  }

  /// One of the words of a table; the first is returned after a failure.
  template <class T>
  [[nodiscard]] T choice(const std::vector<std::pair<const char*, T>>& words) const {
    const std::string word = text();
    for (const auto& [name, meaning] : words) {
      if (word == name) return meaning;
    }
    refuse("unknown word \"" + word + "\"");
    return words.front().second;
  }

  /// Reads each element of an array.
  template <class Read>
  [[nodiscard]] auto list(Read&& read) const {
    std::vector<std::invoke_result_t<Read, const Field&>> items;
    if (!value_.IsArray()) {
      refuse("expected an array");
      return items;
    }
    const auto array = value_.As<Napi::Array>();
    items.reserve(array.Length());
    for (std::uint32_t i = 0; i < array.Length(); ++i) {
      items.push_back(read(Field{array.Get(i), path_ + "[" + std::to_string(i) + "]", *failure_}));
    }
    return items;
  }

  void refuse(const std::string& why) const;

 private:
  Napi::Value value_;
  std::string path_;
  std::string* failure_;
};

}  // namespace cutwater::addon
