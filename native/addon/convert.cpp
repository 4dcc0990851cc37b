// From JavaScript: contract.ts, NativeConfig and NativeService. The way back is to_js.cpp.
#include "addon/convert.hpp"

#include <arpa/inet.h>

#include "addon/field.hpp"
#include "base/secret.hpp"

namespace cutwater::addon {

namespace {

using engine::Endpoint;
using engine::EngineConfig;
using engine::InterfaceConfig;
using engine::ServerConfig;
using engine::ServiceConfig;

IpAddress to_address(const Field& field) {
  const std::string text = field.text();
  std::array<std::uint8_t, 16> bytes{};
  if (inet_pton(AF_INET, text.c_str(), bytes.data()) == 1) return IpAddress::from_v4(bytes.data());
  if (inet_pton(AF_INET6, text.c_str(), bytes.data()) == 1) return IpAddress::from_v6(bytes.data());
  field.refuse("expected an IP address");
  return {};
}

Endpoint to_endpoint(const Field& field) {
  return {.address = to_address(field["address"]), .port = field["port"].integer<std::uint16_t>()};
}

InterfaceConfig to_interface(const Field& field) {
  return {.name = field["name"].text(),
          .device = field["device"].text(),
          .kind = field["port"].choice<engine::PortKind>(
              {{"xsk", engine::PortKind::xsk}, {"packet", engine::PortKind::packet}}),
          .attach = field["attach"].text(),
          .copy = field["copy"].text(),
          .vlan = field["vlan"].integer<std::uint16_t>()};
}

ServerConfig to_server(const Field& field) {
  return {.name = field["name"].text(),
          .endpoint = to_endpoint(field),
          .weight = field["weight"].integer<std::uint32_t>(),
          .max_sessions = field["maxSessions"].integer<std::uint32_t>()};
}

SipKey to_hash_key(const Field& field) {
  const std::string bytes = field.bytes();
  if (bytes.size() != 16) {
    field.refuse("expected 16 bytes");
    return {};
  }
  const auto* p = reinterpret_cast<const std::uint8_t*>(bytes.data());
  return {load_be64(p), load_be64(p + 8)};
}

balance::Rule to_choice(const Field& field) {
  return {.algorithm = field["algorithm"].choice<balance::Algorithm>({{"least-sessions", balance::Algorithm::least_sessions},
                                                                      {"round-robin", balance::Algorithm::round_robin},
                                                                      {"two-choices", balance::Algorithm::two_choices},
                                                                      {"consistent-hash", balance::Algorithm::consistent_hash}}),
          .hash_on = field["hash"].choice<balance::HashOn>(
              {{"address-and-port", balance::HashOn::address_and_port}, {"address", balance::HashOn::address}}),
          .hash_key = to_hash_key(field["hashKey"]),
          .slow_start_us = field["slowStartMs"].integer<std::uint64_t>() * 1000,
          .passive = {.failures = field["failures"].integer<std::uint32_t>(),
                      .shun_us = field["shunForMs"].integer<std::uint64_t>() * 1000}};
}

secure::CertificatePem to_certificate(const Field& field) {
  return {.name = field["name"].text(),
          .chain_pem = field["chain"].bytes(),
          .key_pem = field["key"].bytes(),
          .key_name = field["keyName"].text()};
}

std::optional<secure::ServerTls> to_server_tls(const Field& field) {
  if (!field["isUsed"].boolean()) return std::nullopt;
  return secure::ServerTls{.allow_tls12 = field["allowTls12"].boolean(),
                           .allow_tls13 = field["allowTls13"].boolean(),
                           .verify = field["verify"].choice<secure::ServerVerify>(
                               {{"full", secure::ServerVerify::full}, {"none", secure::ServerVerify::none}}),
                           .name = field["name"].text(),
                           .ca_pem = field["ca"].bytes(),
                           .certificate = field["certificates"].list(to_certificate)};
}

secure::ServiceTls to_tls(const Field& field, const std::string& service) {
  return {.name = service,
          .allow_tls12 = field["allowTls12"].boolean(),
          .allow_tls13 = field["allowTls13"].boolean(),
          .certificates = field["certificates"].list(to_certificate),
          .protocols = field["protocols"].list([](const Field& item) { return item.text(); }),
          .suites = field["suites"].list([](const Field& item) { return item.integer<std::uint16_t>(); }),
          .client_auth = field["clientAuth"].choice<secure::ClientAuth>({{"none", secure::ClientAuth::none},
                                                                         {"optional", secure::ClientAuth::optional},
                                                                         {"required", secure::ClientAuth::required}}),
          .client_ca_pem = field["clientCa"].bytes(),
          .require_known_name = field["requireKnownName"].boolean(),
          .session_lifetime_s = field["sessionLifetimeS"].integer<std::uint32_t>(),
          .tickets = field["tickets"].integer<std::uint32_t>(),
          .legacy_rsa_key_exchange = field["legacyRsaKeyExchange"].boolean(),
          .servers = to_server_tls(field["servers"])};
}

hello::TriageRule to_rule(const Field& field) {
  using Action = hello::TriageRule::Action;
  hello::TriageRule rule;
  rule.prefix_bits = field["prefixBits"].integer<std::uint8_t>();
  if (rule.prefix_bits != 0) rule.prefix = to_address(field["prefix"]);
  rule.name = field["name"].text();
  rule.protocol = field["protocol"].text();
  rule.fingerprint = field["fingerprint"].text();
  rule.action = field["action"].choice<Action>({{"allow", Action::allow}, {"deny", Action::deny}, {"limit", Action::limit}});
  rule.per_second = field["perSecond"].integer<std::uint32_t>();
  rule.burst = field["burst"].integer<std::uint32_t>();
  return rule;
}

path::HelloRules to_hello(const Field& field) {
  return {.retry = field["retry"].choice<path::Retry>(
              {{"never", path::Retry::never}, {"auto", path::Retry::automatic}, {"always", path::Retry::always}}),
          .profile = {},
          .rules = field["rules"].list(to_rule),
          .queue_timeout_ms = field["queueTimeoutMs"].integer<std::uint32_t>()};
}

http::FieldMatch to_field_match(const Field& field) {
  http::FieldMatch match{.name = field["name"].text()};
  if (field["hasValue"].boolean()) match.value = field["value"].text();
  return match;
}

path::RouteRule to_route(const Field& field) {
  return {.sni = field["sni"].text(),
          .alpn = field["alpn"].text(),
          .request = {.methods = field["methods"].list([](const Field& item) { return item.text(); }),
                      .host = field["host"].text(),
                      .path = field["path"].text(),
                      .is_path_exact = field["isPathExact"].boolean(),
                      .header = to_field_match(field["header"]),
                      .cookie = to_field_match(field["cookie"])},
          .servers = field["servers"].list([](const Field& item) { return item.integer<std::uint32_t>(); })};
}

ServiceConfig to_service(const Field& field) {
  std::string name = field["name"].text();
  const auto handling = field["handling"].choice<engine::Handling>(
      {{"open", engine::Handling::open}, {"pass", engine::Handling::pass}, {"pass-tls", engine::Handling::pass_tls}});
  auto tls = handling == engine::Handling::open ? to_tls(field["tls"], name) : secure::ServiceTls{};
  return {.name = std::move(name),
          .mode = field["mode"].choice<engine::Mode>(
              {{"direct", engine::Mode::direct}, {"balance", engine::Mode::balance}, {"proxy", engine::Mode::proxy}}),
          .client_interface = field["clientInterface"].integer<std::uint32_t>(),
          .server_interface = field["serverInterface"].integer<std::uint32_t>(),
          .listen = to_endpoint(field["listen"]),
          .servers = field["servers"].list(to_server),
          .rule = to_choice(field["balance"]),
          .http = {.is_read = field["http"]["isRead"].boolean(),
                   .is_forwarded = field["http"]["isForwarded"].boolean(),
                   .max_head_bytes = field["http"]["maxHeadBytes"].integer<std::uint32_t>()},
          .routes = field["routes"].list(to_route),
          .pool = field["balance"]["pool"].list(to_address),
          .proxy_protocol = field["balance"]["proxyProtocol"].choice<engine::ProxyProtocol>(
              {{"none", engine::ProxyProtocol::none}, {"v2", engine::ProxyProtocol::v2}, {"v2-tls", engine::ProxyProtocol::v2_tls}}),
          .announce = field["balance"]["announce"].choice<engine::Announce>(
              {{"auto", engine::Announce::yes}, {"never", engine::Announce::no}}),
          .drain_limit_ms = field["balance"]["drainLimitMs"].integer<std::uint32_t>(),
          .handling = handling,
          .tls = std::move(tls),
          .truncation = field["truncation"].choice<engine::Truncation>(
              {{"reset", engine::Truncation::reset}, {"forward", engine::Truncation::forward}}),
          .server_truncation = field["serverTruncation"].choice<engine::Truncation>(
              {{"reset", engine::Truncation::reset}, {"forward", engine::Truncation::forward}}),
          .release = field["release"].choice<engine::Release>(
              {{"whole-record", engine::Release::whole_record}, {"streaming", engine::Release::streaming}}),
          .custody_congestion = field["custodyCongestion"].choice<splice::CongestionControl>(
              {{"cubic", splice::CongestionControl::cubic}, {"bbr", splice::CongestionControl::bbr}}),
          .idle_timeout_ms = field["idleTimeoutMs"].integer<std::uint32_t>(),
          .handshake_timeout_ms = field["handshakeTimeoutMs"].integer<std::uint32_t>(),
          .rekey_after_records = field["rekeyAfterRecords"].integer<std::uint64_t>(),
          .hello = to_hello(field["hello"])};
}

EngineConfig to_config(const Field& field) {
  return {.interfaces = field["interfaces"].list(to_interface),
          .services = field["services"].list(to_service),
          .workers = field["workers"].integer<std::uint32_t>(),
          .first_cpu = field["firstCpu"].integer<int>(),
          .secure_threads = field["secureThreads"].integer<std::uint32_t>(),
          .secure_place = field["securePlace"].choice<secure::Place>(
              {{"thread", secure::Place::thread}, {"process", secure::Place::process}}),
          .secure_program = field["secureProgram"].text(),
          .secure_arguments = field["secureArguments"].list([](const Field& word) { return word.text(); }),
          .max_flows = field["maxFlows"].integer<std::uint32_t>(),
          .max_half_open = field["maxHalfOpen"].integer<std::uint32_t>(),
          .max_handshakes = field["maxHandshakes"].integer<std::uint32_t>(),
          .chunks = field["chunks"].integer<std::uint32_t>(),
          .busy_poll_us = field["busyPollUs"].integer<std::uint32_t>(),
          .aead = field["aead"].text(),
          .key_log_path = field["keyLogPath"].text()};
}

/// A service points at its interfaces by index; an index behind the end must not reach the engine.
void check_interfaces(const EngineConfig& config, std::string& failure) {
  for (const auto& service : config.services) {
    if (service.client_interface < config.interfaces.size() && service.server_interface < config.interfaces.size()) continue;
    if (failure.empty()) failure = "services." + service.name + ": names an interface that is not there";
  }
}

Failure<engine::Error> invalid(std::string message) {
  return {engine::Error{engine::ErrorCode::config_invalid, std::move(message)}};
}

}  // namespace

Result<EngineConfig, engine::Error> to_engine_config(Napi::Value value) {
  std::string failure;
  auto config = to_config(Field{value, "", failure});
  if (failure.empty()) check_interfaces(config, failure);
  if (!failure.empty()) return invalid(std::move(failure));
  return config;
}

Result<std::vector<ServiceConfig>, engine::Error> to_services(Napi::Value value) {
  std::string failure;
  auto services = Field{value, "services", failure}.list(to_service);
  if (!failure.empty()) return invalid(std::move(failure));
  return services;
}

void wipe_keys(secure::ServiceTls& tls) noexcept {
  tls.each_certificate([](secure::CertificatePem& certificate) { wipe(certificate.key_pem.data(), certificate.key_pem.size()); });
}

}  // namespace cutwater::addon
