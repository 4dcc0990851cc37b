// Microseconds of one core for a handshake, the server's part and the client's apart: through secure::Pool on this
// thread, and beside it by the bare library (an SSL object on memory BIOs with default settings, kept as a terminator
// would). Best of five interleaved rounds. Run: handshake_bench [--json] [--only ROW] [--calls N]
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "secure/openssl_ptr.hpp"
#include "secure/pool.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::secure;

constexpr int kRounds = 5;

enum class Resume { no, ticket };

struct Case {
  const char* name;
  const char* key;  // "ecdsa" | "rsa" | "ed25519"
  int version;
  Resume resume;
};
constexpr Case kCases[] = {
    {"tls13 ecdsa full", "ecdsa", TLS1_3_VERSION, Resume::no},
    {"tls13 ecdsa resumed", "ecdsa", TLS1_3_VERSION, Resume::ticket},
    {"tls13 ed25519 full", "ed25519", TLS1_3_VERSION, Resume::no},
    {"tls13 rsa full", "rsa", TLS1_3_VERSION, Resume::no},
    {"tls12 ecdsa full", "ecdsa", TLS1_2_VERSION, Resume::no},
    {"tls12 ecdsa resumed", "ecdsa", TLS1_2_VERSION, Resume::ticket},
    {"tls12 rsa full", "rsa", TLS1_2_VERSION, Resume::no},
};

struct Cost {
  double server_us = std::numeric_limits<double>::max(), client_us = server_us;
};

/// What this thread has used of a core: on a shared machine it says more than the time that passed.
double now_us() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e6 + static_cast<double>(used.tv_nsec) / 1e3;
}
double us_since(double start) { return now_us() - start; }

std::string text_of(BIO* bio) {
  char* text = nullptr;
  const long bytes = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(bytes)};
}

/// A self-signed certificate of the kind.
CertificatePem make_certificate(std::string_view kind) {
  const KeyPtr key{kind == "rsa"     ? EVP_RSA_gen(2048)
                   : kind == "ecdsa" ? EVP_EC_gen("P-256")
                                     : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519")};
  const X509Ptr made{X509_new()};
  X509_set_version(made.get(), 2);
  X509_gmtime_adj(X509_getm_notBefore(made.get()), 0);
  X509_gmtime_adj(X509_getm_notAfter(made.get()), 86'400);
  X509_set_pubkey(made.get(), key.get());
  X509_NAME_add_entry_by_txt(X509_get_subject_name(made.get()), "CN", MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>("bench"), -1, -1, 0);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  X509_sign(made.get(), key.get(), kind == "ed25519" ? nullptr : EVP_sha256());
  const BioPtr certificate{BIO_new(BIO_s_mem())}, private_key{BIO_new(BIO_s_mem())};
  PEM_write_bio_X509(certificate.get(), made.get());
  PEM_write_bio_PrivateKey(private_key.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return {"bench.crt", text_of(certificate.get()), text_of(private_key.get())};
}

SSL_SESSION* newest_session = nullptr;

SslCtxPtr make_client_context(int version) {
  SslCtxPtr context{SSL_CTX_new(TLS_client_method())};
  SSL_CTX_set_min_proto_version(context.get(), version);
  SSL_CTX_set_max_proto_version(context.get(), version);
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context.get(), [](SSL*, SSL_SESSION* session) {
    SSL_SESSION_free(newest_session);
    newest_session = session;
    return 1;
  });
  return context;
}

/// Any server: takes what the client sent, gives what it answers.
struct Server {
  virtual ~Server() = default;
  virtual void start() = 0;
  virtual std::vector<std::uint8_t> answer(std::vector<std::uint8_t> bytes) = 0;
  virtual void stop() = 0;
};

struct PoolServer : Server {
  Pool pool;
  std::uint32_t flow = 0;
  bool is_new = true;
  explicit PoolServer(const CertificatePem& certificate) : pool({.threads = 0, .clock = [] { return Tick{1}; }}) {
    ServiceTls service;
    service.name = "bench";
    service.certificates = {certificate};
    const std::string error = pool.configure(0, service);
    if (!error.empty()) throw std::runtime_error(error);
  }
  void start() override {
    ++flow;
    is_new = true;
  }
  std::vector<std::uint8_t> answer(std::vector<std::uint8_t> bytes) override {
    auto request = std::make_unique<Request>();
    request->kind = is_new ? Request::Kind::start : Request::Kind::input;
    request->token = {flow, flow};
    request->bytes = std::move(bytes);
    is_new = false;
    pool.link(0).post(std::move(request));
    pool.run_pending();
    const auto reply = pool.link(0).poll();
    if (reply && reply->kind == Reply::Kind::failed) throw std::runtime_error(reply->detail);
    return reply ? reply->bytes : std::vector<std::uint8_t>{};
  }
  void stop() override {}
};

std::vector<std::uint8_t> take(SSL* ssl) {
  std::vector<std::uint8_t> bytes(BIO_ctrl_pending(SSL_get_wbio(ssl)));
  if (!bytes.empty()) BIO_read(SSL_get_wbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
  return bytes;
}
void give(SSL* ssl, const std::vector<std::uint8_t>& bytes) {
  if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl), bytes.data(), static_cast<int>(bytes.size()));
}
SslPtr make_ssl(SSL_CTX* context) {
  SslPtr ssl{SSL_new(context)};
  SSL_set_bio(ssl.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  return ssl;
}

struct BareServer : Server {
  SslCtxPtr context{SSL_CTX_new(TLS_server_method())};
  SslPtr ssl;
  explicit BareServer(const CertificatePem& pem) {
    const BioPtr certificate{BIO_new_mem_buf(pem.chain_pem.data(), -1)}, key{BIO_new_mem_buf(pem.key_pem.data(), -1)};
    SSL_CTX_use_certificate(context.get(),
                            X509Ptr{PEM_read_bio_X509(certificate.get(), nullptr, nullptr, nullptr)}.get());
    SSL_CTX_use_PrivateKey(context.get(), KeyPtr{PEM_read_bio_PrivateKey(key.get(), nullptr, nullptr, nullptr)}.get());
  }
  void start() override {}
  std::vector<std::uint8_t> answer(std::vector<std::uint8_t> bytes) override {
    if (!ssl) {
      ssl = make_ssl(context.get());
      SSL_set_accept_state(ssl.get());
    }
    give(ssl.get(), bytes);
    SSL_do_handshake(ssl.get());
    return take(ssl.get());
  }
  void stop() override {
    if (ssl) SSL_set_shutdown(ssl.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    ssl.reset();
  }
};

/// Adds the cost of one handshake.
void run(Server& server, SSL_CTX* client_context, SSL_SESSION* session, Cost& cost) {
  double start = now_us();
  server.start();
  cost.server_us += us_since(start);
  start = now_us();
  SslPtr client = make_ssl(client_context);
  SSL_set_connect_state(client.get());
  if (session != nullptr) SSL_set_session(client.get(), session);
  bool is_done = false;
  for (;;) {
    if (!is_done) is_done = SSL_do_handshake(client.get()) == 1;
    std::vector<std::uint8_t> bytes = take(client.get());
    cost.client_us += us_since(start);
    if (bytes.empty()) break;
    start = now_us();
    const auto answer = server.answer(std::move(bytes));
    cost.server_us += us_since(start);
    start = now_us();
    give(client.get(), answer);
  }
  if (!is_done) throw std::runtime_error("the handshake did not finish");
  if (session != nullptr && SSL_session_reused(client.get()) != 1)
    throw std::runtime_error("the session was not resumed");
  char data[1];
  SSL_read(client.get(), data, 1);  // takes the tickets
  start = now_us();
  SSL_set_shutdown(client.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  client.reset();
  cost.client_us += us_since(start);
  start = now_us();
  server.stop();
  cost.server_us += us_since(start);
}

Cost round(Server& server, const Case& row, int calls) {
  const SslCtxPtr context = make_client_context(row.version);
  Cost warm_up{0, 0}, cost{0, 0};
  run(server, context.get(), nullptr, warm_up);
  for (int i = 0; i < calls; ++i) {
    SSL_SESSION* session = row.resume == Resume::no ? nullptr : newest_session;
    if (session != nullptr) SSL_SESSION_up_ref(session);
    run(server, context.get(), session, cost);
    SSL_SESSION_free(session);
  }
  return {cost.server_us / calls, cost.client_us / calls};
}

void keep_best(Cost& best, const Cost& now) {
  best.server_us = std::min(best.server_us, now.server_us);
  best.client_us = std::min(best.client_us, now.client_us);
}

}  // namespace

int main(int argc, char** argv) {
  bool is_json = false;
  std::string_view only;
  int calls = 200;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--json") is_json = true;
    if (word == "--only" && i + 1 < argc) only = argv[++i];
    if (word == "--calls" && i + 1 < argc) calls = std::max(1, std::atoi(argv[++i]));
  }
  if (!is_json) {
    std::printf("%-22s %10s %10s %7s %12s %10s\n", "handshake", "pool us", "bare us", "ratio", "pool /s/core",
                "client us");
  }
  const char* comma = "";
  if (is_json) std::printf("[");
  for (const Case& row : kCases) {
    if (!only.empty() && only != row.name) continue;
    const CertificatePem certificate = make_certificate(row.key);
    PoolServer pool(certificate);
    BareServer bare(certificate);
    Cost by_pool, by_library;
    for (int i = 0; i < kRounds; ++i) {
      keep_best(by_pool, round(pool, row, calls));
      keep_best(by_library, round(bare, row, calls));
    }
    const double per_s = 1e6 / by_pool.server_us;
    if (is_json) {
      std::printf("%s\n{\"handshake\":\"%s\",\"poolUs\":%.1f,\"bareUs\":%.1f,\"clientUs\":%.1f}", comma, row.name,
                  by_pool.server_us, by_library.server_us, by_pool.client_us);
      comma = ",";
    } else {
      std::printf("%-22s %10.1f %10.1f %7.2f %12.0f %10.1f\n", row.name, by_pool.server_us, by_library.server_us,
                  by_pool.server_us / by_library.server_us, per_s, by_pool.client_us);
    }
  }
  if (is_json) std::printf("\n]\n");
  SSL_SESSION_free(newest_session);
}
