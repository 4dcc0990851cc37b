// Sealing and opening of one record on an expanded key. Plaintext without a verdict has no type here.
// Backends: IPsec-MB (aead_ipsecmb.cpp) and OpenSSL EVP (aead_openssl.cpp), tied together by a differential test.
// Both share the framing of framing.hpp. Not here: key schedule, record numbers, deframing. Thread: owning worker.
// Implements: A1, A2.
#pragma once

#include "base/secret.hpp"
#include "record/alert.hpp"
#include "record/suite.hpp"

namespace cutwater::record {

/// Key and IV of one direction and epoch, raw. TLS 1.2 AES-GCM keeps its 4-byte salt in iv[0..4). Wiped on destruction.
struct TrafficKeys {
  std::array<std::uint8_t, 32> key{};
  std::array<std::uint8_t, 12> iv{};

  ~TrafficKeys() { wipe(this, sizeof *this); }
};

/// A key made ready for a backend. 1,008 bytes of GCM tables, or EVP contexts. Wiped on destruction.
/// May be expanded again for another key, by the same backend or another. Neither copied nor moved.
struct alignas(64) ExpandedKey {
  std::array<std::uint8_t, 1024> space{};
  const Suite* suite = nullptr;
  const void* functions = nullptr;                       // the backend's own, for this cipher and CPU
  void (*release)(ExpandedKey& key) noexcept = nullptr;  // set by a backend that keeps more than plain bytes in `space`

  ExpandedKey() noexcept = default;
  ExpandedKey(const ExpandedKey&) = delete;
  ExpandedKey& operator=(const ExpandedKey&) = delete;
  ~ExpandedKey() { clear(); }

  /// Wipes the key and gives back what a backend holds for it. Leaves: as newly made.
  void clear() noexcept;
};

/// What opening one record gave. `fragment` lies inside the record's own bytes, and is empty unless the status is ok.
struct Opened {
  enum class Status : std::uint8_t {
    ok,
    bad_tag,    // forged, corrupted, or under another key or number: client's fault; nothing of it is readable
    bad_shape,  // authentic or not, not a record that may exist: too short, all padding, too long, unknown inner type
  };
  Status status = Status::bad_tag;
  ContentType type = ContentType::application_data;
  MutableBytes fragment{};
  Alert alert = Alert::bad_record_mac;  // what to tell the client when the status is not ok
};

/// A record opened piece by piece (custody, A12). It holds no pointer to the key, so the key may leave the cache between
/// two pieces: every call is given the key again. Movable, never copied, wiped on destruction; one object serves many
/// records in turn, and then allocates at most for the first one (OpenSSL) or never (IPsec-MB).
struct alignas(16) OpenStream {
  std::array<std::uint8_t, 256> state{};
  void (*release)(OpenStream& stream) noexcept = nullptr;  // as in ExpandedKey

  OpenStream() noexcept = default;
  OpenStream(const OpenStream&) = delete;
  OpenStream& operator=(const OpenStream&) = delete;
  OpenStream(OpenStream&& other) noexcept { take(other); }
  OpenStream& operator=(OpenStream&& other) noexcept {
    if (this != &other) {
      clear();
      take(other);
    }
    return *this;
  }
  ~OpenStream() { clear(); }

  /// Gives the record up. Leaves: as newly made.
  void clear() noexcept;

 private:
  void take(OpenStream& other) noexcept;
};

inline constexpr std::size_t kNonceBytes = 12;
using Nonce = std::array<std::uint8_t, kNonceBytes>;

/// The operations of a backend. One table per process, chosen at start (D-0002).
struct Aead {
  std::string_view name;  // "ipsec-mb" | "openssl"

  /// Makes `out` ready for `keys.key`. About 130 ns with IPsec-MB. Whatever `out` held before is released first.
  void (*expand)(const Suite& suite, const TrafficKeys& keys, ExpandedKey& out) noexcept;

  /// Seals one fragment in place, as one record.
  ///
  ///   before  [ front_bytes free ][ fragment n ][ trailer_bytes free ]
  ///   after   [ header (+ nonce) ][ ciphertext  ][ (type) tag         ]
  ///
  /// Requires: 1 <= n <= 16384 (0 allowed only for padding-free local records); the number is new, or the bytes are the same (I3).
  /// Returns:  bytes on the wire, n + overhead; the tag is the last 16. 0 when the backend failed (OpenSSL out of
  ///           memory): the fragment is wiped then, and nothing may be sent.
  /// Cost:     no allocation, one pass. Source: RFC 9846 5.2, 5.3; RFC 5288 3; RFC 7905 2.
  std::size_t (*seal)(const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number, ContentType type,
                      std::uint8_t* fragment, std::size_t fragment_bytes) noexcept;

  /// Opens one whole record in place. Requires: the bytes are header + body exactly, body <= 2^14 + 256.
  ///
  ///   before  [ header (+ nonce) ][ ciphertext n (+ type, padding) ][ tag ]
  ///   after   [ header (+ nonce) ][ fragment n ][ type, zeros      ][ tag ]     status ok
  ///           [ header (+ nonce) ][ zeros                          ][ tag ]     any other status
  ///
  /// Cost: no allocation, one pass. Source: RFC 9846 5.2, 5.4; RFC 5246 6.2.3.3.
  Opened (*open)(const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number, MutableBytes record) noexcept;

  /// Starts a record whose body comes in pieces. `front` is header (+ explicit nonce), front_bytes() long.
  void (*open_begin)(OpenStream& stream, const ExpandedKey& key, const TrafficKeys& keys, std::uint64_t number,
                     Bytes front) noexcept;
  /// Decrypts the next piece of ciphertext (never tag bytes). May be in place, otherwise no overlap. Not authenticated yet.
  /// Requires: the same key as at open_begin (expanded anew is fine).
  void (*open_update)(OpenStream& stream, const ExpandedKey& key, std::uint8_t* out, const std::uint8_t* in,
                      std::size_t bytes) noexcept;
  /// Returns: true when the tag (16 bytes) is right; compared in constant time. Wipes the state.
  /// The plaintext then still has its TLS 1.3 type and padding: see read_inner(). On false the caller wipes it.
  bool (*open_finish)(OpenStream& stream, const ExpandedKey& key, const std::uint8_t* tag) noexcept;

  /// The bare AEAD under both: for datagram records (D1) and for published test vectors. In place.
  bool (*encrypt)(const ExpandedKey& key, const Nonce& nonce, Bytes aad, MutableBytes bytes, std::uint8_t* tag) noexcept;
  /// Returns: true when the tag is right. Otherwise the bytes are wiped.
  bool (*decrypt)(const ExpandedKey& key, const Nonce& nonce, Bytes aad, MutableBytes bytes,
                  const std::uint8_t* tag) noexcept;
};

/// The verdict on a record that is authentic: TLS 1.3 strips padding and type, TLS 1.2 takes the type from the header.
/// For callers of open_finish; open() has done it already. `plaintext` is all that open_update gave, in order.
/// Returns: status ok and the fragment, or bad_shape with the alert. Source: RFC 9846 5.1, 5.2, 5.4; RFC 5246 6.2.1.
Opened read_inner(const Suite& suite, ContentType outer_type, MutableBytes plaintext) noexcept;

/// The fastest backend this machine can run.
const Aead& default_aead() noexcept;
/// By name, for the differential test and for `--aead`; nullptr when it is not built in or not runnable here.
const Aead* find_aead(std::string_view name) noexcept;

}  // namespace cutwater::record
