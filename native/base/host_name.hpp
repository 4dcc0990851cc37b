// Names of hosts as rules write them, against names as clients send them. Thread: any.
#pragma once

#include <algorithm>
#include <string_view>

namespace cutwater {

constexpr char to_lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Requires: `lower_case` is.
constexpr bool is_same_ignoring_case(std::string_view sent, std::string_view lower_case) noexcept {
  return std::equal(sent.begin(), sent.end(), lower_case.begin(), lower_case.end(), [](char a, char b) { return to_lower(a) == b; });
}

/// Whether a rule means that name: "shop.example", or "*.example", where the star stands for one label. Requires: the rule is in
/// lower case.
constexpr bool matches_host_name(std::string_view sent, std::string_view rule) noexcept {
  if (!rule.starts_with("*.")) return is_same_ignoring_case(sent, rule);
  const std::size_t dot = sent.find('.');
  return dot != 0 && dot != std::string_view::npos && is_same_ignoring_case(sent.substr(dot), rule.substr(1));
}

}  // namespace cutwater
