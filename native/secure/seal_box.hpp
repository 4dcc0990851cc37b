// A few secret bytes, kept by somebody who must not read them: AES-256-GCM under a key that stays here.
// Thread: any (pure functions). Used by: ticket_keys.cpp. Source: SP 800-38D.
#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/secret.hpp"

namespace cutwater::secure {

using SealKey = Secret<32>;
inline constexpr std::size_t kSealBytes = 12 + 16;  // nonce, tag

/// Returns: nonce, ciphertext and tag; nothing when the library fails. The nonce is random: seal few boxes with one key.
std::vector<std::uint8_t> seal_box(const SealKey& key, std::string_view purpose, Bytes secret);
/// Requires: box.size() == out.size() + kSealBytes, or it is false. Leaves: `out` wiped when it is not ours.
bool open_box(const SealKey& key, std::string_view purpose, Bytes box, MutableBytes out) noexcept;

}  // namespace cutwater::secure
