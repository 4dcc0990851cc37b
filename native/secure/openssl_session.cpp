#include "secure/openssl_session.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <optional>

#include "record/deframer.hpp"
#include "secure/first_record.hpp"
#include "secure/retried_session.hpp"
#include "secure/server_context.hpp"
#include "secure/server_random.hpp"

namespace cutwater::secure {

namespace {

constexpr std::uint32_t kMaxInputBytes =
    256 * 1024;  // a hello, a client's certificates and room for refused early data

/// True when the hello offers `version`. Malformed lists are OpenSSL's to refuse.
bool offers(SSL* ssl, std::uint16_t version) noexcept {
  const unsigned char* list = nullptr;
  std::size_t bytes = 0;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &list, &bytes) != 1) {
    return version <= TLS1_2_VERSION && SSL_client_hello_get0_legacy_version(ssl) >= version;
  }
  for (std::size_t at = 1; at + 2 <= bytes; at += 2) {
    if (load_be16(list + at) == version) return true;
  }
  return false;
}

bool offers_master_secret_binding(SSL* ssl) noexcept {
  const unsigned char* body = nullptr;
  std::size_t bytes = 0;
  return SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_extended_master_secret, &body, &bytes) == 1;
}

/// What a ServerHello, the first message of a flight in records, says of itself (RFC 5246 7.4.1.3). Returns: nothing when it is none.
struct Given {
  Bytes random, session_id;
};
std::optional<Given> read_given(Bytes flight) noexcept {
  constexpr std::size_t kRandomAt = record::kHeaderBytes + 4 + 2, kIdAt = kRandomAt + kServerRandomBytes;
  if (flight.size() <= kIdAt) return {};
  const std::size_t id_bytes = flight[kIdAt];
  if (id_bytes > SSL_MAX_SSL_SESSION_ID_LENGTH || flight.size() - kIdAt - 1 < id_bytes) return {};
  return Given{flight.subspan(kRandomAt, kServerRandomBytes), flight.subspan(kIdAt + 1, id_bytes)};
}

// Of a handshake in which we are the client: up is what the server writes.
void turn_round(Established& e) noexcept {
  std::swap(e.up_keys, e.down_keys);
  std::swap(e.up_secret, e.down_secret);
  std::swap(e.up_number, e.down_number);
}

// An alert in clear repeats the version of the client's record, even one that does not exist (3.4 and up). Ours say 3.3.
void mend_alert_version(MutableBytes written) noexcept {
  const bool is_clear_alert = written.size() == record::kHeaderBytes + record::kAlertBytes && written[0] == SSL3_RT_ALERT;
  if (is_clear_alert && written[2] > 3) written[2] = 3;
}

}  // namespace

OpensslSession::OpensslSession(std::shared_ptr<const ServiceContext> service, KeyLog* key_log)
    : service_(std::move(service)), key_log_(key_log) {
  attach(service_->initial());
  SSL_set_accept_state(ssl_.get());
}

void OpensslSession::attach(SSL_CTX* context) {
  ssl_.reset(SSL_new(context));
  BIO* bio = BIO_new(memory_method());
  BIO_set_data(bio, this);
  BIO_set_init(bio, 1);
  SSL_set_bio(ssl_.get(), bio, bio);
  SSL_set_app_data(ssl_.get(), this);
}

OpensslSession::~OpensslSession() {
  // Freed without this, OpenSSL would take the connection for broken and its session for unfit to resume.
  SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
}

Progress OpensslSession::feed(Bytes records, std::vector<std::uint8_t>& out) {
  using Status = record::NextRecord::Status;
  while (!records.empty()) {
    const record::NextRecord next = record::next_record(records);
    if (next.status == Status::bad) {
      const auto alert = static_cast<std::uint8_t>(record::alert_for(next.error));
      return refuse_framing(records, alert, to_string(next.error), out);
    }
    if (next.status == Status::partial) return refuse_framing(records, SSL_AD_DECODE_ERROR, "a record cut short", out);
    const Bytes record = records.first(next.header.record_bytes());
    records = records.subspan(record.size());
    if (record.size() > kMaxInputBytes - consumed_bytes_) return fail(HandshakeFailure::too_large, "too much input");
    consumed_bytes_ += static_cast<std::uint32_t>(record.size());
    const Progress progress = step(record, out);
    if (progress != Progress::waiting) return progress;
  }
  return Progress::waiting;
}

Progress OpensslSession::feed_second_hello(Bytes records, std::vector<std::uint8_t>& out) {
  consumed_bytes_ = static_cast<std::uint32_t>(records.size());
  input_ = records;
  output_ = &out;
  ERR_clear_error();
  const RetriedSession reading(ssl_.get());
  const int result = SSL_stateless(ssl_.get());
  output_ = nullptr;
  if (result != 1) return fail();
  if (!input_.empty()) return fail(HandshakeFailure::internal, "the TLS library left input unread");
  phase_ = Phase::after_hello;
  return Progress::waiting;
}

Progress OpensslSession::feed_deferred(Bytes hello, Bytes flight, Bytes reply, std::vector<std::uint8_t>& out) {
  const auto given = read_given(flight);
  if (!given) return fail_flight("what the client was given is no flight", out);
  is_deferred_ = true;
  given_session_id_.assign(given->session_id.begin(), given->session_id.end());
  SSL_set_generate_session_id(ssl_.get(), give_session_id);
  std::vector<std::uint8_t> own;
  own.reserve(flight.size());
  Progress progress = Progress::waiting;
  bool is_drawn_once = false;
  {
    ServerRandom random(given->random);
    progress = feed(hello, own);
    is_drawn_once = random.is_drawn_once();
  }
  if (progress != Progress::waiting) return fail_flight("the TLS library refuses the hello: " + failure_.detail, out);
  if (!is_drawn_once || !std::equal(own.begin(), own.end(), flight.begin(), flight.end())) {
    const auto at = std::mismatch(own.begin(), own.end(), flight.begin(), flight.end()).first - own.begin();
    return fail_flight("the client was given another first flight: it differs at byte " + std::to_string(at), out);
  }
  return feed(reply, out);
}

Progress OpensslSession::call(const std::string& protocol, std::vector<std::uint8_t>& out) {
  constexpr std::size_t kMaxProtocolBytes = 255;
  const ServerTls& servers = *service_->servers();
  is_call_ = true;
  protocol_ = protocol.substr(0, kMaxProtocolBytes);
  attach(service_->towards_servers());
  SSL_set_connect_state(ssl_.get());
  if (!servers.name.empty() && is_host_name(servers.name)) SSL_set_tlsext_host_name(ssl_.get(), servers.name.c_str());
  if (!protocol_.empty()) {
    std::vector<std::uint8_t> list{static_cast<std::uint8_t>(protocol_.size())};
    list.insert(list.end(), protocol_.begin(), protocol_.end());
    SSL_set_alpn_protos(ssl_.get(), list.data(), static_cast<unsigned int>(list.size()));
  }
  return step({}, out);
}

std::unique_ptr<Established> OpensslSession::take_established(std::string& detail) {
  detail = describe(ssl_.get(), *established_);
  return std::move(established_);
}

Progress OpensslSession::step(Bytes record, std::vector<std::uint8_t>& out) {
  const std::size_t before_bytes = out.size();
  input_ = record;
  output_ = &out;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  output_ = nullptr;
  // What this step wrote when it took the client's Finished went out under the application keys (TLS 1.3).
  if (result == 1) return finish(record::whole_records(Bytes{out}.subspan(before_bytes)).records);
  const int error = SSL_get_error(ssl_.get(), result);
  if (error == SSL_ERROR_ZERO_RETURN)
    return fail(HandshakeFailure::client_alert, is_call_ ? "the server closed with close_notify" : "the client closed with close_notify");
  if (error != SSL_ERROR_WANT_READ) {
    mend_alert_version(MutableBytes{out}.subspan(before_bytes));
    return fail();
  }
  if (!input_.empty()) return fail(HandshakeFailure::internal, "the TLS library left input unread");
  if (out.size() != before_bytes) phase_ = Phase::after_hello;
  return Progress::waiting;
}

/// Shows OpenSSL bytes that are no record, so that it answers with an alert under whatever keys are in use.
Progress OpensslSession::refuse_framing(Bytes rest, std::uint8_t alert, std::string_view why,
                                        std::vector<std::uint8_t>& out) {
  const Progress progress = step(rest.first(std::min(rest.size(), record::kHeaderBytes)), out);
  if (progress == Progress::established) return progress;  // cannot be: no message is so short
  if (progress == Progress::waiting && phase_ == Phase::hello) {
    const auto record = plain_alert(alert);
    out.insert(out.end(), record.begin(), record.end());
    sent_alert_ = alert;
  }
  return fail(HandshakeFailure::bad_record, why);
}

Progress OpensslSession::finish(std::uint64_t records_sent) {
  const bool is_tls13 = SSL_version(ssl_.get()) == TLS1_3_VERSION;
  if (!is_tls13 && SSL_get_extms_support(ssl_.get()) != 1) {
    return fail(HandshakeFailure::no_extended_master_secret, "TLS 1.2 without extended master secret");
  }
  if (is_call_ && judge_server() == Progress::failed) return Progress::failed;
  // What a client says last in TLS 1.3 is under the handshake's keys.
  established_ = export_established(ssl_.get(), std::move(secrets_), is_call_ ? 0 : records_sent);
  if (established_ == nullptr) return fail(HandshakeFailure::internal, "keys could not be exported");
  established_->given_session_id = given_session_id_;
  if (is_call_) turn_round(*established_);
  return Progress::established;
}

// OpenSSL has verified before it said that the handshake is done. Nothing goes on if it should ever not have.
Progress OpensslSession::judge_server() {
  const bool has_verified = SSL_get0_peer_certificate(ssl_.get()) != nullptr && SSL_get_verify_result(ssl_.get()) == X509_V_OK;
  if (service_->servers()->verify == ServerVerify::full && !has_verified) {
    return fail(HandshakeFailure::server_untrusted, "the server's certificate was not verified");
  }
  const unsigned char* chosen = nullptr;
  unsigned int chosen_bytes = 0;
  SSL_get0_alpn_selected(ssl_.get(), &chosen, &chosen_bytes);
  const std::string_view protocol(reinterpret_cast<const char*>(chosen), chosen_bytes);
  // A server that answers nothing speaks what it spoke before there was ALPN.
  const bool is_right = protocol == protocol_ || (protocol.empty() && protocol_ == "http/1.1");
  return is_right ? Progress::established : fail(HandshakeFailure::server_wrong_protocol, "the server does not speak " + protocol_);
}

/// What the client has in its hands cannot be gone on from. No keys exist, so the alert is in clear.
Progress OpensslSession::fail_flight(std::string_view why, std::vector<std::uint8_t>& out) {
  const auto alert = plain_alert(SSL_AD_INTERNAL_ERROR);
  out.assign(alert.begin(), alert.end());
  sent_alert_ = SSL_AD_INTERNAL_ERROR;
  return fail(HandshakeFailure::flight_differs, why);
}

Progress OpensslSession::fail() {
  failure_ = is_call_ ? report_call_failure(ssl_.get(), sent_alert_) : report_failure(ssl_.get(), phase_, sent_alert_);
  if (lacks_master_secret_binding_) {
    failure_.failure = HandshakeFailure::no_extended_master_secret;
    failure_.detail = "TLS 1.2 without extended master secret";
  }
  return Progress::failed;
}

Progress OpensslSession::fail(HandshakeFailure failure, std::string_view why) {
  ERR_clear_error();
  failure_ = {is_call_ ? of_server(failure) : failure, sent_alert_, std::string{why}};
  return Progress::failed;
}

OpensslSession& OpensslSession::of(const SSL* ssl) noexcept {
  return *static_cast<OpensslSession*>(SSL_get_app_data(ssl));
}

const BIO_METHOD* OpensslSession::memory_method() {
  static const BioMethodPtr method = [] {
    BioMethodPtr made{BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "records in memory")};
    BIO_meth_set_write(made.get(), write_bio);
    BIO_meth_set_read(made.get(), read_bio);
    BIO_meth_set_ctrl(made.get(), [](BIO*, int command, long, void*) -> long { return command == BIO_CTRL_FLUSH; });
    return made;
  }();
  return method.get();
}

int OpensslSession::write_bio(BIO* bio, const char* data, int bytes) noexcept {
  std::vector<std::uint8_t>* out = static_cast<OpensslSession*>(BIO_get_data(bio))->output_;
  if (out == nullptr || bytes <= 0) return -1;
  out->insert(out->end(), data, data + bytes);
  return bytes;
}

int OpensslSession::read_bio(BIO* bio, char* data, int bytes) noexcept {
  Bytes& input = static_cast<OpensslSession*>(BIO_get_data(bio))->input_;
  BIO_clear_retry_flags(bio);
  if (input.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t taken = std::min(input.size(), static_cast<std::size_t>(bytes));
  std::memcpy(data, input.data(), taken);
  input = input.subspan(taken);
  return static_cast<int>(taken);
}

void OpensslSession::on_key_log(const SSL* ssl, const char* line) noexcept {
  OpensslSession& session = of(ssl);
  read_key_log_line(line, session.secrets_);
  if (session.key_log_ != nullptr) session.key_log_->append(line);
}

void OpensslSession::on_info(const SSL* ssl, int where, int value) noexcept {
  if ((where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT) of(ssl).sent_alert_ = static_cast<std::uint8_t>(value & 0xff);
}

int OpensslSession::on_hello(SSL* ssl, int* alert, void*) noexcept {
  OpensslSession& session = of(ssl);
  const bool is_tls13 = session.service_->allows_tls13() && offers(ssl, TLS1_3_VERSION);
  // Where no version is shared OpenSSL says so (protocol_version).
  const bool is_tls12 = !is_tls13 && session.service_->allows_tls12() && offers(ssl, TLS1_2_VERSION);
  if (!is_tls12 || offers_master_secret_binding(ssl)) return SSL_CLIENT_HELLO_SUCCESS;
  session.lacks_master_secret_binding_ = true;
  *alert = SSL_AD_HANDSHAKE_FAILURE;
  return SSL_CLIENT_HELLO_ERROR;
}

int OpensslSession::give_session_id(SSL* ssl, unsigned char* id, unsigned int* bytes) noexcept {
  // Where no sessions are kept the library asks too, and throws away what it gets: it shall not draw for that.
  const std::vector<std::uint8_t>& given = of(ssl).given_session_id_;
  std::fill_n(id, *bytes, std::uint8_t{1});
  std::copy(given.begin(), given.end(), id);
  if (!given.empty()) *bytes = static_cast<unsigned int>(given.size());
  return 1;
}

void OpensslSession::install_call_callbacks(SSL_CTX* context) {
  SSL_CTX_set_keylog_callback(context, on_key_log);
  SSL_CTX_set_info_callback(context, on_info);
}

void OpensslSession::install_callbacks(SSL_CTX* context) {
  install_call_callbacks(context);
  SSL_CTX_set_client_hello_cb(context, on_hello, nullptr);
}

}  // namespace cutwater::secure
