#include "balance/proxy_header.hpp"

#include <array>

namespace cutwater::balance {
namespace {

using Out = std::vector<std::uint8_t>;

constexpr std::array<std::uint8_t, 12> kSignature{0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};
constexpr std::uint8_t kVersion2Proxy = 0x21, kTcp4 = 0x11, kTcp6 = 0x21;
constexpr std::uint8_t kAlpn = 0x01, kAuthority = 0x02, kSsl = 0x20;                 // PP2_TYPE_…
constexpr std::uint8_t kSslVersion = 0x21, kSslName = 0x22, kSslCipher = 0x23;      // PP2_SUBTYPE_SSL_…
constexpr std::uint8_t kClientSsl = 0x01, kClientCertConnection = 0x02, kClientCertSession = 0x04;
constexpr std::uint8_t kNotVerified = 1;
constexpr std::size_t kMaxNameBytes = 255;

void put16(Out& out, std::size_t value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8));
  out.push_back(static_cast<std::uint8_t>(value));
}

void put_tlv(Out& out, std::uint8_t type, std::string_view value) {
  if (value.empty() || value.size() > kMaxNameBytes) return;
  out.push_back(type);
  put16(out, value.size());
  out.insert(out.end(), value.begin(), value.end());
}

void put_ssl(Out& out, const ProxyTls& tls) {
  Out body;
  body.push_back(static_cast<std::uint8_t>(kClientSsl | (tls.has_client_certificate ? kClientCertConnection | kClientCertSession : 0)));
  body.insert(body.end(), {0, 0, 0, static_cast<std::uint8_t>(tls.has_client_certificate ? 0 : kNotVerified)});
  put_tlv(body, kSslVersion, tls.version);
  put_tlv(body, kSslName, tls.client_name);
  put_tlv(body, kSslCipher, tls.cipher);
  out.push_back(kSsl);
  put16(out, body.size());
  out.insert(out.end(), body.begin(), body.end());
}

}  // namespace

std::vector<std::uint8_t> proxy_header(const ProxyEnd& source, const ProxyEnd& destination, const ProxyTls* tls) {
  const bool is_v4 = source.address.is_v4();
  Out body;
  for (const ProxyEnd* end : {&source, &destination}) {
    const auto& bytes = end->address.bytes;
    body.insert(body.end(), bytes.begin() + (is_v4 ? 12 : 0), bytes.end());
  }
  put16(body, source.port);
  put16(body, destination.port);
  if (tls != nullptr) {
    put_tlv(body, kAlpn, tls->protocol);
    put_tlv(body, kAuthority, tls->server_name);
    put_ssl(body, *tls);
  }
  Out out(kSignature.begin(), kSignature.end());
  out.push_back(kVersion2Proxy);
  out.push_back(is_v4 ? kTcp4 : kTcp6);
  put16(out, body.size());
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

}  // namespace cutwater::balance
