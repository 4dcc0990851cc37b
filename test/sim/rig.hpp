// What is dear to make and the same in every run: TLS contexts, the server's certificate, secure processors, packet memory.
// Thread: one. Used by: run, path_device, reference_device.
#pragma once

#include <memory>
#include <string>

#include "sim/device.hpp"
#include "sim/seeded_openssl.hpp"
#include "sim/tls_client.hpp"
#include "sim/tls_server.hpp"

namespace cutwater::sim {

struct Credentials {
  std::string certificate_pem, key_pem;
};
/// An ECDSA P-256 key and a certificate for sim.example, always the same.
Credentials make_credentials();

enum class DeviceKind : std::uint8_t { router, reference, path };

/// Makes the device of a run. One factory per process: it owns what devices share.
class DeviceFactory {
 public:
  virtual ~DeviceFactory() = default;
  virtual std::unique_ptr<Device> make(const Scenario& scenario, const Profile& profile, Timeline& timeline, Random random) = 0;
};

std::unique_ptr<DeviceFactory> make_router_factory();
std::unique_ptr<DeviceFactory> make_reference_factory(const Credentials& credentials);
std::unique_ptr<DeviceFactory> make_path_factory(const Credentials& credentials);

struct Rig {
  explicit Rig(DeviceKind kind);
  SeededOpenssl randomness{1};
  Credentials credentials;
  TlsClientContexts contexts;
  TlsServerContexts server_contexts;
  std::unique_ptr<DeviceFactory> devices;
};

}  // namespace cutwater::sim
