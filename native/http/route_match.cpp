#include "http/route_match.hpp"

#include <algorithm>

#include "base/host_name.hpp"

namespace cutwater::http {
namespace {

bool matches_path(const RequestMatch& match, std::string_view path) noexcept {
  if (match.is_path_exact) return path == match.path;
  if (!path.starts_with(match.path)) return false;
  return path.size() == match.path.size() || match.path.back() == '/' || path[match.path.size()] == '/';
}

bool matches_header(const FieldMatch& wanted, const RequestHead& request) noexcept {
  bool is_found = false;
  each_field(request.fields, [&](std::string_view name, std::string_view value, std::string_view) {
    is_found = is_same_ignoring_case(name, wanted.name) && (!wanted.value || value == *wanted.value);
    return !is_found;
  });
  return is_found;
}

// One pair of a Cookie header (RFC 6265 4.2.1).
bool matches_pair(const FieldMatch& wanted, std::string_view pair) noexcept {
  while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
  const std::size_t equals = pair.find('=');
  if (equals == std::string_view::npos || pair.substr(0, equals) != wanted.name) return false;
  return !wanted.value || pair.substr(equals + 1) == *wanted.value;
}

bool matches_cookie(const FieldMatch& wanted, const RequestHead& request) noexcept {
  bool is_found = false;
  each_field(request.fields, [&](std::string_view name, std::string_view value, std::string_view) {
    if (!is_same_ignoring_case(name, "cookie")) return true;
    while (!is_found && !value.empty()) {
      const std::size_t end = std::min(value.find(';'), value.size());
      is_found = matches_pair(wanted, value.substr(0, end));
      value.remove_prefix(std::min(end + 1, value.size()));
    }
    return !is_found;
  });
  return is_found;
}

}  // namespace

bool matches(const RequestMatch& match, const RequestHead& request) noexcept {
  return (match.methods.empty() || std::find(match.methods.begin(), match.methods.end(), request.method) != match.methods.end()) &&
         (match.host.empty() || matches_host_name(request.host, match.host)) && (match.path.empty() || matches_path(match, request.path)) &&
         (match.header.name.empty() || matches_header(match.header, request)) &&
         (match.cookie.name.empty() || matches_cookie(match.cookie, request));
}

}  // namespace cutwater::http
