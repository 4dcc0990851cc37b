// I3: the nonce auditor bites. Two splices are broken where it hurts: at the sealing itself, with real keys and real records.
#include <doctest/doctest.h>

#include <cstring>
#include <map>

#include "invariants/broken_device.hpp"
#include "invariants/nonce_audit.hpp"

using namespace cutwater;

namespace {

const record::Aead& real() { return record::default_aead(); }

/// Every fifth record goes out under the number of the one before it.
std::size_t seal_under_a_used_number(const record::ExpandedKey& key, const record::TrafficKeys& keys, std::uint64_t number, record::ContentType type,
                                     std::uint8_t* fragment, std::size_t bytes) noexcept {
  return real().seal(key, keys, number % 5 == 4 ? number - 1 : number, type, fragment, bytes);
}

/// Shows the splice the first tag of a number whatever is sealed: as if nobody compared tags before a record is sent again.
std::size_t seal_with_the_first_tag(const record::ExpandedKey& key, const record::TrafficKeys& keys, std::uint64_t number, record::ContentType type,
                                    std::uint8_t* fragment, std::size_t bytes) noexcept {
  using Tag = std::array<std::uint8_t, record::kTagBytes>;
  static std::map<std::pair<std::uint64_t, std::uint64_t>, Tag> first;
  const std::size_t sealed = real().seal(key, keys, number, type, fragment, bytes);
  if (sealed == 0) return 0;
  std::uint8_t* const tag = fragment - key.suite->front_bytes() + sealed - record::kTagBytes;
  Tag now;
  std::memcpy(now.data(), tag, now.size());
  const auto [at, is_new] = first.try_emplace({invariants::NonceAudit::hash(keys.key), number}, now);
  if (!is_new) std::memcpy(tag, at->second.data(), at->second.size());
  return sealed;
}

/// `about`: what the finding begins with, to tell the two legs of a service whose servers speak TLS.
bool finds_i3(const record::Aead& broken, sim::Profile profile, std::string_view about = {}) {
  constexpr std::uint64_t kSeeds = 40;
  profile.trouble.aead = &broken;
  sim::Rig rig{sim::DeviceKind::path};
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const auto result = sim::run(rig, {.seed = seed, .profile = &profile, .wrap = {}});
    for (const auto& f : result.findings.list()) {
      if (f.invariant == "I3" && f.what.starts_with(about)) return true;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("I3: a splice that seals two records under one number is caught, and called by that name") {
  record::Aead broken = real();
  broken.seal = seal_under_a_used_number;
  CHECK(finds_i3(broken, *sim::find_profile("clean")));
}

TEST_CASE("I3: so is one that does it towards a server that speaks TLS") {
  record::Aead broken = real();
  broken.seal = seal_under_a_used_number;
  CHECK(finds_i3(broken, *sim::find_profile("far"), "towards the server: I3"));
}

TEST_CASE("I3: a splice that does not compare tags before it seals changed bytes again is caught") {
  record::Aead broken = real();
  broken.seal = seal_with_the_first_tag;
  CHECK(finds_i3(broken, *sim::find_profile("copies-behind-server")));
}

TEST_CASE("I3: the auditor's table: one ciphertext for a key and number, as often as it is sent; a second one never") {
  invariants::NonceAudit audit;
  const std::array<std::uint8_t, 3> one{1, 2, 3}, other{1, 2, 4};
  CHECK(audit.note(7, 0, one));
  CHECK(audit.note(7, 0, one));
  CHECK(audit.note(7, 1, other));
  CHECK(audit.note(8, 0, other));
  CHECK_FALSE(audit.note(7, 0, other));
  CHECK(audit.size() == 3);
}
