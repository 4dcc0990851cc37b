// The PROXY protocol, version 2: what a server is told of its client in front of the client's own bytes, where it cannot see
// the client's address. With what TLS has found out, if wanted: the server never sees the handshake.
// Source: "The PROXY protocol", versions 1 & 2 (haproxy.org), 2.2 and 2.2.x. Thread: any (pure). Implements: A8.
#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace cutwater::balance {

struct ProxyEnd {
  IpAddress address;
  std::uint16_t port = 0;
};

/// What the handshake has found out. Empty: not told.
struct ProxyTls {
  std::string_view version;      // "TLSv1.3"
  std::string_view cipher;
  std::string_view protocol;     // ALPN
  std::string_view server_name;  // SNI
  std::string_view client_name;  // common name of the client's certificate, which was verified
  bool has_client_certificate = false;
};

/// Returns: the header. `destination` is where the client connected to. `tls` nullptr: without TLVs.
/// Requires: both ends are of one IP version. Names longer than 255 bytes are left out: nothing real has them.
std::vector<std::uint8_t> proxy_header(const ProxyEnd& source, const ProxyEnd& destination, const ProxyTls* tls);

}  // namespace cutwater::balance
