// Builds ClientHello messages byte by byte, the wrong ones included, and reads the captured ones. Test only.
#pragma once

#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"

namespace cutwater::hello::test {

using ByteVector = std::vector<std::uint8_t>;

inline void append16(ByteVector& to, std::size_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8));
  to.push_back(static_cast<std::uint8_t>(value));
}
inline void append(ByteVector& to, Bytes bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

/// A vector behind a length of one or two bytes.
inline ByteVector vector8(Bytes body) {
  ByteVector out{static_cast<std::uint8_t>(body.size())};
  append(out, body);
  return out;
}
inline ByteVector vector16(Bytes body) {
  ByteVector out;
  append16(out, body.size());
  append(out, body);
  return out;
}
inline ByteVector numbers(std::initializer_list<std::uint16_t> values) {
  ByteVector out;
  for (const std::uint16_t value : values) append16(out, value);
  return out;
}
inline ByteVector text(std::string_view value) { return {value.begin(), value.end()}; }
inline ByteVector joined(std::initializer_list<ByteVector> parts) {
  ByteVector out;
  for (const ByteVector& part : parts) append(out, part);
  return out;
}

struct HelloBuilder {
  std::uint16_t legacy_version = 0x0303;
  ByteVector session_id = ByteVector(32, 7);
  ByteVector suites = numbers({0x1301, 0xc02b});
  ByteVector compression = {0};
  ByteVector extensions = {};
  bool has_extensions = true;

  HelloBuilder& add(std::uint16_t type, Bytes body) {
    append16(extensions, type);
    append(extensions, vector16(body));
    return *this;
  }
  [[nodiscard]] ByteVector message() const {
    ByteVector body;
    append16(body, legacy_version);
    body.resize(body.size() + 32, 0x55);
    append(body, vector8(session_id));
    append(body, vector16(suites));
    append(body, vector8(compression));
    if (has_extensions) append(body, vector16(extensions));
    ByteVector out{1, 0};
    append16(out, body.size());
    append(out, body);
    return out;
  }
};

inline ByteVector name_body(std::string_view name) { return vector16(joined({{0}, vector16(text(name))})); }

inline std::filesystem::path corpus() {
  return std::filesystem::path(__FILE__).parent_path().parent_path().parent_path() / "fuzz" / "corpus" / "hello";
}
inline ByteVector captured(const std::string& name) {
  std::ifstream file(corpus() / name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace cutwater::hello::test
