// A ClientHello read once into views that cannot fail afterwards: every length inside is checked in
// parse_client_hello(). Not here: joining records and packets (the caller's), what to make of an offer (secure, hello
// table). Thread: any (pure functions). Used by: hello, path, fingerprint.cpp, fuzz_hello.cpp. Implements: H1, A10.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "hello/hello_error.hpp"
#include "hello/hello_lists.hpp"

namespace cutwater::hello {

inline constexpr std::size_t kMaxExtensions = 64;      // browsers send about twenty
inline constexpr std::size_t kMessageHeaderBytes = 4;  // type and 24-bit length
inline constexpr std::size_t kRandomBytes = 32;

/// Views into the message; they live as long as its bytes. Lists of extensions that were not sent are empty.
struct ClientHello {
  std::uint16_t legacy_version = 0;
  Bytes random, session_id;
  U16List suites;
  Bytes compression_methods;
  ExtensionList extensions;  // all of them, in the client's order

  std::string_view server_name;  // as sent, case and all
  NameList protocols;            // ALPN
  VersionList versions;          // supported_versions; empty: legacy_version is the offer
  U16List groups;
  KeyShareList key_shares;
  U16List signature_schemes;
  Bytes point_formats;
  PskList psk_identities;
  Bytes psk_binders;  // the binders' list, its length not included
  Bytes psk_modes;
  Bytes cookie;           // empty: none, since an empty one is illegal
  Bytes session_ticket;   // TLS 1.2; empty also when the client only says that it can do tickets
  Bytes encrypted_hello;  // ECH outer: the whole extension

  std::uint16_t record_size_limit = 0;   // 0: not sent
  std::uint16_t max_fragment_bytes = 0;  // max_fragment_length as bytes; 0: not sent
  std::uint8_t extension_count = 0;

  bool has_session_ticket = false;
  bool has_extended_master_secret = false;
  bool has_early_data = false;
  bool has_renegotiation_info = false;  // as extension or as signalling suite
  bool has_psk = false;
  bool has_key_share = false;  // present, even with no shares (asks for a retry)
  bool has_encrypted_hello = false;

  [[nodiscard]] bool offers(std::uint16_t version) const noexcept;
};

/// How long the message is that starts here, its header included; nothing when even that is not known yet.
std::optional<std::size_t> message_bytes(Bytes handshake) noexcept;

/// Reads one whole ClientHello message. Cost: no allocation, about a microsecond at most.
/// Source: RFC 9846, "Client Hello", and the extensions' own documents, cited where they are read.
Result<ClientHello, HelloError> parse_client_hello(Bytes message) noexcept;

}  // namespace cutwater::hello
