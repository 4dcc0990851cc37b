// Facts about this build. The only file that asks libraries for their versions.
#include <bpf/libbpf.h>
#include <openssl/crypto.h>

#include "engine/engine.hpp"
#include "record/aead.hpp"

namespace cutwater::engine {

BuildInfo build_info() {
  return {.version = CUTWATER_VERSION,
          .openssl = OpenSSL_version(OPENSSL_VERSION),
          .ipsec_mb = record::find_aead("ipsec-mb") != nullptr ? "built in" : "absent",
          .libxdp = "libbpf " + std::to_string(libbpf_major_version()) + "." + std::to_string(libbpf_minor_version()),
          .compiler = __VERSION__};
}

}  // namespace cutwater::engine
