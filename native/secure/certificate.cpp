#include "secure/certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <algorithm>

namespace cutwater::secure {

namespace {

BioPtr view(const std::string& text) { return BioPtr{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))}; }

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// A DNS name fit for comparing, or an empty string when it holds anything but visible ASCII (embedded NULs are an old
/// trick).
std::string dns_name(const ASN1_STRING* value) {
  const auto* data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(value));
  std::string name(data, static_cast<std::size_t>(ASN1_STRING_length(value)));
  const auto is_visible = [](char c) { return c > ' ' && c < 127; };
  if (!std::all_of(name.begin(), name.end(), is_visible)) return {};
  std::transform(name.begin(), name.end(), name.begin(), lower);
  return name;
}

std::string common_name(const X509* leaf) {
  const X509_NAME* subject = X509_get_subject_name(leaf);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at < 0) return {};
  return dns_name(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
}

std::vector<std::string> names_of(const X509* leaf) {
  std::vector<std::string> names;
  const auto add = [&names](std::string name) {
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  };
  const GeneralNamesPtr alternative{
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(leaf, NID_subject_alt_name, nullptr, nullptr))};
  for (int i = 0; i < sk_GENERAL_NAME_num(alternative.get()); ++i) {
    const GENERAL_NAME* entry = sk_GENERAL_NAME_value(alternative.get(), i);
    if (entry->type == GEN_DNS) add(dns_name(entry->d.dNSName));
  }
  if (names.empty()) add(common_name(leaf));
  return names;
}

/// OpenSSL asks for a passphrase exactly when the key is encrypted; there is nobody to answer.
int refuse_passphrase(char*, int, int, void* was_asked) {
  *static_cast<bool*>(was_asked) = true;
  return -1;
}

Result<KeyPtr, std::string> read_key(const std::string& pem) {
  if (pem.empty()) return Failure{std::string{"is empty"}};
  bool is_encrypted = false;
  const BioPtr bio = view(pem);
  KeyPtr key{PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_passphrase, &is_encrypted)};
  ERR_clear_error();
  if (is_encrypted) return Failure{std::string{"is encrypted; cutwater needs an unencrypted key"}};
  if (!key) return Failure{std::string{"holds no private key in PEM form"}};
  return key;
}

bool is_key_type_known(int type) noexcept {
  return type == EVP_PKEY_RSA || type == EVP_PKEY_RSA_PSS || type == EVP_PKEY_EC || type == EVP_PKEY_ED25519 ||
         type == EVP_PKEY_ED448;
}

}  // namespace

Result<std::vector<X509Ptr>, std::string> read_chain(const std::string& pem) {
  if (pem.empty()) return Failure{std::string{"is empty"}};
  const BioPtr bio = view(pem);
  std::vector<X509Ptr> chain;
  ERR_clear_error();
  for (;;) {
    X509Ptr next{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
    if (!next) break;
    chain.push_back(std::move(next));
  }
  // The text ends with "no start line"; any other error is a damaged block in it.
  const unsigned long error = ERR_peek_last_error();
  const bool is_damaged = error != 0 && ERR_GET_REASON(error) != PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (is_damaged) return Failure{"has a damaged block after certificate " + std::to_string(chain.size())};
  if (chain.empty()) return Failure{std::string{"holds no certificate in PEM form"}};
  return chain;
}

Result<Certificate, std::string> read_public_part(const CertificatePem& pem) {
  start_openssl();
  Result<std::vector<X509Ptr>, std::string> chain = read_chain(pem.chain_pem);
  if (!chain) return Failure{pem.name + ": " + chain.error()};
  Certificate certificate;
  certificate.file = pem.name;
  certificate.leaf = std::move(chain->front());
  certificate.chain.assign(std::make_move_iterator(chain->begin() + 1), std::make_move_iterator(chain->end()));
  const EVP_PKEY* key = X509_get0_pubkey(certificate.leaf.get());
  certificate.key_type = key == nullptr ? EVP_PKEY_NONE : EVP_PKEY_get_base_id(key);
  certificate.names = names_of(certificate.leaf.get());
  ERR_clear_error();
  return certificate;
}

Result<Certificate, std::string> read_certificate(const CertificatePem& pem) {
  const std::string& key_file = pem.key_name.empty() ? pem.name : pem.key_name;
  Result<Certificate, std::string> certificate = read_public_part(pem);
  if (!certificate) return certificate;
  Result<KeyPtr, std::string> key = read_key(pem.key_pem);
  if (!key) return Failure{key_file + ": " + key.error()};

  certificate->key = std::move(*key);
  certificate->key_type = EVP_PKEY_get_base_id(certificate->key.get());
  if (!is_key_type_known(certificate->key_type)) {
    return Failure{key_file + ": is neither an RSA, an ECDSA nor an EdDSA key"};
  }
  const bool is_match = X509_check_private_key(certificate->leaf.get(), certificate->key.get()) == 1;
  ERR_clear_error();
  if (!is_match) return Failure{key_file + ": does not match " + (key_file == pem.name ? "its certificate" : pem.name)};
  return certificate;
}

std::string validity_warning(const Certificate& certificate) {
  if (X509_cmp_current_time(X509_get0_notAfter(certificate.leaf.get())) < 0) return certificate.file + ": has expired";
  if (X509_cmp_current_time(X509_get0_notBefore(certificate.leaf.get())) > 0) {
    return certificate.file + ": is not valid yet";
  }
  return {};
}

bool covers(const std::string& pattern, const std::string& name) {
  if (!pattern.starts_with("*.")) return pattern == name;
  const std::size_t dot = name.find('.');
  return dot != std::string::npos && dot != 0 && name.compare(dot, std::string::npos, pattern, 1) == 0;
}

}  // namespace cutwater::secure
