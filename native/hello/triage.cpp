#include "hello/triage.hpp"

#include <algorithm>
#include <optional>

#include "base/host_name.hpp"
#include "hello/fingerprint.hpp"

namespace cutwater::hello {
namespace {

bool has_prefix(const IpAddress& address, const IpAddress& prefix, std::uint8_t bits) noexcept {
  const std::size_t whole = bits / 8;
  if (!std::equal(prefix.bytes.begin(), prefix.bytes.begin() + static_cast<std::ptrdiff_t>(whole), address.bytes.begin())) return false;
  const auto mask = static_cast<std::uint8_t>(0xff00 >> (bits % 8));
  return bits % 8 == 0 || ((address.bytes[whole] ^ prefix.bytes[whole]) & mask) == 0;
}

/// One hello, and its fingerprint once somebody has asked for it.
class Subject {
 public:
  Subject(const ClientHello& hello, const IpAddress& source) noexcept : hello_(hello), source_(source) {}
  bool matches(const TriageRule& rule) noexcept {
    return (rule.prefix_bits == 0 || has_prefix(source_, rule.prefix, rule.prefix_bits)) &&
           (rule.name.empty() || matches_host_name(hello_.server_name, rule.name)) &&
           (rule.protocol.empty() || hello_.protocols.contains(std::string_view(rule.protocol))) &&
           (rule.fingerprint.empty() || fingerprint() == rule.fingerprint);
  }

 private:
  std::string_view fingerprint() noexcept {
    if (!fingerprint_) fingerprint_ = ja4(hello_);
    return to_string(*fingerprint_);
  }
  const ClientHello& hello_;
  const IpAddress& source_;
  std::optional<Ja4> fingerprint_;
};

}  // namespace

Triage::Triage(const SipKey& key) : key_(key), sets_(std::make_unique<std::array<Bucket, kWays>[]>(kSets)) {}

// An IPv6 client has a /64 to itself: its addresses are one source.
std::uint64_t Triage::key_of(const IpAddress& source, std::uint32_t service, std::size_t rule) const noexcept {
  std::array<std::uint8_t, 24> in{};
  std::copy_n(source.bytes.begin(), source.is_v4() ? 16 : 8, in.begin());
  store_be32(in.data() + 16, service);
  store_be32(in.data() + 20, static_cast<std::uint32_t>(rule));
  return siphash(key_, in) | 1;
}

bool Triage::take_token(const TriageRule& rule, std::uint64_t key, Tick now) noexcept {
  const std::uint64_t token_us = 1'000'000 / std::max(rule.per_second, 1U);
  std::array<Bucket, kWays>& set = sets_[(key >> 32) % kSets];
  auto bucket = std::find_if(set.begin(), set.end(), [&](const Bucket& b) { return b.key == key; });
  if (bucket == set.end()) {  // the fullest gives way: it says least
    bucket = std::min_element(set.begin(), set.end(), [](const Bucket& a, const Bucket& b) { return a.full_at_us < b.full_at_us; });
    *bucket = {key, now.us};
  }
  const std::uint64_t full_at_us = std::max(bucket->full_at_us, now.us) + token_us;
  if (full_at_us - now.us > token_us * std::max(rule.burst, 1U)) return false;
  bucket->full_at_us = full_at_us;
  return true;
}

TriageVerdict Triage::judge(const std::vector<TriageRule>& rules, const ClientHello& hello, const IpAddress& source, std::uint32_t service,
                            Tick now) noexcept {
  Subject subject(hello, source);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const TriageRule& rule = rules[i];
    if (!subject.matches(rule)) continue;
    switch (rule.action) {
      case TriageRule::Action::allow: return TriageVerdict::pass;
      case TriageRule::Action::deny: return TriageVerdict::deny;
      case TriageRule::Action::limit:
        return take_token(rule, key_of(source, service, i), now) ? TriageVerdict::pass : TriageVerdict::too_many;
    }
  }
  return TriageVerdict::pass;
}

}  // namespace cutwater::hello
