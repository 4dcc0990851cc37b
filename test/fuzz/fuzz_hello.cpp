// Any bytes as a ClientHello: no fault, no view outside the message, and fingerprints for whatever is accepted.
#include <cstdlib>

#include "hello/client_hello.hpp"
#include "hello/fingerprint.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::hello;

volatile std::uint8_t sink;  // keeps reads

void touch(Bytes bytes) {
  for (const std::uint8_t byte : bytes) sink = byte;
}

void touch(std::string_view text) {
  for (const char c : text) sink = static_cast<std::uint8_t>(c);
}

void check_lists(const ClientHello& hello) {
  std::size_t extensions = 0;
  for (const Extension extension : hello.extensions) {
    touch(extension.body);
    ++extensions;
  }
  if (extensions != hello.extension_count || extensions > kMaxExtensions) std::abort();
  for (const KeyShare share : hello.key_shares) touch(share.key);
  for (const PskIdentity psk : hello.psk_identities) touch(psk.identity);
  for (const std::string_view protocol : hello.protocols) {
    if (protocol.empty()) std::abort();
    touch(protocol);
  }
  for (const std::uint16_t group : hello.groups) sink = static_cast<std::uint8_t>(group);
  for (const std::uint16_t scheme : hello.signature_schemes) sink = static_cast<std::uint8_t>(scheme);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // A copy of exactly this size, so that the sanitizer sees a read past its end.
  std::uint8_t* copy = static_cast<std::uint8_t*>(std::malloc(size == 0 ? 1 : size));
  if (size != 0) std::memcpy(copy, data, size);
  const auto parsed = parse_client_hello({copy, size});
  if (parsed) {
    if (message_bytes({copy, size}) != size) std::abort();
    touch(parsed->random);
    touch(parsed->session_id);
    touch(parsed->server_name);
    touch(parsed->cookie);
    touch(parsed->session_ticket);
    touch(parsed->psk_binders);
    touch(parsed->psk_modes);
    touch(parsed->encrypted_hello);
    check_lists(*parsed);
    sink = static_cast<std::uint8_t>(parsed->offers(0x0304));
    touch(to_string(ja3(*parsed)));
    touch(to_string(ja4(*parsed)));
  } else {
    touch(to_string(parsed.error()));
    if (alert_for(parsed.error()) == 0) std::abort();
  }
  std::free(copy);
  return 0;
}
