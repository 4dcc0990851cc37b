// The hand-off protocol between the dataplane and a secure processor in another place: what each frame says. Versioned by the
// first frame, every field bounded; what does not decode ends the connection. Times travel as what is left of them.
// The description is docs/secure-processors.md. Not here: frames (frame.hpp), sockets (frame_socket.hpp).
// Thread: any (pure functions). Implements: H4, H5.
#pragma once

#include "secure/frame.hpp"
#include "secure/job.hpp"
#include "secure/service_tls.hpp"

namespace cutwater::secure {

inline constexpr std::uint16_t kHandOffVersion = 2;
inline constexpr std::uint32_t kMaxLanes = 64;

/// The dataplane's first frame.
struct Greeting {
  std::uint16_t version = kHandOffVersion;
  std::uint32_t lanes = 1;           // workers
  std::uint32_t max_handshakes = 0;  // TLS objects alive at once
  std::string key_log_path = {};     // written by the processor, which has the secrets anyway
  std::vector<std::uint8_t> sealed_tickets = {};  // the last that a processor gave away; empty: it is the first
};
void write(SecretBuffer& out, const Greeting& greeting);
bool read(FrameReader& in, Greeting& greeting);

/// The processor's first frame, and its answer to options.
struct Verdict {
  std::string failure;                       // empty, or what is wrong
  std::vector<std::uint8_t> sealed_tickets;  // its ticket keys, for the processor that takes its place; empty: as before
};
void write(SecretBuffer& out, const Verdict& verdict);
bool read(FrameReader& in, Verdict& verdict);

/// Options of a service. Requires: no private key in them, only the names of key files.
void write_check(SecretBuffer& out, const ServiceTls& service);
void write_configure(SecretBuffer& out, std::uint32_t index, const ServiceTls& service);
bool read_service(FrameReader& in, std::uint32_t& index, ServiceTls& service);

/// A request of one worker. `now` is the writer's or reader's own clock.
void write(SecretBuffer& out, std::uint32_t lane, const Request& request, Tick now);
bool read(FrameReader& in, std::uint32_t& lane, Request& request, Tick now);

/// A reply for one worker; `taken` requests have been served since the last frame that said so.
void write(SecretBuffer& out, std::uint32_t lane, std::uint32_t taken, const Reply& reply);
bool read(FrameReader& in, std::uint32_t& lane, std::uint32_t& taken, Reply& reply);

void write_taken(SecretBuffer& out, std::uint32_t taken);
bool read_taken(FrameReader& in, std::uint32_t& taken);

}  // namespace cutwater::secure
