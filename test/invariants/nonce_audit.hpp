// The nonce auditor: every record that ever left, by the key and the number it was sealed under, with a hash of its ciphertext.
// A second ciphertext under the same two is the end of AES-GCM's promises, so it is the end of the run.
// It knows nothing of streams: a record at another place, or sent again, is judged alike. Thread: one run, one thread.
// Used by: record_reader. Proves: I3.
#pragma once

#include <map>
#include <utility>

#include "base/bytes.hpp"

namespace cutwater::invariants {

class NonceAudit {
 public:
  using Key = std::uint64_t;  // names a key and its IV

  /// Takes a record as it left. Returns: false when another ciphertext has left under the same key and number.
  [[nodiscard]] bool note(Key key, std::uint64_t number, Bytes ciphertext) {
    const auto [at, is_new] = sent_.try_emplace({key, number}, hash(ciphertext));
    return is_new || at->second == hash(ciphertext);
  }
  [[nodiscard]] std::size_t size() const noexcept { return sent_.size(); }
  /// Calls visit(key, number) for each record that left, until it returns false.
  template <class Visit>
  void each(Visit&& visit) const {
    for (const auto& [name, hashed] : sent_) {
      if (!visit(name.first, name.second)) return;
    }
  }

  /// FNV-1a. Nobody chooses ciphertexts to meet here.
  [[nodiscard]] static std::uint64_t hash(Bytes bytes) noexcept {
    std::uint64_t h = 0xcbf2'9ce4'8422'2325;
    for (const std::uint8_t byte : bytes) h = (h ^ byte) * 0x100'0000'01b3;
    return h;
  }

 private:
  std::map<std::pair<Key, std::uint64_t>, std::uint64_t> sent_;
};

}  // namespace cutwater::invariants
