// Keys and certificates made on the spot, so that the tests carry none that expire. Test only.
#pragma once

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <stdexcept>
#include <string>
#include <vector>

#include "secure/openssl_ptr.hpp"
#include "secure/service_tls.hpp"

namespace cutwater::secure::test {

enum class KeyType { rsa, ecdsa, ed25519 };

inline KeyPtr make_test_key(KeyType type) {
  switch (type) {
    case KeyType::rsa:
      return KeyPtr{EVP_RSA_gen(2048)};
    case KeyType::ecdsa:
      return KeyPtr{EVP_EC_gen("P-256")};
    case KeyType::ed25519:
      return KeyPtr{EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  }
  return nullptr;
}

inline std::string bio_text(BIO* bio) {
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(bytes)};
}
inline std::string to_pem(X509* certificate) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_X509(bio.get(), certificate);
  return bio_text(bio.get());
}
inline std::string to_pem(EVP_PKEY* key) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr);
  return bio_text(bio.get());
}
inline std::string to_encrypted_pem(EVP_PKEY* key) {
  const BioPtr bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_PrivateKey(bio.get(), key, EVP_aes_128_cbc(), nullptr, 0, nullptr, const_cast<char*>("secret"));
  return bio_text(bio.get());
}

struct LeafOptions {
  KeyType type = KeyType::ecdsa;
  std::string common_name = "leaf";
  std::vector<std::string> names = {};  // DNS names
  long from_s = -3'600, to_s = 86'400;  // validity, from now
};

struct Leaf {
  X509Ptr certificate;
  KeyPtr key;
  [[nodiscard]] CertificatePem pem(const std::string& file, const std::string& chain = {}) const {
    return {file + ".crt", to_pem(certificate.get()) + chain, to_pem(key.get()), file + ".key"};
  }
};

class TestCa {
 public:
  explicit TestCa(const std::string& name) : key_(make_test_key(KeyType::ecdsa)) {
    certificate_ = make({.common_name = name}, key_.get(), "CA:TRUE");
  }
  [[nodiscard]] Leaf issue(const LeafOptions& options) const {
    KeyPtr key = make_test_key(options.type);
    return {make(options, key.get(), "CA:FALSE"), std::move(key)};
  }
  [[nodiscard]] X509* certificate() const { return certificate_.get(); }
  [[nodiscard]] std::string pem() const { return to_pem(certificate_.get()); }

 private:
  X509Ptr make(const LeafOptions& options, EVP_PKEY* key, const char* constraints) const {
    static long serial = 1;
    X509Ptr made{X509_new()};
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(made.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), options.from_s);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), options.to_s);
    X509_set_pubkey(made.get(), key);
    X509_NAME* subject = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(options.common_name.c_str()), -1, -1, 0);
    X509_set_issuer_name(made.get(), certificate_ ? X509_get_subject_name(certificate_.get()) : subject);
    add(made.get(), NID_basic_constraints, constraints);
    std::string names;
    for (const std::string& name : options.names) names += (names.empty() ? "DNS:" : ",DNS:") + name;
    if (!names.empty()) add(made.get(), NID_subject_alt_name, names.c_str());
    if (X509_sign(made.get(), key_.get(), EVP_sha256()) == 0) throw std::runtime_error("X509_sign");
    return made;
  }
  static void add(X509* to, int nid, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
    X509_add_ext(to, extension, -1);
    X509_EXTENSION_free(extension);
  }
  KeyPtr key_;
  X509Ptr certificate_;
};

}  // namespace cutwater::secure::test
