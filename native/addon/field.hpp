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

/// The first complaint is kept. From then on JavaScript is not touched any more (it may have an exception pending, and a second
/// one ends the process); reads give default values, and the caller looks at `failure` once at the end.
class Field {
 public:
  Field(Napi::Value value, std::string path, std::string& failure)
      : value_(value), path_(std::move(path)), failure_(&failure) {}

  [[nodiscard]] Field operator[](const char* key) const;

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
    if (has_failed()) return words.front().second;
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
    if (!has_failed() && !value_.IsArray()) refuse("expected an array");
    if (has_failed()) return items;
    const std::uint32_t length = value_.As<Napi::Array>().Length();
    for (std::uint32_t i = 0; i < length && !has_failed(); ++i) items.push_back(read(at(i)));
    return items;
  }

  void refuse(const std::string& why) const;

 private:
  [[nodiscard]] bool has_failed() const { return !failure_->empty(); }
  [[nodiscard]] Field at(std::uint32_t index) const;
  void refuse_if_thrown() const;

  Napi::Value value_;
  std::string path_;
  std::string* failure_;
};

}  // namespace cutwater::addon
