// TLS record framing over a bare AEAD: header, nonce, additional data, inner type and padding. Written once for both backends.
// A backend is a struct of static functions (see Primitive); each instantiates RecordFraming and so is inlined into it.
// Not here: the ciphers. Thread: owning worker. Used by: aead_ipsecmb.cpp, aead_openssl.cpp.
#pragma once

#include <concepts>

#include "record/aead.hpp"

namespace cutwater::record {

/// Compares two tags without telling by time where they differ: no branch and no load depends on the bytes.
inline bool tags_equal(const std::uint8_t* a, const std::uint8_t* b) noexcept {
  std::uint64_t a0, a1, b0, b1;
  std::memcpy(&a0, a, 8);
  std::memcpy(&a1, a + 8, 8);
  std::memcpy(&b0, b, 8);
  std::memcpy(&b1, b + 8, 8);
  std::uint64_t difference = (a0 ^ b0) | (a1 ^ b1);
  __asm__ __volatile__("" : "+r"(difference));  // the compiler may not split this into early exits
  return difference == 0;
}

/// The per-record nonce. TLS 1.3 and ChaCha20: the IV XOR the record number, right-aligned. TLS 1.2 AES-GCM: salt, then
/// the eight bytes on the wire. Source: RFC 9846 5.3, RFC 7905 2, RFC 5288 3.
inline Nonce nonce_for(const Suite& suite, const TrafficKeys& keys, std::uint64_t number,
                       const std::uint8_t* front) noexcept {
  Nonce nonce = keys.iv;
  if (suite.explicit_nonce_bytes != 0) {
    std::memcpy(nonce.data() + 4, front + kHeaderBytes, 8);
  } else {
    store_be64(nonce.data() + 4, load_be64(keys.iv.data() + 4) ^ number);
  }
  return nonce;
}

/// The additional data: in TLS 1.3 the header itself, in TLS 1.2 number, type, version and *plaintext* length.
/// Source: RFC 9846 5.2, RFC 5246 6.2.3.3.
struct AdditionalData {
  std::array<std::uint8_t, 13> bytes;
  std::size_t size;

  AdditionalData(const Suite& suite, std::uint64_t number, const std::uint8_t* header, std::size_t plaintext_bytes) noexcept {
    if (suite.version == Version::tls13) {
      std::memcpy(bytes.data(), header, kHeaderBytes);
      size = kHeaderBytes;
    } else {
      store_be64(bytes.data(), number);
      std::memcpy(bytes.data() + 8, header, 3);
      store_be16(bytes.data() + 11, static_cast<std::uint16_t>(plaintext_bytes));
      size = 13;
    }
  }
  [[nodiscard]] Bytes view() const noexcept { return {bytes.data(), size}; }
};

/// What a backend provides. All in place or non-overlapping; a tag is 16 bytes.
template <class P>
concept Primitive = requires(const ExpandedKey& key, OpenStream& stream, const Nonce& nonce, Bytes aad, std::uint8_t* bytes,
                             const std::uint8_t* in, std::size_t n, std::uint8_t* tag) {
  { P::encrypt(key, nonce, aad, bytes, n, tag) } noexcept -> std::same_as<bool>;
  { P::decrypt(key, nonce, aad, bytes, n, in) } noexcept -> std::same_as<bool>;  // false: bytes may hold anything
  { P::stream_begin(stream, key, nonce, aad) } noexcept -> std::same_as<void>;
  { P::stream_update(stream, key, bytes, in, n) } noexcept -> std::same_as<void>;
  { P::stream_finish(stream, key, in) } noexcept -> std::same_as<bool>;
};

inline constexpr std::uint16_t kRecordVersion = 0x0303;  // legacy_record_version, and TLS 1.2's own

template <Primitive P>
struct RecordFraming {
  static std::size_t seal(const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number, ContentType type,
                          std::uint8_t* fragment, std::size_t fragment_bytes) noexcept {
    const Suite& suite = *key.suite;
    std::uint8_t* const front = fragment - suite.front_bytes();
    const bool is_tls13 = suite.version == Version::tls13;
    const std::size_t inner_bytes = fragment_bytes + (is_tls13 ? 1 : 0);
    front[0] = static_cast<std::uint8_t>(is_tls13 ? ContentType::application_data : type);
    store_be16(front + 1, kRecordVersion);
    store_be16(front + 3, static_cast<std::uint16_t>(suite.explicit_nonce_bytes + inner_bytes + kTagBytes));
    // The record number is the explicit nonce: unique under the key by itself, and the same again when a record is re-sealed.
    if (suite.explicit_nonce_bytes != 0) store_be64(front + kHeaderBytes, number);
    if (is_tls13) fragment[fragment_bytes] = static_cast<std::uint8_t>(type);
    const AdditionalData aad{suite, number, front, fragment_bytes};
    if (!P::encrypt(key, nonce_for(suite, keys, number, front), aad.view(), fragment, inner_bytes, fragment + inner_bytes)) {
      wipe(fragment, inner_bytes);
      return 0;
    }
    return suite.front_bytes() + inner_bytes + kTagBytes;
  }

  static Opened open(const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number, MutableBytes record) noexcept {
    const Suite& suite = *key.suite;
    if (record.size() < suite.front_bytes() + kTagBytes) return {.status = Opened::Status::bad_shape, .alert = Alert::bad_record_mac};
    std::uint8_t* const inner = record.data() + suite.front_bytes();
    const std::size_t inner_bytes = record.size() - suite.front_bytes() - kTagBytes;
    const AdditionalData aad{suite, number, record.data(), inner_bytes};
    if (!P::decrypt(key, nonce_for(suite, keys, number, record.data()), aad.view(), inner, inner_bytes, inner + inner_bytes)) {
      wipe(inner, inner_bytes);
      return {.status = Opened::Status::bad_tag, .alert = Alert::bad_record_mac};
    }
    return read_inner(suite, static_cast<ContentType>(record[0]), {inner, inner_bytes});
  }

  static void open_begin(OpenStream& stream, const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number,
                         Bytes front) noexcept {
    const Suite& suite = *key.suite;
    const std::size_t body_bytes = load_be16(front.data() + 3);
    // A body shorter than its own overhead has no plaintext; its tag cannot be right, whatever length stands here.
    const std::size_t around = suite.explicit_nonce_bytes + kTagBytes;
    const AdditionalData aad{suite, number, front.data(), body_bytes < around ? 0 : body_bytes - around};
    P::stream_begin(stream, key, nonce_for(suite, keys, number, front.data()), aad.view());
  }

  static bool encrypt(const ExpandedKey& key, const Nonce& nonce, Bytes aad, MutableBytes bytes, std::uint8_t* tag) noexcept {
    return P::encrypt(key, nonce, aad, bytes.data(), bytes.size(), tag);
  }
  static bool decrypt(const ExpandedKey& key, const Nonce& nonce, Bytes aad, MutableBytes bytes,
                      const std::uint8_t* tag) noexcept {
    if (P::decrypt(key, nonce, aad, bytes.data(), bytes.size(), tag)) return true;
    wipe(bytes.data(), bytes.size());
    return false;
  }

  /// The backend's row of operations.
  static constexpr Aead table(std::string_view name, void (*expand)(const Suite&, const TrafficKeys&, ExpandedKey&) noexcept) {
    return {.name = name,
            .expand = expand,
            .seal = seal,
            .open = open,
            .open_begin = open_begin,
            .open_update = P::stream_update,
            .open_finish = P::stream_finish,
            .encrypt = encrypt,
            .decrypt = decrypt};
  }
};

}  // namespace cutwater::record
