#include "secure/hand_off.hpp"

#include <algorithm>

namespace cutwater::secure {

namespace {

constexpr std::uint64_t kMagic = 0x4375747761746572;  // "Cutwater"
constexpr std::size_t kMaxNameBytes = 4096;            // of files, services, certificates' subjects
constexpr std::size_t kMaxPemBytes = 4 * 1024 * 1024;
constexpr std::size_t kMaxVerdictBytes = 64 * 1024;
constexpr std::size_t kMaxRecordsBytes = 400 * 1024;
constexpr std::size_t kMaxFlightBytes = 96 * 1024;  // record::kMaxFlightBytes, and a ServerHello
constexpr std::size_t kMaxListItems = 2048;
constexpr std::size_t kMaxCookieKeyBytes = 64;
constexpr std::size_t kMaxSealedBytes = 256;
constexpr std::size_t kMaxProtocolBytes = 255;         // one length byte in the hello

void write_token(FrameWriter& frame, std::uint32_t lane, Token token) {
  frame.u32(lane);
  frame.u32(token.flow);
  frame.u32(token.generation);
}

bool read_token(FrameReader& in, std::uint32_t& lane, Token& token) {
  lane = in.u32();
  token.flow = in.u32();
  token.generation = in.u32();
  return lane < kMaxLanes;
}

template <class Enum>
Enum read_choice(FrameReader& in, Enum last) {
  const std::uint8_t value = in.u8();
  if (value > static_cast<std::uint8_t>(last)) in.refuse();
  return in.is_whole() ? static_cast<Enum>(value) : Enum{};
}

/// How many items follow. Refuses more than a list may have.
std::size_t read_count(FrameReader& in) {
  const std::uint32_t count = in.u32();
  if (count > kMaxListItems) in.refuse();
  return in.is_whole() ? count : 0;
}

void write_certificate(FrameWriter& frame, const CertificatePem& certificate) {
  frame.text(certificate.name);
  frame.text(certificate.chain_pem);
  frame.text(certificate.key_name);
}

CertificatePem read_certificate_names(FrameReader& in) {
  CertificatePem certificate;
  certificate.name = in.text(kMaxNameBytes);
  certificate.chain_pem = in.text(kMaxPemBytes);
  certificate.key_name = in.text(kMaxNameBytes);
  return certificate;
}

void write_servers(FrameWriter& frame, const std::optional<ServerTls>& servers) {
  frame.u8(servers.has_value());
  if (!servers) return;
  frame.u8(static_cast<std::uint8_t>(servers->allow_tls12 | servers->allow_tls13 << 1));
  frame.u8(static_cast<std::uint8_t>(servers->verify));
  frame.text(servers->name);
  frame.text(servers->ca_pem);
  frame.u8(servers->certificate.empty() ? 0 : 1);
  if (!servers->certificate.empty()) write_certificate(frame, servers->certificate.front());
}

void read_servers(FrameReader& in, std::optional<ServerTls>& servers) {
  if (in.u8() == 0) return;
  ServerTls s;
  const std::uint8_t flags = in.u8();
  s.allow_tls12 = (flags & 1) != 0;
  s.allow_tls13 = (flags & 2) != 0;
  s.verify = read_choice(in, ServerVerify::none);
  s.name = in.text(kMaxNameBytes);
  s.ca_pem = in.text(kMaxPemBytes);
  if (in.u8() != 0) s.certificate.push_back(read_certificate_names(in));
  servers = std::move(s);
}

void write_service(FrameWriter& frame, const ServiceTls& s) {
  frame.text(s.name);
  frame.u8(static_cast<std::uint8_t>(s.allow_tls12 | s.allow_tls13 << 1 | s.require_known_name << 2 |
                                     s.legacy_rsa_key_exchange << 3));
  frame.u8(static_cast<std::uint8_t>(s.client_auth));
  frame.text(s.client_ca_pem);
  frame.u32(s.session_lifetime_s);
  frame.u32(s.tickets);
  frame.bytes(s.cookie_key);
  frame.u32(static_cast<std::uint32_t>(s.certificates.size()));
  for (const CertificatePem& certificate : s.certificates) write_certificate(frame, certificate);
  frame.u32(static_cast<std::uint32_t>(s.protocols.size()));
  for (const std::string& protocol : s.protocols) frame.text(protocol);
  frame.u32(static_cast<std::uint32_t>(s.suites.size()));
  for (const std::uint16_t suite : s.suites) frame.u16(suite);
  write_servers(frame, s.servers);
}

void write_keys(FrameWriter& frame, const record::TrafficKeys& keys) {
  frame.raw(keys.key);
  frame.raw(keys.iv);
}

void read_keys(FrameReader& in, record::TrafficKeys& keys) {
  const Bytes key = in.raw(keys.key.size()), iv = in.raw(keys.iv.size());
  std::copy(key.begin(), key.end(), keys.key.begin());
  std::copy(iv.begin(), iv.end(), keys.iv.begin());
}

void write_established(FrameWriter& frame, const Established& e) {
  frame.u8(static_cast<std::uint8_t>(e.suite->version));
  frame.u16(e.suite->iana);
  write_keys(frame, e.up_keys);
  write_keys(frame, e.down_keys);
  frame.bytes(e.up_secret.expose());
  frame.bytes(e.down_secret.expose());
  frame.u64(e.up_number);
  frame.u64(e.down_number);
  frame.u16(e.max_fragment_bytes);
  frame.u8(e.is_resumed);
  frame.bytes(e.session_id);
  frame.bytes(e.given_session_id);
  frame.text(e.server_name);
  frame.text(e.protocol);
  frame.text(e.client_subject);
}

/// Returns: nullptr for what the record layer could not work with.
std::unique_ptr<Established> read_established(FrameReader& in) {
  constexpr std::size_t kMaxSecretBytes = 48, kMaxSessionIdBytes = 32;
  auto e = std::make_unique<Established>();
  const auto version = read_choice(in, record::Version::tls13);
  e->suite = record::find_suite(in.u16(), version);
  read_keys(in, e->up_keys);
  read_keys(in, e->down_keys);
  e->up_secret.assign(in.bytes(kMaxSecretBytes));
  e->down_secret.assign(in.bytes(kMaxSecretBytes));
  e->up_number = in.u64();
  e->down_number = in.u64();
  e->max_fragment_bytes = in.u16();
  e->is_resumed = in.u8() != 0;
  const Bytes id = in.bytes(kMaxSessionIdBytes);
  e->session_id.assign(id.begin(), id.end());
  const Bytes given_id = in.bytes(kMaxSessionIdBytes);
  e->given_session_id.assign(given_id.begin(), given_id.end());
  e->server_name = in.text(kMaxNameBytes);
  e->protocol = in.text(kMaxNameBytes);
  e->client_subject = in.text(kMaxNameBytes);
  const bool is_fragment_right = e->max_fragment_bytes >= 64 && e->max_fragment_bytes <= record::kMaxFragmentBytes;
  return in.is_whole() && e->suite != nullptr && is_fragment_right ? std::move(e) : nullptr;
}

}  // namespace

void write(SecretBuffer& out, const Greeting& greeting) {
  FrameWriter frame(out, FrameKind::hello);
  frame.u64(kMagic);
  frame.u16(greeting.version);
  frame.u32(greeting.lanes);
  frame.u32(greeting.max_handshakes);
  frame.text(greeting.key_log_path);
  frame.bytes(greeting.sealed_tickets);
}

bool read(FrameReader& in, Greeting& greeting) {
  if (in.u64() != kMagic) return false;
  greeting.version = in.u16();
  greeting.lanes = in.u32();
  greeting.max_handshakes = in.u32();
  greeting.key_log_path = in.text(kMaxNameBytes);
  const Bytes sealed = in.bytes(kMaxSealedBytes);
  greeting.sealed_tickets.assign(sealed.begin(), sealed.end());
  return in.is_done() && greeting.lanes >= 1 && greeting.lanes <= kMaxLanes;
}

void write(SecretBuffer& out, const Verdict& verdict) {
  FrameWriter frame(out, FrameKind::verdict);
  frame.text(std::string_view{verdict.failure}.substr(0, kMaxVerdictBytes));
  frame.bytes(verdict.sealed_tickets);
}

bool read(FrameReader& in, Verdict& verdict) {
  verdict.failure = in.text(kMaxVerdictBytes);
  const Bytes sealed = in.bytes(kMaxSealedBytes);
  verdict.sealed_tickets.assign(sealed.begin(), sealed.end());
  return in.is_done();
}

void write_check(SecretBuffer& out, const ServiceTls& service) {
  FrameWriter frame(out, FrameKind::check);
  frame.u32(0);
  write_service(frame, service);
}

void write_configure(SecretBuffer& out, std::uint32_t index, const ServiceTls& service) {
  FrameWriter frame(out, FrameKind::configure);
  frame.u32(index);
  write_service(frame, service);
}

bool read_service(FrameReader& in, std::uint32_t& index, ServiceTls& s) {
  index = in.u32();
  s.name = in.text(kMaxNameBytes);
  const std::uint8_t flags = in.u8();
  s.allow_tls12 = (flags & 1) != 0;
  s.allow_tls13 = (flags & 2) != 0;
  s.require_known_name = (flags & 4) != 0;
  s.legacy_rsa_key_exchange = (flags & 8) != 0;
  s.client_auth = read_choice(in, ClientAuth::required);
  s.client_ca_pem = in.text(kMaxPemBytes);
  s.session_lifetime_s = in.u32();
  s.tickets = in.u32();
  const Bytes cookie_key = in.bytes(kMaxCookieKeyBytes);
  s.cookie_key.assign(cookie_key.begin(), cookie_key.end());
  for (std::size_t n = read_count(in); n > 0; --n) s.certificates.push_back(read_certificate_names(in));
  for (std::size_t n = read_count(in); n > 0; --n) s.protocols.push_back(in.text(kMaxNameBytes));
  for (std::size_t n = read_count(in); n > 0; --n) s.suites.push_back(in.u16());
  read_servers(in, s.servers);
  return in.is_done();
}

void write(SecretBuffer& out, std::uint32_t lane, const Request& request, Tick now) {
  FrameWriter frame(out, FrameKind::request);
  write_token(frame, lane, request.token);
  frame.u8(static_cast<std::uint8_t>(request.kind));
  frame.u32(request.service);
  frame.u64(request.deadline == kNever ? kNever.us : request.deadline - now);
  frame.raw(request.client.bytes);
  frame.text(request.protocol);
  frame.bytes(request.bytes);
  frame.u32(request.hello_bytes);
  frame.bytes(request.flight);
}

bool read(FrameReader& in, std::uint32_t& lane, Request& request, Tick now) {
  const bool is_lane_right = read_token(in, lane, request.token);
  request.kind = read_choice(in, Request::Kind::call);
  request.service = in.u32();
  const std::uint64_t left_us = in.u64();
  request.deadline = left_us > kNever.us - now.us ? kNever : now + left_us;
  const Bytes client = in.raw(request.client.bytes.size());
  std::copy(client.begin(), client.end(), request.client.bytes.begin());
  request.protocol = in.text(kMaxProtocolBytes);
  const Bytes records = in.bytes(kMaxRecordsBytes);
  request.bytes.assign(records.begin(), records.end());
  request.hello_bytes = in.u32();
  const Bytes flight = in.bytes(kMaxFlightBytes);
  request.flight.assign(flight.begin(), flight.end());
  const bool is_deferral_right = request.hello_bytes <= records.size() && (request.kind == Request::Kind::start_deferred) == !flight.empty();
  return is_lane_right && is_deferral_right && in.is_done();
}

void write(SecretBuffer& out, std::uint32_t lane, std::uint32_t taken, const Reply& reply) {
  FrameWriter frame(out, FrameKind::reply);
  write_token(frame, lane, reply.token);
  frame.u32(taken);
  frame.u8(static_cast<std::uint8_t>(reply.kind));
  frame.bytes(reply.bytes);
  frame.u32(reply.consumed_bytes);
  frame.u8(static_cast<std::uint8_t>(reply.failure));
  frame.u8(reply.alert);
  frame.text(std::string_view{reply.detail}.substr(0, kMaxNameBytes));
  if (reply.kind == Reply::Kind::established) write_established(frame, *reply.established);
}

bool read(FrameReader& in, std::uint32_t& lane, std::uint32_t& taken, Reply& reply) {
  const bool is_lane_right = read_token(in, lane, reply.token);
  taken = in.u32();
  reply.kind = read_choice(in, Reply::Kind::failed);
  const Bytes records = in.bytes(kMaxRecordsBytes);
  reply.bytes.assign(records.begin(), records.end());
  reply.consumed_bytes = in.u32();
  reply.failure = read_choice(in, static_cast<HandshakeFailure>(kHandshakeFailures - 1));
  reply.alert = in.u8();
  reply.detail = in.text(kMaxNameBytes);
  if (reply.kind == Reply::Kind::established) {
    reply.established = read_established(in);
    if (reply.established == nullptr) return false;
  }
  return is_lane_right && in.is_done();
}

void write_taken(SecretBuffer& out, std::uint32_t taken) { FrameWriter(out, FrameKind::taken).u32(taken); }

bool read_taken(FrameReader& in, std::uint32_t& taken) {
  taken = in.u32();
  return in.is_done();
}

}  // namespace cutwater::secure
