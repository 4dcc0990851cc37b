#include "secure/first_flight.hpp"

#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <map>

#include "record/deframer.hpp"
#include "secure/openssl_session.hpp"

namespace cutwater::secure {
namespace {

using Octets = std::vector<std::uint8_t>;

constexpr std::uint8_t kCertificateMessage = 11;
constexpr std::size_t kLengthBytes = 3;  // of messages, and of certificates within one (RFC 5246 7.4, 7.4.2)

void append_length(Octets& out, std::size_t bytes) {
  for (const unsigned shift : {16U, 8U, 0U}) out.push_back(static_cast<std::uint8_t>(bytes >> shift));
}

Octets der_of(X509* certificate) {
  Octets der(static_cast<std::size_t>(std::max(i2d_X509(certificate, nullptr), 0)));
  unsigned char* end = der.data();
  if (!der.empty()) i2d_X509(certificate, &end);
  return der;
}

/// The message with a certificate and its issuers (RFC 5246 7.4.2).
Octets certificate_message(const Certificate& certificate) {
  Octets list;
  const auto add = [&list](X509* one) {
    const Octets der = der_of(one);
    append_length(list, der.size());
    list.insert(list.end(), der.begin(), der.end());
  };
  add(certificate.leaf.get());
  for (const X509Ptr& issuer : certificate.chain) add(issuer.get());
  Octets message{kCertificateMessage};
  append_length(message, list.size() + kLengthBytes);
  append_length(message, list.size());
  message.insert(message.end(), list.begin(), list.end());
  return message;
}

/// A certificate that nobody will ever see. One for the process: making its key takes a tenth of a second.
const CertificatePem& stand_in() {
  static const CertificatePem pem = [] {
    const KeyPtr key{EVP_RSA_gen(2048)};
    const X509Ptr made{X509_new()};
    X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), 1);
    X509_set_pubkey(made.get(), key.get());
    X509_sign(made.get(), key.get(), EVP_sha256());
    const auto text_of = [](BIO* bio) {
      char* text = nullptr;
      const long bytes = BIO_get_mem_data(bio, &text);
      return std::string(text, static_cast<std::size_t>(bytes));
    };
    const BioPtr certificate{BIO_new(BIO_s_mem())}, secret{BIO_new(BIO_s_mem())};
    PEM_write_bio_X509(certificate.get(), made.get());
    PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    return CertificatePem{"stand-in", text_of(certificate.get()), text_of(secret.get()), {}};
  }();
  return pem;
}

/// A hello with nothing but RSA key exchange, as OpenSSL makes it.
Octets plain_hello() {
  const SslCtxPtr context{SSL_CTX_new(TLS_client_method())};
  SSL_CTX_set_max_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context.get(), "AES128-GCM-SHA256:AES256-GCM-SHA384");
  const SslPtr client{SSL_new(context.get())};
  BIO* out = BIO_new(BIO_s_mem());
  SSL_set_bio(client.get(), BIO_new(BIO_s_mem()), out);
  SSL_set_connect_state(client.get());
  SSL_do_handshake(client.get());
  Octets hello(BIO_ctrl_pending(out));
  if (!hello.empty()) BIO_read(out, hello.data(), static_cast<int>(hello.size()));
  return hello;
}

/// The records that OpenSSL sends behind its Certificate. Returns: nothing when it does not answer as a server of RSA key
/// exchange does.
Octets records_behind_certificate(const ServiceTls& service) {
  ServiceTls stand = service;
  stand.certificates = {stand_in()};
  stand.protocols.clear();
  stand.cookie_key.clear();
  stand.require_known_name = false;
  stand.allow_tls13 = false;
  const auto context = ServiceContext::build(stand, std::make_shared<Resumption>([] { return Tick{}; }));
  if (!context) return {};
  OpensslSession session(*context, nullptr);
  Octets flight;
  if (session.feed(plain_hello(), flight) != Progress::waiting) return {};
  Bytes rest = flight;
  for (int skipped = 0; skipped < 2; ++skipped) {  // ServerHello and Certificate, a record each
    const record::NextRecord next = record::next_record(rest);
    if (next.status != record::NextRecord::Status::complete) return {};
    if (skipped == 1 && rest[record::kHeaderBytes] != kCertificateMessage) return {};
    rest = rest.subspan(next.header.record_bytes());
  }
  return {rest.begin(), rest.end()};
}

bool has_key(const Bundle& bundle, bool (*is_wanted)(int)) {
  return std::any_of(bundle.begin(), bundle.end(), [&](const Certificate* c) { return is_wanted(c->key_type); });
}
bool is_of_curve(int type) { return type == EVP_PKEY_EC || type == EVP_PKEY_ED25519 || type == EVP_PKEY_ED448; }

class Maker {
 public:
  explicit Maker(const ServiceTls& service) : behind_(records_behind_certificate(service)) {
    for (const record::Suite* suite : suites_of(service)) {
      if (suite->version != record::Version::tls12) continue;
      if (is_rsa_key_exchange(*suite)) flights_.suites.push_back(suite->iana);
      else (suite->name.find("_ECDSA_") != std::string_view::npos ? of_curves_ : of_rsa_).push_back(suite->iana);
    }
    const bool resumes = service.session_lifetime_s != 0;
    flights_.protocols = service.protocols;
    flights_.allows_tls13 = service.allow_tls13 && !tls13_offer(service).suites.empty();
    flights_.gives_session_ids = flights_.gives_tickets = resumes;
    flights_.is_name_required = service.require_known_name;
    flights_.asks_certificate = service.client_auth != ClientAuth::none;
  }

  std::uint32_t add(const Bundle& bundle) {
    const auto [known, is_new] = known_.try_emplace(bundle, static_cast<std::uint32_t>(flights_.flights.size()));
    if (is_new) flights_.flights.push_back(flight_of(bundle));
    return known->second;
  }
  void name(const std::string& name, std::uint32_t flight) { flights_.by_name.emplace(name, flight); }

  std::shared_ptr<const record::RsaFlights> take() {
    const auto can_serve = [](const record::RsaFlight& flight) { return !flight.records.empty(); };
    const bool is_of_use = !flights_.suites.empty() && std::any_of(flights_.flights.begin(), flights_.flights.end(), can_serve);
    return is_of_use ? std::make_shared<const record::RsaFlights>(std::move(flights_)) : nullptr;
  }

 private:
  record::RsaFlight flight_of(const Bundle& bundle) const {
    record::RsaFlight flight;
    const auto rsa = std::find_if(bundle.begin(), bundle.end(), [](const Certificate* c) { return c->key_type == EVP_PKEY_RSA; });
    if (rsa == bundle.end() || behind_.empty()) return flight;
    record::append_records(flight.records, certificate_message(**rsa));
    flight.records.insert(flight.records.end(), behind_.begin(), behind_.end());
    if (flight.records.size() > record::kMaxFlightBytes) flight.records.clear();
    flight.rivals = of_rsa_;
    if (has_key(bundle, is_of_curve)) flight.rivals.insert(flight.rivals.end(), of_curves_.begin(), of_curves_.end());
    return flight;
  }

  Octets behind_;
  std::vector<std::uint16_t> of_rsa_, of_curves_;
  std::map<Bundle, std::uint32_t> known_;
  record::RsaFlights flights_;
};

}  // namespace

std::shared_ptr<const record::RsaFlights> first_flights(const ServiceTls& service) {
  if (!service.legacy_rsa_key_exchange || !service.allow_tls12 || service.certificates.empty()) return nullptr;
  std::vector<Certificate> certificates;
  for (const CertificatePem& pem : service.certificates) {
    Result<Certificate, std::string> certificate = read_public_part(pem);
    if (!certificate) return nullptr;  // configure() says why
    certificates.push_back(std::move(*certificate));
  }
  Maker maker(service);
  maker.add(default_bundle(certificates));
  for (const Certificate& certificate : certificates) {
    for (const std::string& name : certificate.names) maker.name(name, maker.add(bundle_for(certificates, name)));
  }
  return maker.take();
}

}  // namespace cutwater::secure
