// A real OpenSSL client over memory, and the worker's part of a handshake: records to the pool, replies to the client.
// Test only.
#pragma once

#include <openssl/err.h>

#include <chrono>
#include <functional>
#include <thread>

#include "native/secure/test_pki.hpp"
#include "record/deframer.hpp"
#include "secure/pool.hpp"

namespace cutwater::secure::test {

using ByteVector = std::vector<std::uint8_t>;

inline ByteVector joined(Bytes a, Bytes b) {
  ByteVector all(a.begin(), a.end());
  all.insert(all.end(), b.begin(), b.end());
  return all;
}

class TlsClient {
 public:
  using Setting = std::function<void(SSL_CTX*)>;

  explicit TlsClient(const Setting& set = {}, SSL_SESSION* session = nullptr)
      : context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_session_cache_mode(context_.get(), SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context_.get(), [](SSL* ssl, SSL_SESSION* made) {
      static_cast<TlsClient*>(SSL_get_app_data(ssl))->sessions_.emplace_back(made);
      return 1;
    });
    if (set) set(context_.get());
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_app_data(ssl_.get(), this);
    SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    BIO_set_mem_eof_return(SSL_get_rbio(ssl_.get()), -1);
    SSL_set_connect_state(ssl_.get());
    if (session != nullptr) SSL_set_session(ssl_.get(), session);
  }
  ~TlsClient() {
    SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }  // else sessions count as broken
  TlsClient(const TlsClient&) = delete;
  TlsClient& operator=(const TlsClient&) = delete;

  [[nodiscard]] SSL* ssl() const { return ssl_.get(); }
  void name(const char* server) { SSL_set_tlsext_host_name(ssl_.get(), server); }

  /// Goes on as far as the input allows. Returns: true when the handshake is finished on this side.
  bool step() {
    ERR_clear_error();
    const int result = SSL_do_handshake(ssl_.get());
    note_failure(result);
    return result == 1;
  }
  [[nodiscard]] bool has_failed() const { return has_failed_; }
  void give(Bytes bytes) {
    if (!bytes.empty()) BIO_write(SSL_get_rbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
  }
  ByteVector take() {
    ByteVector bytes(BIO_ctrl_pending(SSL_get_wbio(ssl_.get())));
    if (!bytes.empty()) BIO_read(SSL_get_wbio(ssl_.get()), bytes.data(), static_cast<int>(bytes.size()));
    return bytes;
  }
  void write(std::string_view text) { SSL_write(ssl_.get(), text.data(), static_cast<int>(text.size())); }
  std::string read() {
    char text[16'384];
    ERR_clear_error();
    const int bytes = SSL_read(ssl_.get(), text, sizeof text);
    note_failure(bytes);
    return bytes <= 0 ? std::string{} : std::string(text, static_cast<std::size_t>(bytes));
  }
  /// The newest session the server gave, for another client. nullptr when there is none.
  [[nodiscard]] SSL_SESSION* session() const { return sessions_.empty() ? nullptr : sessions_.back().get(); }
  [[nodiscard]] std::size_t sessions() const { return sessions_.size(); }
  /// The fatal alert this client received; -1 when there was none.
  [[nodiscard]] int alert_received() const {
    return reason_ > SSL_AD_REASON_OFFSET ? reason_ - SSL_AD_REASON_OFFSET : -1;
  }

 private:
  void note_failure(int result) {
    if (result > 0 || SSL_get_error(ssl_.get(), result) != SSL_ERROR_SSL) return;
    has_failed_ = true;
    if (reason_ == 0) reason_ = ERR_GET_REASON(ERR_peek_error());
  }
  SslCtxPtr context_;
  SslPtr ssl_;
  std::vector<SessionPtr> sessions_;
  bool has_failed_ = false;
  int reason_ = 0;
};

/// What became of a handshake, seen from the worker.
struct Outcome {
  std::unique_ptr<Reply> last;  // established or failed; nullptr when neither came
  std::vector<ByteVector> outputs;
  ByteVector posted;  // all that the client sent
  std::size_t replies = 0;
  [[nodiscard]] bool is_established() const { return last && last->kind == Reply::Kind::established; }
  [[nodiscard]] HandshakeFailure failure() const { return last ? last->failure : HandshakeFailure::none; }
  [[nodiscard]] int alert() const { return last ? last->alert : -1; }
  [[nodiscard]] const Established& keys() const { return *last->established; }
  /// What the handshake left for the splice.
  [[nodiscard]] Bytes rest() const { return Bytes{posted}.subspan(last->consumed_bytes); }
};

struct Drive {
  std::uint32_t service = 0;
  Token token{1, 1};
  std::uint32_t link = 0;
  Tick deadline = kNever;
  bool is_threaded = false;
  std::string early_words = {};  // application data the client writes the moment it is finished
  std::function<std::vector<ByteVector>(ByteVector)> cut = {};  // regroups what the client sends into requests
};

inline std::unique_ptr<Request> make_request(Request::Kind kind, const Drive& drive, ByteVector bytes) {
  auto request = std::make_unique<Request>();
  request->kind = kind;
  request->token = drive.token;
  request->service = drive.service;
  request->deadline = drive.deadline;
  request->bytes = std::move(bytes);
  return request;
}

/// Waits for a reply: at once without threads, up to ten seconds with them.
inline std::unique_ptr<Reply> await_reply(Pool& pool, const Drive& drive) {
  Link& link = pool.link(drive.link);
  if (!drive.is_threaded) {
    pool.run_pending();
    return link.poll();
  }
  pool.notify();
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < until) {
    if (auto reply = link.poll()) return reply;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return nullptr;
}

/// Runs a handshake to its end; the client gets every output, and finishes on the last.
inline Outcome handshake(Pool& pool, TlsClient& client, const Drive& drive = {}) {
  Outcome outcome;
  bool has_started = false, has_spoken = false;
  for (int round = 0; round < 20; ++round) {
    const bool is_finished = client.step();
    if (is_finished && !has_spoken && !drive.early_words.empty()) {
      client.write(drive.early_words);
      has_spoken = true;
    }
    ByteVector bytes = client.take();
    if (outcome.last || (bytes.empty() && round > 0 && !drive.is_threaded && outcome.outputs.empty())) break;
    if (!bytes.empty()) {
      outcome.posted.insert(outcome.posted.end(), bytes.begin(), bytes.end());
      const auto pieces = drive.cut ? drive.cut(std::move(bytes)) : std::vector<ByteVector>{std::move(bytes)};
      for (const ByteVector& piece : pieces) {
        const auto kind = has_started ? Request::Kind::input : Request::Kind::start;
        pool.link(drive.link).post(make_request(kind, drive, piece));
        has_started = true;
      }
    } else if (round > 0) {
      break;  // the client has nothing more to say and no verdict came
    }
    std::unique_ptr<Reply> reply = await_reply(pool, drive);
    for (; reply; reply = outcome.last ? nullptr : pool.link(drive.link).poll()) {
      ++outcome.replies;
      client.give(reply->bytes);
      if (reply->kind == Reply::Kind::output) {
        outcome.outputs.push_back(reply->bytes);
      } else {
        outcome.last = std::move(reply);
        break;
      }
    }
  }
  return outcome;
}

/// One certificate, one service, a pool without threads: what most tests start from.
inline const TestCa& server_ca() {
  static const TestCa ca("Test CA");
  return ca;
}
inline const CertificatePem& test_certificate(KeyType type) {
  static const CertificatePem pems[] = {
      server_ca().issue({.type = KeyType::rsa, .common_name = "rsa", .names = {"shop.test"}}).pem("rsa"),
      server_ca().issue({.type = KeyType::ecdsa, .common_name = "ecdsa", .names = {"shop.test"}}).pem("ecdsa"),
      server_ca().issue({.type = KeyType::ed25519, .common_name = "ed25519", .names = {"shop.test"}}).pem("ed25519")};
  return pems[static_cast<int>(type)];
}
inline ServiceTls shop(KeyType type = KeyType::ecdsa) {
  ServiceTls service;
  service.name = "shop";
  service.certificates = {test_certificate(type)};
  return service;
}

struct Bench {
  std::uint64_t now_us = 1'000'000;
  Pool pool;
  explicit Bench(const ServiceTls& service = shop(), PoolConfig config = {.threads = 0})
      : pool(timed(std::move(config))) {
    const std::string error = pool.configure(0, service);
    if (!error.empty()) throw std::runtime_error(error);
  }

 private:
  PoolConfig timed(PoolConfig config) {
    if (!config.clock) config.clock = [this] { return Tick{now_us}; };
    return config;
  }
};

}  // namespace cutwater::secure::test
