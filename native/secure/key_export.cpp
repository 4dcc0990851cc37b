#include "secure/key_export.hpp"

#include <array>

namespace cutwater::secure {

namespace {

constexpr std::size_t kRandomBytes = 32;
constexpr std::size_t kMasterSecretBytes = 48;
constexpr std::size_t kMaxSubjectBytes = 512;  // longer subjects are cut: they go into events

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

record::TrafficSecret from_hex(std::string_view hex) noexcept {
  std::array<std::uint8_t, 48> bytes{};
  if (hex.size() % 2 != 0 || hex.size() > 2 * bytes.size()) return {};
  for (std::size_t i = 0; i < hex.size() / 2; ++i) {
    const int high = hex_value(hex[2 * i]);
    const int low = hex_value(hex[2 * i + 1]);
    if (high < 0 || low < 0) return {};
    bytes[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  record::TrafficSecret secret{Bytes{bytes}.first(hex.size() / 2)};
  wipe(bytes.data(), bytes.size());
  return secret;
}

void export_tls13(Established& out, ApplicationSecrets&& secrets, std::uint64_t records_sent) noexcept {
  out.up_secret = std::move(secrets.up);
  out.down_secret = std::move(secrets.down);
  out.up_keys = record::derive_keys(*out.suite, out.up_secret);
  out.down_keys = record::derive_keys(*out.suite, out.down_secret);
  out.down_number = records_sent;
}

void export_tls12(SSL* ssl, Established& out) noexcept {
  std::array<std::uint8_t, kRandomBytes> client{}, server{};
  std::array<std::uint8_t, kMasterSecretBytes> master{};
  SSL_get_client_random(ssl, client.data(), client.size());
  SSL_get_server_random(ssl, server.data(), server.size());
  SSL_SESSION_get_master_key(SSL_get_session(ssl), master.data(), master.size());
  const record::KeyBlock block = record::derive_key_block(*out.suite, master, client, server);
  wipe(master.data(), master.size());
  out.up_keys = block.client_write;
  out.down_keys = block.server_write;
  out.up_number = out.down_number = 1;  // each Finished was record 0
}

std::uint16_t max_fragment(SSL* ssl) noexcept {
  switch (SSL_SESSION_get_max_fragment_length(SSL_get_session(ssl))) {
    case TLSEXT_max_fragment_length_512:
      return 512;
    case TLSEXT_max_fragment_length_1024:
      return 1024;
    case TLSEXT_max_fragment_length_2048:
      return 2048;
    case TLSEXT_max_fragment_length_4096:
      return 4096;
    default:
      return record::kMaxFragmentBytes;
  }
}

std::string subject_of(SSL* ssl) {
  const X509* client = SSL_get0_peer_certificate(ssl);
  if (client == nullptr) return {};
  const BioPtr bio{BIO_new(BIO_s_mem())};
  X509_NAME_print_ex(bio.get(), X509_get_subject_name(client), 0, XN_FLAG_RFC2253);
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio.get(), &text);
  return bytes <= 0 ? std::string{} : std::string(text, std::min(static_cast<std::size_t>(bytes), kMaxSubjectBytes));
}

}  // namespace

void read_key_log_line(std::string_view line, ApplicationSecrets& secrets) noexcept {
  const bool is_up = line.starts_with("CLIENT_TRAFFIC_SECRET_0 ");
  const bool is_down = line.starts_with("SERVER_TRAFFIC_SECRET_0 ");
  if (!is_up && !is_down) return;
  (is_up ? secrets.up : secrets.down) = from_hex(line.substr(line.rfind(' ') + 1));
}

std::unique_ptr<Established> export_established(SSL* ssl, ApplicationSecrets&& secrets, std::uint64_t records_sent) {
  const bool is_tls13 = SSL_version(ssl) == TLS1_3_VERSION;
  const auto version = is_tls13 ? record::Version::tls13 : record::Version::tls12;
  auto out = std::make_unique<Established>();
  out->suite = record::find_suite(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(ssl)), version);
  if (out->suite == nullptr || (is_tls13 && (secrets.up.empty() || secrets.down.empty()))) return nullptr;
  if (is_tls13) {
    export_tls13(*out, std::move(secrets), records_sent);
  } else {
    export_tls12(ssl, *out);
  }
  out->max_fragment_bytes = max_fragment(ssl);
  out->is_resumed = SSL_session_reused(ssl) == 1;
  unsigned int id_bytes = 0;
  const unsigned char* id = SSL_SESSION_get_id(SSL_get_session(ssl), &id_bytes);
  out->session_id.assign(id, id + id_bytes);
  const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
  if (name != nullptr) out->server_name = name;
  const unsigned char* protocol = nullptr;
  unsigned int protocol_bytes = 0;
  SSL_get0_alpn_selected(ssl, &protocol, &protocol_bytes);
  out->protocol.assign(reinterpret_cast<const char*>(protocol), protocol_bytes);
  out->client_subject = subject_of(ssl);
  return out;
}

std::string describe(SSL* ssl, const Established& established) {
  std::string text = established.suite->version == record::Version::tls13 ? "TLS 1.3 " : "TLS 1.2 ";
  text += established.suite->name;
  const int group = static_cast<int>(SSL_get_negotiated_group(ssl));
  if (group != NID_undef && (group & TLSEXT_nid_unknown) == 0) {
    text += ' ';
    text += OBJ_nid2sn(group);
  }
  if (!established.protocol.empty()) text += ' ' + established.protocol;
  if (established.is_resumed) text += " resumed";
  return text;
}

}  // namespace cutwater::secure
