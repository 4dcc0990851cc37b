// Sealing and opening of one record on an expanded key. Plaintext without a verdict has no type here.
// Backends: IPsec-MB (aead_ipsecmb.cpp) and OpenSSL EVP (aead_openssl.cpp), tied together by a differential test.
// Not here: key schedule, record numbers, deframing. Thread: owning worker.
// Implements: A1, A2.
#pragma once

#include "record/suite.hpp"

namespace cutwater::record {

/// Key and IV of one direction and epoch, raw. TLS 1.2 AES-GCM keeps its 4-byte salt in iv[0..4).
struct TrafficKeys {
  std::array<std::uint8_t, 32> key{};
  std::array<std::uint8_t, 12> iv{};
};

/// A key made ready for a backend. 1,008 bytes of GCM tables, or an EVP context. Wiped on destruction.
struct alignas(64) ExpandedKey {
  std::array<std::uint8_t, 1024> space{};
  const Suite* suite = nullptr;
  ExpandedKey() noexcept = default;
  ExpandedKey(const ExpandedKey&) = delete;
  ExpandedKey& operator=(const ExpandedKey&) = delete;
  ~ExpandedKey();
};

/// What opening one record gave. `fragment` lies inside the record's own bytes.
struct Opened {
  enum class Status : std::uint8_t { ok, bad_tag, bad_shape };  // bad_shape: too short, or all padding (RFC 9846 5.4)
  Status status = Status::bad_tag;
  ContentType type = ContentType::application_data;
  MutableBytes fragment{};
};

/// A record opened piece by piece (custody, A12). State is plain bytes: it may be moved, and is wiped with its owner.
struct alignas(16) OpenStream {
  std::array<std::uint8_t, 256> state{};
  const ExpandedKey* key = nullptr;
};

/// The operations of a backend. One table per process, chosen at start (D-0002).
struct Aead {
  std::string_view name;  // "ipsec-mb" | "openssl"

  /// Makes `out` ready for `keys.key`. About 130 ns with IPsec-MB.
  void (*expand)(const Suite& suite, const TrafficKeys& keys, ExpandedKey& out) noexcept;

  /// Seals one fragment in place, as one record.
  ///
  ///   before  [ front_bytes free ][ fragment n ][ trailer_bytes free ]
  ///   after   [ header (+ nonce) ][ ciphertext  ][ (type) tag         ]
  ///
  /// Requires: 1 <= n <= 16384 (0 allowed only for padding-free local records); the number is new, or the bytes are the same (I3).
  /// Returns:  bytes on the wire, n + overhead. The tag is the last 16.
  /// Cost:     no allocation, one pass. Source: RFC 9846 5.2, 5.3; RFC 5288 3; RFC 7905 2.
  std::size_t (*seal)(const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number, ContentType type,
                      std::uint8_t* fragment, std::size_t fragment_bytes) noexcept;

  /// Opens one whole record in place. Requires: the bytes are header + body exactly, body <= 2^14 + 256.
  Opened (*open)(const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number, MutableBytes record) noexcept;

  /// Starts a record whose body comes in pieces. `front` is header (+ explicit nonce), front_bytes() long.
  void (*open_begin)(OpenStream& stream, const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number,
                     Bytes front) noexcept;
  /// Decrypts the next piece of ciphertext (never tag bytes). May be in place, otherwise no overlap. Not authenticated yet.
  void (*open_update)(OpenStream& stream, std::uint8_t* out, const std::uint8_t* in, std::size_t bytes) noexcept;
  /// Returns: true when the tag (16 bytes) is right; compared in constant time. Wipes the state.
  bool (*open_finish)(OpenStream& stream, const std::uint8_t* tag) noexcept;
};

/// The fastest backend this machine can run.
const Aead& default_aead() noexcept;
/// By name, for the differential test and for `--aead`; nullptr when it is not built in or not runnable here.
const Aead* find_aead(std::string_view name) noexcept;

}  // namespace cutwater::record
