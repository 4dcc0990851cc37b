// Who is let through, by rules of the operator: source prefix, name, protocol and fingerprint of a hello. The first rule that
// matches decides. Rates are token buckets of one source each, in a table of fixed size.
// Not here: retries and classes, which depend on load (path/hello.cpp). Thread: owning worker. Implements: H9; I5.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "base/siphash.hpp"
#include "base/tick.hpp"
#include "hello/client_hello.hpp"

namespace cutwater::hello {

struct TriageRule {
  enum class Action : std::uint8_t { allow, deny, limit };
  // What it is about: a part that is not set matches everything.
  IpAddress prefix = {};
  std::uint8_t prefix_bits = 0;  // of the mapped form: an IPv4 /24 has 120
  std::string name = {};         // lower case; "*.example.com" covers one label
  std::string protocol = {};
  std::string fingerprint = {};  // JA4
  Action action = Action::allow;
  std::uint32_t per_second = 0, burst = 0;  // limit: hellos of one source (an IPv4 address, an IPv6 /64)
};

enum class TriageVerdict : std::uint8_t { pass, deny, too_many };

class Triage {
 public:
  explicit Triage(const SipKey& key);

  /// Cost: a walk over the rules; a fingerprint only where a rule names one.
  TriageVerdict judge(const std::vector<TriageRule>& rules, const ClientHello& hello, const IpAddress& source, std::uint32_t service,
                      Tick now) noexcept;

 private:
  static constexpr std::size_t kSets = 2048, kWays = 4;
  struct Bucket {
    std::uint64_t key = 0;     // 0: never used
    std::uint64_t full_at_us = 0;  // when it will be full again: all a token bucket has to know
  };
  bool take_token(const TriageRule& rule, std::uint64_t key, Tick now) noexcept;
  [[nodiscard]] std::uint64_t key_of(const IpAddress& source, std::uint32_t service, std::size_t rule) const noexcept;

  SipKey key_;
  std::unique_ptr<std::array<Bucket, kWays>[]> sets_;
};

}  // namespace cutwater::hello
