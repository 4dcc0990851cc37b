#include "sim/rig.hpp"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <stdexcept>

namespace cutwater::sim {
namespace {

class RouterFactory final : public DeviceFactory {
 public:
  std::unique_ptr<Device> make(const Scenario& scenario, const Profile&, Timeline&, Random) override { return std::make_unique<Router>(scenario); }
};

std::string text_of(BIO* bio) {
  char* data = nullptr;
  const long bytes = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(bytes)};
}

std::unique_ptr<DeviceFactory> make_factory(DeviceKind kind, const Credentials& credentials) {
  switch (kind) {
    case DeviceKind::router: return make_router_factory();
    case DeviceKind::reference: return make_reference_factory(credentials);
    case DeviceKind::path: return make_path_factory(credentials);
  }
  return nullptr;
}

}  // namespace

std::unique_ptr<DeviceFactory> make_router_factory() { return std::make_unique<RouterFactory>(); }

Credentials make_credentials() {
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_EC_gen("P-256"), EVP_PKEY_free};
  const std::unique_ptr<X509, decltype(&X509_free)> certificate{X509_new(), X509_free};
  if (!key || !certificate) throw std::runtime_error("make_credentials");
  X509_set_version(certificate.get(), 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 7);
  ASN1_TIME_set_string(X509_getm_notBefore(certificate.get()), "20200101000000Z");
  ASN1_TIME_set_string(X509_getm_notAfter(certificate.get()), "20491231235959Z");
  X509_set_pubkey(certificate.get(), key.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("sim.example"), -1, -1, 0);
  X509_set_issuer_name(certificate.get(), name);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  const std::unique_ptr<BIO, decltype(&BIO_free)> out{BIO_new(BIO_s_mem()), BIO_free};
  Credentials credentials;
  PEM_write_bio_X509(out.get(), certificate.get());
  credentials.certificate_pem = text_of(out.get());
  BIO_reset(out.get());
  PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  credentials.key_pem = text_of(out.get());
  return credentials;
}

Rig::Rig(DeviceKind kind) : credentials(make_credentials()), server_contexts(credentials.certificate_pem, credentials.key_pem), devices(make_factory(kind, credentials)) {}

}  // namespace cutwater::sim
