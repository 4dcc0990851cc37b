// One certificate with its chain and key, read from PEM and found to belong together.
// Not here: which one a client gets (service_context.hpp). Thread: control. Implements: H9.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "secure/openssl_ptr.hpp"
#include "secure/service_tls.hpp"

namespace cutwater::secure {

struct Certificate {
  std::string file;  // for messages
  X509Ptr leaf;
  std::vector<X509Ptr> chain;  // issuers, in the file's order
  KeyPtr key;
  int key_type = 0;  // EVP_PKEY_RSA, EVP_PKEY_EC, EVP_PKEY_ED25519, …: OpenSSL holds one of each
  std::vector<std::string>
      names;  // DNS names, lower case, "*.example.com" as it stands; the common name if there are none
};

/// Reads and checks one. Errors: a line for the operator, beginning with the file's name.
Result<Certificate, std::string> read_certificate(const CertificatePem& pem);

/// The same without the private key: `key` stays empty.
Result<Certificate, std::string> read_public_part(const CertificatePem& pem);

/// What is odd about it, but no reason to refuse it; empty when all is well.
std::string validity_warning(const Certificate& certificate);

/// Reads the certificates of a PEM text that holds nothing else. Errors: what is wrong, without a file's name.
Result<std::vector<X509Ptr>, std::string> read_chain(const std::string& pem);

/// True when `name` (lower case) is covered by `pattern`: equal, or one label in the place of "*" (RFC 9525 6.3).
bool covers(const std::string& pattern, const std::string& name);

}  // namespace cutwater::secure
