#include "hello/deferral.hpp"

#include <algorithm>

#include "hello/message_writer.hpp"
#include "record/hmac.hpp"

namespace cutwater::hello {
namespace {

constexpr std::uint16_t kTls12 = 0x0303, kTls13 = 0x0304, kFallback = 0x5600;  // TLS_FALLBACK_SCSV (RFC 7507): a processor's to judge
constexpr std::uint8_t kHandshakeRecord = 22, kServerHello = 2;
constexpr std::uint16_t kServerName = 0, kAlpn = 16, kExtendedMasterSecret = 23, kSessionTicket = 35, kRenegotiationInfo = 0xff01;
// The end of the random of a server that could do TLS 1.3. Source: RFC 9846, "Server Hello".
constexpr std::array<std::uint8_t, 8> kDowngrade{'D', 'O', 'W', 'N', 'G', 'R', 'D', 1};

bool is_tls12(const record::RsaFlights& flights, const ClientHello& hello) noexcept {
  return hello.offers(kTls12) && !(flights.allows_tls13 && hello.offers(kTls13));
}

// What the processors refuse, or answer in another way, is theirs.
bool is_plain(const ClientHello& hello) noexcept {
  return hello.has_extended_master_secret && hello.max_fragment_bytes == 0 && !hello.suites.contains(kFallback);
}

// Who lists signature schemes without one that our certificate can make is refused, though it makes none here.
bool knows_rsa(const U16List& schemes) noexcept {
  constexpr std::uint8_t kRsa = 1;
  if (schemes.empty()) return true;
  for (const std::uint16_t scheme : schemes) {
    const auto hash = static_cast<std::uint8_t>(scheme >> 8);
    if ((scheme & 0xff) == kRsa && hash >= 4 && hash <= 6) return true;  // rsa_pkcs1 with SHA-256, SHA-384, SHA-512
  }
  return false;
}

bool is_ours(const std::vector<std::uint16_t>& suites, const U16List& offered) noexcept {
  return std::any_of(suites.begin(), suites.end(), [&](std::uint16_t suite) { return offered.contains(suite); });
}

// Returns: false when a processor has to refuse, or there is no RSA key for that name.
bool choose_flight(const record::RsaFlights& flights, std::string_view name, Deferred& d) noexcept {
  const auto found = name.empty() ? std::nullopt : flights.find(name);
  if (!name.empty() && !found && flights.is_name_required) return false;
  d.is_named = found.has_value();
  d.flight = &flights.flights[found.value_or(0)];
  return !d.flight->records.empty();
}

bool choose_protocol(const record::RsaFlights& flights, const NameList& offered, Deferred& d) noexcept {
  if (flights.protocols.empty() || offered.empty()) return true;
  for (const std::string& protocol : flights.protocols) {
    if (!offered.contains(std::string_view(protocol))) continue;
    d.protocol = protocol;
    return true;
  }
  return false;
}

void write_empty(MessageWriter& w, std::uint16_t extension) noexcept {
  w.u16(extension);
  w.u16(0);
}

// In the order in which OpenSSL writes them.
void write_extensions(MessageWriter& w, const Deferred& d) noexcept {
  if (d.has_renegotiation_info) {
    w.u16(kRenegotiationInfo);
    w.u16(1);
    w.u8(0);
  }
  if (d.is_named) write_empty(w, kServerName);
  if (d.gets_ticket) write_empty(w, kSessionTicket);
  if (!d.protocol.empty()) {
    const auto bytes = static_cast<std::uint16_t>(d.protocol.size());
    w.u16(kAlpn);
    w.u16(static_cast<std::uint16_t>(bytes + 3));
    w.u16(static_cast<std::uint16_t>(bytes + 1));
    w.u8(static_cast<std::uint8_t>(bytes));
    w.bytes({reinterpret_cast<const std::uint8_t*>(d.protocol.data()), bytes});
  }
  write_empty(w, kExtendedMasterSecret);
}

}  // namespace

std::optional<Deferred> choose_deferral(const record::RsaFlights& flights, const ClientHello& hello) noexcept {
  Deferred d;
  if (!is_tls12(flights, hello) || !is_plain(hello) || !knows_rsa(hello.signature_schemes)) return {};
  if (!choose_flight(flights, hello.server_name, d) || is_ours(d.flight->rivals, hello.suites)) return {};
  const auto suite = std::find_if(flights.suites.begin(), flights.suites.end(), [&](std::uint16_t s) { return hello.suites.contains(s); });
  if (suite == flights.suites.end() || !choose_protocol(flights, hello.protocols, d)) return {};
  d.suite = *suite;
  d.gets_ticket = flights.gives_tickets && hello.has_session_ticket;
  d.gets_session_id = flights.gives_session_ids && !d.gets_ticket;
  d.tells_of_tls13 = flights.allows_tls13;
  d.has_renegotiation_info = hello.has_renegotiation_info;
  d.asks_certificate = flights.asks_certificate;
  return d;
}

ServerRandoms::ServerRandoms(Bytes secret, std::uint32_t worker) noexcept {
  std::array<std::uint8_t, 20> name{'s', 'e', 'r', 'v', 'e', 'r', ' ', 'r', 'a', 'n', 'd', 'o', 'm', 's'};
  store_be32(name.data() + 16, worker);
  key_.assign(record::hmac(record::Hash::sha256, secret, name).expose());
}

ServerRandoms::Pair ServerRandoms::next() noexcept {
  Pair pair;
  std::array<std::uint8_t, 9> name;
  store_be64(name.data(), count_++);
  for (const bool is_id : {false, true}) {
    name[8] = is_id;
    const record::Digest made = record::hmac(record::Hash::sha256, key_.expose(), name);
    std::copy_n(made.expose().begin(), kRandomBytes, is_id ? pair.session_id.begin() : pair.random.begin());
  }
  return pair;
}

std::size_t emit_server_hello(const Deferred& d, const ServerRandoms::Pair& randoms, std::uint8_t* out) noexcept {
  MessageWriter w(out);
  w.u8(kHandshakeRecord);
  w.u16(kTls12);
  std::uint8_t* record = w.skip(2);
  std::uint8_t* message = w.skip(4);
  w.u16(kTls12);
  const Bytes random = randoms.random;
  w.bytes(d.tells_of_tls13 ? random.first(kRandomBytes - kDowngrade.size()) : random);
  if (d.tells_of_tls13) w.bytes(kDowngrade);
  const Bytes id = d.gets_session_id ? Bytes{randoms.session_id} : Bytes{};
  w.u8(static_cast<std::uint8_t>(id.size()));
  w.bytes(id);
  w.u16(d.suite);
  w.u8(0);
  std::uint8_t* extensions = w.skip(2);
  write_extensions(w, d);
  store_be16(extensions, static_cast<std::uint16_t>(w.since(extensions) - 2));
  store_be32(message, static_cast<std::uint32_t>(w.since(message) - 4) | std::uint32_t{kServerHello} << 24);
  store_be16(record, static_cast<std::uint16_t>(w.since(record) - 2));
  return w.size();
}

}  // namespace cutwater::hello
