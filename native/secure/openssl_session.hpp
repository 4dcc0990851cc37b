// One handshake: OpenSSL fed record by record from memory, so that what follows the Finished stays untouched.
// Not here: threads, deadlines (processor.hpp); what the keys are used for. Thread: one processor thread.
// Implements: A5, H4.
#pragma once

#include <memory>
#include <vector>

#include "secure/failure.hpp"
#include "secure/key_export.hpp"
#include "secure/service_context.hpp"

namespace cutwater::secure {

enum class Progress : std::uint8_t { waiting, established, failed };

class OpensslSession {
 public:
  /// `key_log` may be nullptr.
  OpensslSession(std::shared_ptr<const ServiceContext> service, KeyLog* key_log);
  ~OpensslSession();
  OpensslSession(const OpensslSession&) = delete;
  OpensslSession& operator=(const OpensslSession&) = delete;

  /// Feeds whole records and appends what OpenSSL has to say to `out`. Stops behind the Finished.
  /// Requires: the last call returned waiting.
  Progress feed(Bytes records, std::vector<std::uint8_t>& out);

  /// Begins with the second hello of a client, whose cookie stands for the first: the transcript is rebuilt from it.
  /// Requires: nothing was fed; whole records, the message whole. The service has a cookie key.
  Progress feed_second_hello(Bytes records, std::vector<std::uint8_t>& out);

  /// Begins with a client that was given `flight` before anybody worked for it (H5): its hello is fed, what OpenSSL says to it is
  /// compared with what the client has, byte for byte, and thrown away; then comes the client's reply, as by feed().
  /// Requires: nothing was fed; the hello whole.
  Progress feed_deferred(Bytes hello, Bytes flight, Bytes reply, std::vector<std::uint8_t>& out);

  /// Whether a client was given a first flight before this TLS object was made: no session is taken up then.
  static bool is_deferred(const SSL* ssl) noexcept { return of(ssl).is_deferred_; }

  /// Begins a handshake with a server of the service, as its client, and appends the hello. `protocol`: the only one that the
  /// server may speak (ALPN); empty: none is asked for. Feed what the server says.
  /// Requires: nothing was fed; the service has TLS towards servers.
  Progress call(const std::string& protocol, std::vector<std::uint8_t>& out);

  /// Input that the handshake used, since its start.
  [[nodiscard]] std::uint32_t consumed_bytes() const noexcept { return consumed_bytes_; }
  /// Requires: failed.
  [[nodiscard]] const FailureReport& failure() const noexcept { return failure_; }
  /// The keys, once. Requires: established. `detail` gets a line for the event.
  std::unique_ptr<Established> take_established(std::string& detail);

  /// Makes `context` report secrets and alerts to the session of each TLS object, and refuse unsafe TLS 1.2 hellos.
  static void install_callbacks(SSL_CTX* context);
  /// The same for a context of calls: there is no hello to refuse.
  static void install_call_callbacks(SSL_CTX* context);

 private:
  Progress step(Bytes record, std::vector<std::uint8_t>& out);
  Progress refuse_framing(Bytes rest, std::uint8_t alert, std::string_view why, std::vector<std::uint8_t>& out);
  Progress finish(std::uint64_t records_sent);
  Progress fail_flight(std::string_view why, std::vector<std::uint8_t>& out);
  void attach(SSL_CTX* context);
  /// Whether the server is the one that was meant, and speaks what was asked for. Requires: a finished call.
  Progress judge_server();
  Progress fail();
  Progress fail(HandshakeFailure failure, std::string_view why);

  static OpensslSession& of(const SSL* ssl) noexcept;
  static const BIO_METHOD* memory_method();
  static int write_bio(BIO* bio, const char* data, int bytes) noexcept;
  static int read_bio(BIO* bio, char* data, int bytes) noexcept;
  static void on_key_log(const SSL* ssl, const char* line) noexcept;
  static void on_info(const SSL* ssl, int where, int value) noexcept;
  static int on_hello(SSL* ssl, int* alert, void* arg) noexcept;
  static int give_session_id(SSL* ssl, unsigned char* id, unsigned int* bytes) noexcept;

  std::shared_ptr<const ServiceContext> service_;
  KeyLog* key_log_;
  SslPtr ssl_;
  Bytes input_;                                  // the record being fed
  std::vector<std::uint8_t>* output_ = nullptr;  // the caller's, during feed()
  std::uint32_t consumed_bytes_ = 0;
  Phase phase_ = Phase::hello;
  bool is_deferred_ = false;
  std::vector<std::uint8_t> given_session_id_;  // in a first flight
  bool is_call_ = false;   // we are the client
  std::string protocol_;  // of a call
  bool lacks_master_secret_binding_ = false;  // a TLS 1.2 hello without extended_master_secret
  std::uint8_t sent_alert_ = 0;
  ApplicationSecrets secrets_;
  FailureReport failure_;
  std::unique_ptr<Established> established_;
};

}  // namespace cutwater::secure
