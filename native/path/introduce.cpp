// A server that sees an address of our pool is told of its client by a PROXY header at the beginning of its stream. To the splice
// these are plaintext bytes that no record carries: custody owns them until the server has acknowledged them.
// Implements: A8.
#include "balance/proxy_header.hpp"
#include "path/state.hpp"

namespace cutwater::path {
namespace {

// The value of CN in a subject as RFC 2253 writes it ("CN=alice,O=…"). A name that needed escapes is left out: no server should
// have to guess, and a value that only looks like a name ("O=CN=alice") is none.
std::string_view common_name(std::string_view subject) noexcept {
  constexpr std::size_t kCutBytes = 512;  // secure/key_export.cpp cuts there: the last value may be a part
  if (subject.size() >= kCutBytes || subject.find('\\') != std::string_view::npos) return {};
  while (!subject.empty()) {
    const std::string_view part = subject.substr(0, subject.find_first_of(",+"));
    if (part.starts_with("CN=")) return part.substr(3);
    subject.remove_prefix(std::min(part.size() + 1, subject.size()));
  }
  return {};
}

}  // namespace

bool introduce(State& s, splice::Flow& f, const secure::Established& e) noexcept {
  const splice::Introduction how = f.route->policy.introduction;
  if (how == splice::Introduction::none) return true;
  const balance::ProxyTls tls{.version = e.suite->version == record::Version::tls13 ? "TLSv1.3" : "TLSv1.2",
                              .cipher = e.suite->name,
                              .protocol = e.protocol,
                              .server_name = e.server_name,
                              .client_name = common_name(e.client_subject),
                              .has_client_certificate = !e.client_subject.empty()};
  const splice::End& to = f.route->service;
  const auto header = balance::proxy_header({f.client.address, f.client.port}, {to.address, to.port},
                                            how == splice::Introduction::proxy_v2_tls ? &tls : nullptr);
  return splice::put_ahead(s.r, f, header);
}

bool introduce_untouched(State& s, splice::Flow& f) noexcept {
  if (f.route->policy.introduction == splice::Introduction::none) return true;
  const splice::End& to = f.route->service;
  return splice::put_ahead(s.r, f, balance::proxy_header({f.client.address, f.client.port}, {to.address, to.port}, nullptr));
}

}  // namespace cutwater::path
