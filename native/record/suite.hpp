// The AEAD suites the device speaks, as table rows: names, sizes and limits. TLS 1.2 only with AEAD; CBC has no row (A18).
// Thread: any (constants).
#pragma once

#include <array>
#include <string_view>

#include "base/bytes.hpp"

namespace cutwater::record {

enum class Version : std::uint8_t { tls12, tls13 };
enum class Cipher : std::uint8_t { aes_128_gcm, aes_256_gcm, chacha20_poly1305 };
enum class Hash : std::uint8_t { sha256, sha384 };
enum class ContentType : std::uint8_t { change_cipher_spec = 20, alert = 21, handshake = 22, application_data = 23 };

inline constexpr std::size_t kHeaderBytes = 5;
inline constexpr std::size_t kTagBytes = 16;
inline constexpr std::size_t kMaxFragmentBytes = 16384;                          // RFC 9846 5.1
inline constexpr std::size_t kMaxCiphertextBytes = kMaxFragmentBytes + 256;      // RFC 9846 5.2: without the header
inline constexpr std::size_t kMaxOverheadBytes = kHeaderBytes + 8 + kTagBytes;   // TLS 1.2 AES-GCM: the largest

struct Suite {
  std::uint16_t iana;                 // 0x1301 …
  std::string_view name;              // IANA name
  Version version;
  Cipher cipher;
  Hash hash;
  std::uint8_t key_bytes;
  std::uint8_t explicit_nonce_bytes;  // on the wire behind the header: 8 for TLS 1.2 AES-GCM (RFC 5288 3), else 0
  std::uint8_t trailer_bytes;         // behind the fragment: tag, and in TLS 1.3 the content type
  std::uint64_t seal_limit;           // records under one key before the device rekeys: 2^24 for GCM (RFC 9846 5.5), else 2^62

  [[nodiscard]] constexpr std::size_t front_bytes() const noexcept { return kHeaderBytes + explicit_nonce_bytes; }
  [[nodiscard]] constexpr std::size_t overhead_bytes() const noexcept { return front_bytes() + trailer_bytes; }
};

/// Returns: the row, or nullptr for a suite we do not speak in that version.
const Suite* find_suite(std::uint16_t iana, Version version) noexcept;
std::span<const Suite> all_suites() noexcept;

}  // namespace cutwater::record
