// Addresses that finished a handshake lately: under pressure their hellos are served before those of strangers. A table of fixed
// size; who is forgotten waits in line like anybody.
// Thread: owning worker. Implements: H9; I5.
#pragma once

#include <memory>

#include "base/ip_address.hpp"
#include "base/siphash.hpp"
#include "base/tick.hpp"

namespace cutwater::hello {

class KnownClients {
 public:
  explicit KnownClients(const SipKey& key) : key_(key), entries_(std::make_unique<Entry[]>(kEntries)) {}
  void insert(const IpAddress& client, Tick now) noexcept {
    const std::uint64_t hash = siphash(key_, client.bytes);
    entries_[hash % kEntries] = {static_cast<std::uint32_t>(hash >> 32) | 1, to_s(now)};
  }
  [[nodiscard]] bool contains(const IpAddress& client, Tick now) const noexcept {
    const std::uint64_t hash = siphash(key_, client.bytes);
    const Entry& entry = entries_[hash % kEntries];
    return entry.tag == (static_cast<std::uint32_t>(hash >> 32) | 1) && to_s(now) - entry.seen_s <= kRememberedS;
  }

 private:
  static constexpr std::size_t kEntries = 65'536;
  static constexpr std::uint32_t kRememberedS = 3'600;
  struct Entry {
    std::uint32_t tag = 0, seen_s = 0;  // tag 0: nobody
  };
  static std::uint32_t to_s(Tick t) noexcept { return static_cast<std::uint32_t>(t.us / 1'000'000); }
  SipKey key_;
  std::unique_ptr<Entry[]> entries_;
};

}  // namespace cutwater::hello
