// TLS 1.2 sessions by session ID, for clients without tickets: serialised, bounded, shared by services and threads.
// Not here: whether a session fits a service (OpenSSL compares the session ID context). Thread: any (one lock).
// Implements: H6, H8.
#pragma once

#include <array>
#include <deque>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/bytes.hpp"
#include "secure/openssl_ptr.hpp"

namespace cutwater::secure {

class SessionCache {
 public:
  explicit SessionCache(std::size_t max_sessions = 20'480) : max_sessions_(max_sessions) {}
  ~SessionCache();

  /// Keeps a session; the oldest gives way at the cap, and so does whatever has expired at the old end.
  void insert(SSL_SESSION* session);
  /// Returns: a session of its own for the caller, or nullptr.
  SessionPtr find(Bytes id);
  [[nodiscard]] std::size_t size();

 private:
  using Id = std::array<std::uint8_t, SSL_MAX_SSL_SESSION_ID_LENGTH>;
  struct IdHash {
    std::size_t operator()(const Id& id) const noexcept;
  };
  struct Entry {
    std::vector<std::uint8_t> der;  // holds the master secret: wiped before it goes
    long expires_s = 0;
  };
  static Id to_id(Bytes id) noexcept;
  void erase_oldest();

  std::size_t max_sessions_;
  std::mutex mutex_;  // guards what follows
  std::unordered_map<Id, Entry, IdHash> sessions_;
  std::deque<Id> order_;  // oldest first; as long as sessions_
};

}  // namespace cutwater::secure
