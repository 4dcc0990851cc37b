// A record with room around its fragment, and keys to seal it with: what the tests of record/ start from.
#pragma once

#include <algorithm>
#include <random>
#include <vector>

#include "record/aead.hpp"

namespace cutwater::support {

/// Bytes laid out as Aead::seal wants them.
class RecordRoom {
 public:
  RecordRoom(const record::Suite& suite, Bytes fragment)
      : suite_(suite), fragment_bytes_(fragment.size()), bytes_(suite.overhead_bytes() + fragment.size()) {
    std::copy(fragment.begin(), fragment.end(), this->fragment());
  }
  [[nodiscard]] std::uint8_t* fragment() { return bytes_.data() + suite_.front_bytes(); }
  [[nodiscard]] std::size_t fragment_bytes() const { return fragment_bytes_; }
  [[nodiscard]] std::vector<std::uint8_t>& bytes() { return bytes_; }

 private:
  const record::Suite& suite_;
  std::size_t fragment_bytes_;
  std::vector<std::uint8_t> bytes_;
};

inline std::vector<std::uint8_t> random_bytes(std::mt19937_64& random, std::size_t n) {
  std::vector<std::uint8_t> bytes(n);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

inline record::TrafficKeys random_keys(std::mt19937_64& random) {
  record::TrafficKeys keys;
  for (auto& byte : keys.key) byte = static_cast<std::uint8_t>(random());
  for (auto& byte : keys.iv) byte = static_cast<std::uint8_t>(random());
  return keys;
}

/// Seals into a vector. Empty when sealing failed.
inline std::vector<std::uint8_t> sealed(const record::Aead& aead, const record::ExpandedKey& key, const record::TrafficKeys& keys,
                                        std::uint64_t number, record::ContentType type, Bytes fragment) {
  RecordRoom room{*key.suite, fragment};
  const std::size_t bytes = aead.seal(key, keys, number, type, room.fragment(), room.fragment_bytes());
  return bytes == room.bytes().size() ? room.bytes() : std::vector<std::uint8_t>{};
}

/// The backends that run here: at least OpenSSL.
inline std::vector<const record::Aead*> backends() {
  std::vector<const record::Aead*> found;
  for (const auto* name : {"ipsec-mb", "openssl"}) {
    if (const auto* aead = record::find_aead(name)) found.push_back(aead);
  }
  return found;
}

}  // namespace cutwater::support
