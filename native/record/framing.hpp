// TLS record framing over a bare AEAD: header, nonce, additional data, inner type and padding. Written once for both backends.
// A backend is a struct of static functions (see Primitive); each instantiates RecordFraming and so is inlined into it.
// Not here: the ciphers. Thread: owning worker. Used by: aead_ipsecmb.cpp, aead_openssl.cpp.
#pragma once

#include <bit>
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

/// Sixteen bytes written by one store. The ciphers read nonce and additional data with 16-byte loads; after several smaller
/// stores such a load must wait for all of them to reach the cache, which costs 5 to 10 ns a record (bench/micro/aead_bench).
struct alignas(16) Block {
  using Words = std::uint64_t __attribute__((vector_size(16)));
  Words words;

  Block(std::uint64_t first, std::uint64_t second) noexcept : words{first, second} {}
  [[nodiscard]] const std::uint8_t* bytes() const noexcept { return reinterpret_cast<const std::uint8_t*>(&words); }
};
static_assert(std::endian::native == std::endian::little, "Block's words are written for little-endian machines");

inline std::uint64_t load_word(const std::uint8_t* p) noexcept {
  std::uint64_t word;
  std::memcpy(&word, p, 8);
  return word;
}
inline std::uint32_t load_half_word(const std::uint8_t* p) noexcept {
  std::uint32_t word;
  std::memcpy(&word, p, 4);
  return word;
}

/// The per-record nonce, 12 bytes and four zeros. TLS 1.3 and ChaCha20: the IV XOR the record number, right-aligned.
/// TLS 1.2 AES-GCM: salt, then the eight bytes on the wire, `wire_nonce` as loaded. Source: RFC 9846 5.3, RFC 7905 2, RFC 5288 3.
inline Block nonce_for(const Suite& suite, const TrafficKeys& keys, std::uint64_t number, std::uint64_t wire_nonce) noexcept {
  if (suite.explicit_nonce_bytes != 0) {
    return {load_half_word(keys.iv.data()) | wire_nonce << 32, wire_nonce >> 32};
  }
  const std::uint64_t n = __builtin_bswap64(number);  // as the bytes lie: they end with the IV, at its fourth to twelfth byte
  return {load_word(keys.iv.data()) ^ n << 32, load_half_word(keys.iv.data() + 8) ^ n >> 32};
}

/// The additional data: in TLS 1.3 the header itself, in TLS 1.2 number, type, version and *plaintext* length.
/// Source: RFC 9846 5.2, RFC 5246 6.2.3.3.
struct AdditionalData {
  Block block;
  std::size_t size;

  /// `header` is the five bytes as loaded, in the low end of a word.
  AdditionalData(const Suite& suite, std::uint64_t number, std::uint64_t header, std::size_t plaintext_bytes) noexcept
      : block(suite.version == Version::tls13 ? Block{header, 0} : tls12(number, header, plaintext_bytes)),
        size(suite.version == Version::tls13 ? kHeaderBytes : 13) {}
  [[nodiscard]] Bytes view() const noexcept { return {block.bytes(), size}; }

 private:
  static Block tls12(std::uint64_t number, std::uint64_t header, std::size_t plaintext_bytes) noexcept {
    const std::uint64_t length = __builtin_bswap16(static_cast<std::uint16_t>(plaintext_bytes));
    return {__builtin_bswap64(number), (header & 0xff'ffff) | length << 24};
  }
};

inline constexpr std::uint16_t kRecordVersion = 0x0303;  // legacy_record_version, and TLS 1.2's own

/// The five header bytes as one value, in the order they lie in memory.
inline std::uint64_t header_word(std::uint8_t type, std::size_t body_bytes) noexcept {
  return type | static_cast<std::uint64_t>(kRecordVersion) << 8 | static_cast<std::uint64_t>(__builtin_bswap16(static_cast<std::uint16_t>(body_bytes))) << 24;
}
inline std::uint64_t load_header(const std::uint8_t* header) noexcept {
  return load_half_word(header) | static_cast<std::uint64_t>(header[4]) << 32;
}
inline void store_header(std::uint8_t* to, std::uint64_t header) noexcept { std::memcpy(to, &header, kHeaderBytes); }

/// What a backend provides. All in place or non-overlapping; a tag is 16 bytes.
template <class P>
concept Primitive = requires(const ExpandedKey& key, OpenStream& stream, const std::uint8_t* nonce, Bytes aad, std::uint8_t* bytes,
                             const std::uint8_t* in, std::size_t n, std::uint8_t* tag) {
  { P::encrypt(key, nonce, aad, bytes, n, tag) } noexcept -> std::same_as<bool>;
  { P::decrypt(key, nonce, aad, bytes, n, in) } noexcept -> std::same_as<bool>;  // false: bytes may hold anything
  { P::stream_begin(stream, key, nonce, aad) } noexcept -> std::same_as<void>;
  { P::stream_update(stream, key, bytes, in, n) } noexcept -> std::same_as<void>;
  { P::stream_finish(stream, key, in) } noexcept -> std::same_as<bool>;
};

template <Primitive P>
struct RecordFraming {
  static std::size_t seal(const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number, ContentType type,
                          std::uint8_t* fragment, std::size_t fragment_bytes) noexcept {
    const Suite& suite = *key.suite;
    const bool is_tls13 = suite.version == Version::tls13;
    const std::size_t inner_bytes = fragment_bytes + (is_tls13 ? 1 : 0);
    if (is_tls13) fragment[fragment_bytes] = static_cast<std::uint8_t>(type);
    const auto outer_type = static_cast<std::uint8_t>(is_tls13 ? ContentType::application_data : type);
    const std::uint64_t header = header_word(outer_type, suite.explicit_nonce_bytes + inner_bytes + kTagBytes);
    std::uint8_t* const front = fragment - suite.front_bytes();
    store_header(front, header);
    // The record number is the explicit nonce: unique under the key by itself, and the same again when a record is re-sealed.
    if (suite.explicit_nonce_bytes != 0) store_be64(front + kHeaderBytes, number);
    const Block nonce = nonce_for(suite, keys, number, __builtin_bswap64(number));
    const AdditionalData aad{suite, number, header, fragment_bytes};
    if (!P::encrypt(key, nonce.bytes(), aad.view(), fragment, inner_bytes, fragment + inner_bytes)) {
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
    const AdditionalData aad{suite, number, load_header(record.data()), inner_bytes};
    const Block nonce = nonce_for(suite, keys, number, wire_nonce(suite, record.data()));
    if (!P::decrypt(key, nonce.bytes(), aad.view(), inner, inner_bytes, inner + inner_bytes)) {
      wipe(inner, inner_bytes);
      return {.status = Opened::Status::bad_tag, .alert = Alert::bad_record_mac};
    }
    const auto outer_type = static_cast<ContentType>(record[0]);
    constexpr auto kData = ContentType::application_data;
    const bool is_plain = suite.version == Version::tls13 && outer_type == kData && inner_bytes != 0 &&
                          inner_bytes <= kMaxFragmentBytes + 1 &&
                          inner[inner_bytes - 1] == static_cast<std::uint8_t>(kData);
    if (is_plain) return {.status = Opened::Status::ok, .type = kData, .fragment = {inner, inner_bytes - 1}};  // the rule: no padding
    return read_inner(suite, outer_type, {inner, inner_bytes});
  }

  static void open_begin(OpenStream& stream, const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number,
                         Bytes front) noexcept {
    const Suite& suite = *key.suite;
    const std::size_t body_bytes = load_be16(front.data() + 3);
    // A body shorter than its own overhead has no plaintext; its tag cannot be right, whatever length stands here.
    const std::size_t around = suite.explicit_nonce_bytes + kTagBytes;
    const AdditionalData aad{suite, number, load_header(front.data()), body_bytes < around ? 0 : body_bytes - around};
    P::stream_begin(stream, key, nonce_for(suite, keys, number, wire_nonce(suite, front.data())).bytes(), aad.view());
  }

  static bool encrypt(const ExpandedKey& key, const Nonce& nonce, Bytes aad, MutableBytes bytes, std::uint8_t* tag) noexcept {
    return P::encrypt(key, nonce.data(), aad, bytes.data(), bytes.size(), tag);
  }
  static bool decrypt(const ExpandedKey& key, const Nonce& nonce, Bytes aad, MutableBytes bytes,
                      const std::uint8_t* tag) noexcept {
    if (P::decrypt(key, nonce.data(), aad, bytes.data(), bytes.size(), tag)) return true;
    if (!bytes.empty()) wipe(bytes.data(), bytes.size());
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

 private:
  static std::uint64_t wire_nonce(const Suite& suite, const std::uint8_t* front) noexcept {
    return suite.explicit_nonce_bytes != 0 ? load_word(front + kHeaderBytes) : 0;
  }
};

}  // namespace cutwater::record
