#include "record/rsa_flight.hpp"

#include <algorithm>
#include <array>

namespace cutwater::record {

std::optional<std::uint32_t> RsaFlights::find(std::string_view server_name) const noexcept {
  std::array<char, 256> lower;
  if (server_name.size() >= lower.size()) return {};

  std::transform(server_name.begin(), server_name.end(), lower.begin() + 1,
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  std::string_view name(lower.data() + 1, server_name.size());
  if (name.ends_with('.')) name.remove_suffix(1);
  if (const auto found = by_name.find(name); found != by_name.end()) return found->second;
  const std::size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0) return {};
  lower[dot] = '*';  // the place before the dot
  const auto found = by_name.find(std::string_view(lower.data() + dot, name.size() - dot + 1));
  return found == by_name.end() ? std::nullopt : std::optional(found->second);
}

void append_records(std::vector<std::uint8_t>& out, Bytes message) {
  while (!message.empty()) {
    const Bytes fragment = message.first(std::min(message.size(), kMaxFragmentBytes));
    std::array<std::uint8_t, kHeaderBytes> header{static_cast<std::uint8_t>(ContentType::handshake), 3, 3};
    store_be16(header.data() + 3, static_cast<std::uint16_t>(fragment.size()));
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), fragment.begin(), fragment.end());
    message = message.subspan(fragment.size());
  }
}

}  // namespace cutwater::record
