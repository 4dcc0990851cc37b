// Fingerprints of a client's TLS software from its hello: JA3 (MD5, kept for old lists) and JA4.
// Not here: what is done with them. Thread: any (pure functions).
#pragma once

#include <array>
#include <string_view>

#include "hello/client_hello.hpp"

namespace cutwater::hello {

inline constexpr std::size_t kJa3Chars = 32;
inline constexpr std::size_t kJa4Chars = 36;

using Ja3 = std::array<char, kJa3Chars>;
using Ja4 = std::array<char, kJa4Chars>;

/// MD5 of "version,suites,extensions,groups,point formats", decimal, GREASE left out, in the client's order.
/// Cost: no allocation.
Ja3 ja3(const ClientHello& hello) noexcept;

/// "t13d1516h2_8daaf6152771_e5627efa2ab1": what was offered, then hashes of the sorted suites, and of the sorted
/// extensions with the signature schemes. Cost: no allocation; suites beyond kMaxSortedSuites are counted but not
/// hashed. Source: FoxIO, "JA4: TLS Client Fingerprinting", technical details.
Ja4 ja4(const ClientHello& hello) noexcept;

inline constexpr std::size_t kMaxSortedSuites = 256;  // more than any software offers

template <std::size_t N>
std::string_view to_string(const std::array<char, N>& fingerprint) noexcept {
  return {fingerprint.data(), N};
}

}  // namespace cutwater::hello
