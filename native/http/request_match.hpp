// What a route looks at in a request. Plain values; empty parts match everything.
// Thread: immutable after construction. Implements: A10.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace cutwater::http {

/// A header or a cookie that must be there, with any value or exactly that one.
struct FieldMatch {
  std::string name;
  std::optional<std::string> value = std::nullopt;
};

struct RequestMatch {
  std::vector<std::string> methods = {};
  std::string host = {};     // lower case; "*.example" covers one label
  std::string path = {};     // as it stands in the request, without its query
  bool is_path_exact = false;  // else it is a beginning of whole segments
  FieldMatch header = {};    // its name in lower case
  FieldMatch cookie = {};

  /// Whether it looks at no request at all.
  [[nodiscard]] bool is_empty() const noexcept {
    return methods.empty() && host.empty() && path.empty() && header.name.empty() && cookie.name.empty();
  }
};

}  // namespace cutwater::http
