// SYN cookies that have opened a connection: each opens one. A client that did not hear how its connection ended sends what it has
// sent before, and within the cookie's life that would be a first segment again: another connection, perhaps to another server, of
// which the client believes that it is the old one, and whose bytes would stand behind the old one's. So such a segment is refused
// (RFC 9293 3.10.7.1).
// Remembers the newest: a place for each hash, the newer displaces the older. Thread: owning worker. Implements: A9.
#pragma once

#include <array>
#include <vector>

#include "base/siphash.hpp"
#include "wire/tcp.hpp"

namespace cutwater::path {

class SpentCookies {
 public:
  explicit SpentCookies(const SipKey& key) : key_(key), tags_(kPlaces) {}

  [[nodiscard]] bool has(const wire::Segment& first) const noexcept {
    const std::uint64_t h = hash(first);
    return tags_[h % kPlaces] == tag(h);
  }
  void add(const wire::Segment& first) noexcept {
    const std::uint64_t h = hash(first);
    tags_[h % kPlaces] = tag(h);
  }

 private:
  static constexpr std::size_t kPlaces = 65'536;  // 256 kB a worker: several seconds of the most connections one opens
  static std::uint32_t tag(std::uint64_t h) noexcept { return static_cast<std::uint32_t>(h >> 32) | 1; }  // 0: nothing there
  /// Of what tells one connection from all others: its ends, and both first numbers, of which one is the cookie.
  [[nodiscard]] std::uint64_t hash(const wire::Segment& s) const noexcept {
    std::array<std::uint8_t, 16 + 16 + 4 + 8> in;
    std::memcpy(in.data(), s.source.bytes.data(), 16);
    std::memcpy(in.data() + 16, s.destination.bytes.data(), 16);
    store_be16(in.data() + 32, s.source_port);
    store_be16(in.data() + 34, s.destination_port);
    store_be32(in.data() + 36, s.seq.value);
    store_be32(in.data() + 40, s.ack.value);
    return siphash(key_, in);
  }

  SipKey key_;
  std::vector<std::uint32_t> tags_;
};

}  // namespace cutwater::path
