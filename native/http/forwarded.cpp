#include "http/forwarded.hpp"

#include <algorithm>
#include <array>

#include "base/host_name.hpp"

namespace cutwater::http {
namespace {

// Many servers take "_" for "-" in a name: to them X_Forwarded_For is the same.
bool is_same_name(std::string_view sent, std::string_view name) noexcept {
  return std::equal(sent.begin(), sent.end(), name.begin(), name.end(), [](char a, char b) { return (a == '_' ? '-' : to_lower(a)) == b; });
}

bool is_ours(std::string_view name) noexcept {
  constexpr std::array<std::string_view, 3> kNames{"x-forwarded-for", "x-forwarded-proto", "forwarded"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view ours) { return is_same_name(name, ours); });
}

}  // namespace

std::vector<std::uint8_t> with_forwarded(std::string_view text, const RequestHead& request, std::string_view client) {
  std::vector<std::uint8_t> out;
  out.reserve(text.size() + 96);
  const auto add = [&](std::string_view part) { out.insert(out.end(), part.begin(), part.end()); };
  add(text.substr(0, text.find("\r\n") + 2));
  each_field(request.fields, [&](std::string_view name, std::string_view, std::string_view line) {
    if (!is_ours(name)) add(line);
    return true;
  });
  add("X-Forwarded-For: ");
  add(client);
  add("\r\nX-Forwarded-Proto: https\r\n\r\n");
  return out;
}

}  // namespace cutwater::http
