// Why a ClientHello is refused: one list for counters, events, alerts and docs.
// Thread: any (pure functions).
#pragma once

#include <cstdint>
#include <string_view>

namespace cutwater::hello {

/// Why a hello is refused. Always the client's fault; the connection ends with alert_for().
enum class HelloError : std::uint8_t {
  truncated,            // ends inside a field
  not_client_hello,     // another handshake message
  trailing_bytes,       // more bytes than the message's own length, or bytes behind the last field
  bad_session_id,       // longer than 32 bytes
  bad_suites,           // none, or half of one
  bad_compression,      // the null method is missing
  bad_extensions,       // lengths that do not add up
  too_many_extensions,  // more than kMaxExtensions
  duplicate_extension,
  bad_server_name,        // not exactly one host name of 1 to 255 visible characters
  bad_protocols,          // ALPN: empty list or name, or lengths that do not add up
  bad_versions,           // supported_versions
  bad_groups,             // supported_groups
  bad_key_share,          // lengths that do not add up, an empty share, or two of one group
  bad_signature_schemes,  // signature_algorithms or signature_algorithms_cert
  bad_psk,                // lengths that do not add up, or identities and binders differ in number
  psk_not_last,           // pre_shared_key must be the last extension: the binders cover all before them
  no_psk_modes,           // pre_shared_key without psk_key_exchange_modes
  bad_psk_modes,
  bad_cookie,
  bad_fragment_length,  // max_fragment_length or record_size_limit out of range
  bad_renegotiation,    // renegotiation_info of a first hello is empty
  bad_point_formats,
  bad_flag,             // an extension that carries nothing carries something
  bad_encrypted_hello,  // encrypted_client_hello: neither a whole outer nor an empty inner
};
std::string_view to_string(HelloError error) noexcept;

/// The alert's number. Source: RFC 9846 6.2: decode_error for lengths and syntax, illegal_parameter for contents.
std::uint8_t alert_for(HelloError error) noexcept;

}  // namespace cutwater::hello
