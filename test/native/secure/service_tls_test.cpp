// What a service's TLS options are refused for, in words that name the file.
#include "secure/service_tls.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "native/secure/tls_client.hpp"
#include "secure/certificate.hpp"

using namespace cutwater;
using namespace cutwater::secure;
using namespace cutwater::secure::test;

namespace {

/// The service of one certificate with something changed.
std::string verdict(const std::function<void(CertificatePem&)>& change) {
  ServiceTls service = shop();
  service.certificates.front().name = "shop.crt";
  service.certificates.front().key_name = "shop.key";
  change(service.certificates.front());
  return check(service);
}
std::string verdict(const std::function<void(ServiceTls&)>& change) {
  ServiceTls service = shop();
  change(service);
  return check(service);
}

}  // namespace

TEST_CASE("H9: certificates and keys are refused by name and reason") {
  CHECK(verdict([](CertificatePem&) {}).empty());
  CHECK(verdict([](CertificatePem& pem) { pem.chain_pem.clear(); }) == "shop.crt: is empty");
  CHECK(verdict([](CertificatePem& pem) { pem.key_pem.clear(); }) == "shop.key: is empty");
  CHECK(verdict([](CertificatePem& pem) { pem.chain_pem = "hello"; }) == "shop.crt: holds no certificate in PEM form");
  CHECK(verdict([](CertificatePem& pem) { pem.chain_pem = pem.key_pem; }) ==
        "shop.crt: holds no certificate in PEM form");
  CHECK(verdict([](CertificatePem& pem) { pem.chain_pem[100] = '*'; }).find("shop.crt: ") == 0);
  CHECK(verdict([](CertificatePem& pem) {
          pem.chain_pem += "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        }) == "shop.crt: has a damaged block after certificate 1");
  CHECK(verdict([](CertificatePem& pem) { pem.key_pem = "hello"; }) == "shop.key: holds no private key in PEM form");
  CHECK(verdict([](CertificatePem& pem) { pem.key_pem = pem.chain_pem; }) ==
        "shop.key: holds no private key in PEM form");
  CHECK(verdict([](CertificatePem& pem) { pem.key_pem = to_encrypted_pem(make_test_key(KeyType::ecdsa).get()); }) ==
        "shop.key: is encrypted; cutwater needs an unencrypted key");
  CHECK(verdict([](CertificatePem& pem) { pem.key_pem = to_pem(make_test_key(KeyType::ecdsa).get()); }) ==
        "shop.key: does not match shop.crt");
  CHECK(verdict([](CertificatePem& pem) { pem.key_pem = to_pem(make_test_key(KeyType::rsa).get()); }) ==
        "shop.key: does not match shop.crt");
}

TEST_CASE("H9: a traditional encrypted key is recognised too") {
  const KeyPtr key = make_test_key(KeyType::rsa);
  const BioPtr bio{BIO_new(BIO_s_mem())};
  PEM_write_bio_PrivateKey_traditional(bio.get(), key.get(), EVP_aes_128_cbc(), nullptr, 0, nullptr,
                                       const_cast<char*>("secret"));
  CHECK(verdict([&](CertificatePem& pem) { pem.key_pem = bio_text(bio.get()); }) ==
        "shop.key: is encrypted; cutwater needs an unencrypted key");
}

TEST_CASE("H9: weak keys are refused") {
  const KeyPtr key{EVP_RSA_gen(1024)};
  const TestCa ca("weak");
  X509Ptr certificate{X509_new()};
  X509_set_pubkey(certificate.get(), key.get());
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3'600);
  X509_sign(certificate.get(), key.get(), EVP_sha256());
  CHECK(verdict([&](CertificatePem& pem) {
          pem.chain_pem = to_pem(certificate.get());
          pem.key_pem = to_pem(key.get());
        }) == "shop.crt: ee key too small");
}

TEST_CASE("H9: options that leave nothing are refused") {
  CHECK(verdict([](ServiceTls& service) { service.certificates.clear(); }) == "shop: has no certificate");
  CHECK(verdict([](ServiceTls& service) { service.allow_tls12 = service.allow_tls13 = false; }) ==
        "shop: no TLS version is left with a suite");
  CHECK(verdict([](ServiceTls& service) {
          service.suites = {0x1301};
          service.allow_tls13 = false;
        }) == "shop: no TLS version is left with a suite");
  CHECK(verdict([](ServiceTls& service) { service.suites = {0x002f}; }) ==
        "shop: suite 47 is not one this device speaks");
  CHECK(verdict([](ServiceTls& service) { service.protocols = {""}; }) == "shop: an ALPN protocol has 1 to 255 bytes");
  CHECK(verdict([](ServiceTls& service) { service.client_auth = ClientAuth::required; }) ==
        "shop: client CA file is empty");
  CHECK(verdict([](ServiceTls& service) {
          service.client_auth = ClientAuth::optional;
          service.client_ca_pem = "hello";
        }) == "shop: client CA file holds no certificate in PEM form");
}

TEST_CASE("H9: an expired certificate is a warning, not an error") {
  ServiceTls service = shop();
  CHECK(warnings(service).empty());
  const Leaf late = server_ca().issue({.from_s = -7'200, .to_s = -3'600}), early = server_ca().issue({.from_s = 3'600});
  service.certificates = {late.pem("late"), early.pem("early")};
  CHECK(check(service).empty());
  CHECK(warnings(service) == std::vector<std::string>{"late.crt: has expired", "early.crt: is not valid yet"});
}

TEST_CASE("H9: a refused configuration changes nothing") {
  Bench bench;
  ServiceTls broken = shop();
  broken.certificates.clear();
  CHECK_FALSE(bench.pool.configure(0, broken).empty());
  TlsClient client;
  CHECK(handshake(bench.pool, client).is_established());
}

TEST_CASE("H9: a star stands for one label, at the left end") {
  CHECK(covers("*.shop.test", "a.shop.test"));
  CHECK_FALSE(covers("*.shop.test", "shop.test"));
  CHECK_FALSE(covers("*.shop.test", "a.b.shop.test"));
  CHECK_FALSE(covers("*.shop.test", ".shop.test"));
  CHECK_FALSE(covers("*.shop.test", "ashop.test"));
  CHECK(covers("shop.test", "shop.test"));
  CHECK_FALSE(covers("shop.test", "a.shop.test"));
}

TEST_CASE("H9: secrets are logged only when configured, for their owner's eyes") {
  const auto path = std::filesystem::temp_directory_path() / ("cutwater-keys-" + std::to_string(::getpid()));
  {
    std::ofstream(path) << "# old and open to all\n";
    ::chmod(path.c_str(), 0644);
    Bench bench(shop(), {.threads = 0, .key_log_path = path});
    CHECK(bench.pool.failure().empty());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
      TlsClient client([&](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, version); });
      CHECK(handshake(bench.pool, client).is_established());
    }
  }
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  for (const char* label : {"# old", "CLIENT_RANDOM ", "CLIENT_HANDSHAKE_TRAFFIC_SECRET ", "CLIENT_TRAFFIC_SECRET_0 ",
                            "SERVER_TRAFFIC_SECRET_0 "}) {
    CHECK(text.find(label) != std::string::npos);
  }
  struct stat about {};
  REQUIRE(::stat(path.c_str(), &about) == 0);
  CHECK((about.st_mode & 0777) == 0600);
  std::filesystem::remove(path);
  Bench nowhere(shop(), {.threads = 0, .key_log_path = "/nowhere/keys"});
  CHECK_FALSE(nowhere.pool.failure().empty());
}
