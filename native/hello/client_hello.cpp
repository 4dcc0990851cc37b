#include "hello/client_hello.hpp"

#include <algorithm>
#include <array>

namespace cutwater::hello {

namespace {

constexpr std::uint8_t kClientHello = 1;
constexpr std::size_t kMaxSessionIdBytes = 32;
constexpr std::size_t kMaxNameBytes = 255;
constexpr std::uint16_t kSignallingSuite = 0x00ff;  // TLS_EMPTY_RENEGOTIATION_INFO_SCSV, RFC 5746 3.3

enum ExtensionType : std::uint16_t {
  kServerName = 0,
  kMaxFragmentLength = 1,
  kSupportedGroups = 10,
  kPointFormats = 11,
  kSignatureAlgorithms = 13,
  kAlpn = 16,
  kEncryptThenMac = 22,
  kExtendedMasterSecret = 23,
  kRecordSizeLimit = 28,
  kSessionTicket = 35,
  kPreSharedKey = 41,
  kEarlyData = 42,
  kSupportedVersions = 43,
  kCookie = 44,
  kPskModes = 45,
  kPostHandshakeAuth = 49,
  kSignatureAlgorithmsCert = 50,
  kKeyShare = 51,
  kEncryptedHello = 0xfe0d,
  kRenegotiationInfo = 0xff01,
};

/// A cursor that never passes the end: a field that does not fit makes everything after it empty and `is_good` false.
class Reader {
 public:
  explicit Reader(Bytes bytes) noexcept : rest_(bytes) {}
  Bytes take(std::size_t bytes) noexcept {
    if (bytes > rest_.size()) {
      is_good_ = false;
      rest_ = {};
      return {};
    }
    const Bytes taken = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return taken;
  }
  std::uint8_t take_u8() noexcept {
    const Bytes field = take(1);
    return field.empty() ? std::uint8_t{0} : field[0];
  }
  std::uint16_t take_u16() noexcept {
    const Bytes field = take(2);
    return field.empty() ? std::uint16_t{0} : load_be16(field.data());
  }
  /// A vector behind its length.
  Bytes take_vector8() noexcept { return take(take_u8()); }
  Bytes take_vector16() noexcept { return take(take_u16()); }
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }
  [[nodiscard]] bool is_done() const noexcept { return is_good_ && rest_.empty(); }
  [[nodiscard]] bool is_empty() const noexcept { return rest_.empty(); }

 private:
  Bytes rest_;
  bool is_good_ = true;
};

using Verdict = std::optional<HelloError>;  // nothing: all is well

/// A vector of 16-bit numbers that fills the extension.
Verdict read_numbers(Bytes body, HelloError error, U16List& out) noexcept {
  Reader reader(body);
  const Bytes list = reader.take_vector16();
  if (!reader.is_done() || list.empty() || list.size() % 2 != 0) return error;
  out = U16List{list};
  return {};
}

/// Source: RFC 6066 3. Only host names were ever defined, and one at most of them.
Verdict read_server_name(Bytes body, ClientHello& hello) noexcept {
  Reader reader(body);
  Reader list(reader.take_vector16());
  const std::uint8_t type = list.take_u8();
  const Bytes name = list.take_vector16();
  const auto is_visible = [](std::uint8_t c) { return c > ' ' && c < 127; };
  if (!reader.is_done() || !list.is_done() || type != 0 || name.empty() || name.size() > kMaxNameBytes ||
      !std::all_of(name.begin(), name.end(), is_visible)) {
    return HelloError::bad_server_name;
  }
  hello.server_name = {reinterpret_cast<const char*>(name.data()), name.size()};
  return {};
}

/// Source: RFC 7301 3.1.
Verdict read_protocols(Bytes body, ClientHello& hello) noexcept {
  Reader reader(body);
  const Bytes list = reader.take_vector16();
  if (!reader.is_done() || list.empty()) return HelloError::bad_protocols;
  Reader names(list);
  while (!names.is_empty()) {
    if (names.take_vector8().empty()) return HelloError::bad_protocols;
  }
  if (!names.is_good()) return HelloError::bad_protocols;
  hello.protocols = NameList{list};
  return {};
}

/// Source: RFC 9846, "Supported Versions".
Verdict read_versions(Bytes body, ClientHello& hello) noexcept {
  Reader reader(body);
  const Bytes list = reader.take_vector8();
  if (!reader.is_done() || list.empty() || list.size() % 2 != 0) return HelloError::bad_versions;
  hello.versions = VersionList{list};
  return {};
}

/// Source: RFC 9846, "Key Share". An empty list is legal: the client wants to be told the group.
Verdict read_key_shares(Bytes body, ClientHello& hello) noexcept {
  Reader reader(body);
  const Bytes list = reader.take_vector16();
  if (!reader.is_done()) return HelloError::bad_key_share;
  Reader shares(list);
  std::array<std::uint16_t, 16> groups{};  // more shares than this are an attack: each costs the client a key pair
  std::size_t count = 0;
  while (!shares.is_empty()) {
    const std::uint16_t group = shares.take_u16();
    const Bytes key = shares.take_vector16();
    const auto end = groups.begin() + static_cast<std::ptrdiff_t>(count);
    if (key.empty() || count == groups.size() || std::find(groups.begin(), end, group) != end) {
      return HelloError::bad_key_share;
    }
    groups[count++] = group;
  }
  if (!shares.is_good()) return HelloError::bad_key_share;
  hello.key_shares = KeyShareList{list};
  hello.has_key_share = true;
  return {};
}

/// Source: RFC 9846, "Pre-Shared Key Extension".
Verdict read_psk(Bytes body, ClientHello& hello) noexcept {
  Reader reader(body);
  const Bytes identities = reader.take_vector16();
  const Bytes binders = reader.take_vector16();
  if (!reader.is_done() || identities.empty() || binders.empty()) return HelloError::bad_psk;
  Reader identity(identities), binder(binders);
  std::size_t count = 0;
  for (; !identity.is_empty(); ++count) {
    const Bytes name = identity.take_vector16();
    identity.take(4);  // obfuscated age
    if (name.empty()) return HelloError::bad_psk;
  }
  for (; !binder.is_empty(); --count) {
    if (binder.take_vector8().size() < 32) return HelloError::bad_psk;
  }
  if (!identity.is_good() || !binder.is_good() || count != 0) return HelloError::bad_psk;
  hello.psk_identities = PskList{identities};
  hello.psk_binders = binders;
  hello.has_psk = true;
  return {};
}

/// A non-empty vector of bytes behind one byte of length, that fills the extension.
Verdict read_bytes(Bytes body, HelloError error, Bytes& out) noexcept {
  Reader reader(body);
  const Bytes list = reader.take_vector8();
  if (!reader.is_done() || list.empty()) return error;
  out = list;
  return {};
}

/// Source: RFC 9846, "Cookie".
Verdict read_cookie(Bytes body, ClientHello& hello) noexcept {
  Reader reader(body);
  hello.cookie = reader.take_vector16();
  if (!reader.is_done() || hello.cookie.empty()) return HelloError::bad_cookie;
  return {};
}

/// Source: RFC 6066 4: 1 to 4 stand for 2^9 to 2^12.
Verdict read_max_fragment(Bytes body, ClientHello& hello) noexcept {
  if (body.size() != 1 || body[0] < 1 || body[0] > 4) return HelloError::bad_fragment_length;
  hello.max_fragment_bytes = static_cast<std::uint16_t>(256U << body[0]);
  return {};
}

/// Source: RFC 8449 4: less than 64 is illegal; more than the protocol's own limit means that limit.
Verdict read_record_limit(Bytes body, ClientHello& hello) noexcept {
  if (body.size() != 2 || load_be16(body.data()) < 64) return HelloError::bad_fragment_length;
  hello.record_size_limit = load_be16(body.data());
  return {};
}

/// Source: RFC 5746 3.4: one byte, a length of zero, in a first hello.
Verdict read_renegotiation(Bytes body, ClientHello& hello) noexcept {
  if (body.size() != 1 || body[0] != 0) return HelloError::bad_renegotiation;
  hello.has_renegotiation_info = true;
  return {};
}

/// Source: RFC 9849 5: outer (0): suite, config id, encapsulated key, payload; inner (1): nothing.
Verdict read_encrypted_hello(Bytes body, ClientHello& hello) noexcept {
  Reader reader(body);
  const std::uint8_t kind = reader.take_u8();
  if (kind == 0) {
    reader.take(5);  // KDF, AEAD, config id
    reader.take_vector16();
    if (reader.take_vector16().empty()) return HelloError::bad_encrypted_hello;
  }
  if (!reader.is_done() || kind > 1) return HelloError::bad_encrypted_hello;
  hello.encrypted_hello = body;
  hello.has_encrypted_hello = true;
  return {};
}

Verdict read_flag(Bytes body, bool& out) noexcept {
  if (!body.empty()) return HelloError::bad_flag;
  out = true;
  return {};
}

Verdict read_extension(std::uint16_t type, Bytes body, ClientHello& hello) noexcept {
  bool unused_flag = false;
  U16List unused_list;
  switch (type) {
    case kServerName:
      return read_server_name(body, hello);
    case kMaxFragmentLength:
      return read_max_fragment(body, hello);
    case kSupportedGroups:
      return read_numbers(body, HelloError::bad_groups, hello.groups);
    case kPointFormats:
      return read_bytes(body, HelloError::bad_point_formats, hello.point_formats);
    case kSignatureAlgorithms:
      return read_numbers(body, HelloError::bad_signature_schemes, hello.signature_schemes);
    case kSignatureAlgorithmsCert:
      return read_numbers(body, HelloError::bad_signature_schemes, unused_list);
    case kAlpn:
      return read_protocols(body, hello);
    case kEncryptThenMac:
    case kPostHandshakeAuth:
      return read_flag(body, unused_flag);
    case kExtendedMasterSecret:
      return read_flag(body, hello.has_extended_master_secret);
    case kEarlyData:
      return read_flag(body, hello.has_early_data);
    case kRecordSizeLimit:
      return read_record_limit(body, hello);
    case kSessionTicket:
      hello.session_ticket = body;
      hello.has_session_ticket = true;
      return {};
    case kPreSharedKey:
      return read_psk(body, hello);
    case kSupportedVersions:
      return read_versions(body, hello);
    case kCookie:
      return read_cookie(body, hello);
    case kPskModes:
      return read_bytes(body, HelloError::bad_psk_modes, hello.psk_modes);
    case kKeyShare:
      return read_key_shares(body, hello);
    case kEncryptedHello:
      return read_encrypted_hello(body, hello);
    case kRenegotiationInfo:
      return read_renegotiation(body, hello);
    default:
      return {};
  }
}

/// Finds types that come twice. A bit a type answers nearly always; only a shared bit costs a search.
class SeenTypes {
 public:
  /// Returns: false when `type` was there before. Requires: at most kMaxExtensions calls.
  bool insert(std::uint16_t type) noexcept {
    std::uint64_t& word = bits_[(type >> 6) % bits_.size()];
    const std::uint64_t bit = 1ULL << (type % 64);
    const auto end = types_.begin() + static_cast<std::ptrdiff_t>(count_);
    if ((word & bit) != 0 && std::find(types_.begin(), end, type) != end) return false;
    word |= bit;
    types_[count_++] = type;
    return true;
  }

 private:
  std::array<std::uint64_t, 4> bits_{};
  std::array<std::uint16_t, kMaxExtensions> types_;  // the first count_ are set
  std::size_t count_ = 0;
};

Verdict read_extensions(Bytes block, ClientHello& hello) noexcept {
  Reader reader(block);
  SeenTypes seen;
  while (!reader.is_empty()) {
    const std::uint16_t type = reader.take_u16();
    const Bytes body = reader.take_vector16();
    if (!reader.is_good()) return HelloError::bad_extensions;
    if (hello.extension_count == kMaxExtensions) return HelloError::too_many_extensions;
    if (!seen.insert(type)) return HelloError::duplicate_extension;
    if (hello.has_psk) return HelloError::psk_not_last;
    if (const Verdict error = read_extension(type, body, hello)) return error;
    ++hello.extension_count;
  }
  if (hello.has_psk && hello.psk_modes.empty()) return HelloError::no_psk_modes;
  hello.extensions = ExtensionList{block};
  return {};
}

}  // namespace

std::optional<std::size_t> message_bytes(Bytes handshake) noexcept {
  if (handshake.size() < kMessageHeaderBytes) return {};
  return kMessageHeaderBytes + load_be24(handshake.data() + 1);
}

Result<ClientHello, HelloError> parse_client_hello(Bytes message) noexcept {
  const std::optional<std::size_t> whole = message_bytes(message);
  if (!whole) return Failure{HelloError::truncated};
  if (message[0] != kClientHello) return Failure{HelloError::not_client_hello};
  if (message.size() < *whole) return Failure{HelloError::truncated};
  if (message.size() > *whole) return Failure{HelloError::trailing_bytes};

  Reader reader(message.subspan(kMessageHeaderBytes));
  ClientHello hello;
  hello.legacy_version = reader.take_u16();
  hello.random = reader.take(kRandomBytes);
  hello.session_id = reader.take_vector8();
  const Bytes suites = reader.take_vector16();
  hello.compression_methods = reader.take_vector8();
  if (!reader.is_good()) return Failure{HelloError::truncated};
  if (hello.session_id.size() > kMaxSessionIdBytes) return Failure{HelloError::bad_session_id};
  if (suites.empty() || suites.size() % 2 != 0) return Failure{HelloError::bad_suites};
  const Bytes methods = hello.compression_methods;
  if (std::find(methods.begin(), methods.end(), 0) == methods.end()) return Failure{HelloError::bad_compression};
  hello.suites = U16List{suites};
  hello.has_renegotiation_info = hello.suites.contains(kSignallingSuite);

  if (reader.is_done()) return hello;  // no extensions at all: old, but legal in TLS 1.2
  const Bytes block = reader.take_vector16();
  if (!reader.is_good()) return Failure{HelloError::bad_extensions};
  if (!reader.is_done()) return Failure{HelloError::trailing_bytes};
  if (const Verdict error = read_extensions(block, hello)) return Failure{*error};
  return hello;
}

bool ClientHello::offers(std::uint16_t version) const noexcept {
  constexpr std::uint16_t kTls12 = 0x0303;
  return versions.empty() ? version <= kTls12 && legacy_version >= version : versions.contains(version);
}

}  // namespace cutwater::hello
