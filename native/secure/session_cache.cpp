#include "secure/session_cache.hpp"

#include <algorithm>

#include "base/secret.hpp"

namespace cutwater::secure {

SessionCache::~SessionCache() {
  while (!order_.empty()) erase_oldest();
}

void SessionCache::insert(SSL_SESSION* session) {
  unsigned int id_bytes = 0;
  const unsigned char* id = SSL_SESSION_get_id(session, &id_bytes);
  const int der_bytes = i2d_SSL_SESSION(session, nullptr);
  if (id_bytes == 0 || der_bytes <= 0) return;
  Entry entry;
  entry.der.resize(static_cast<std::size_t>(der_bytes));
  unsigned char* end = entry.der.data();
  i2d_SSL_SESSION(session, &end);
  const long now_s = SSL_SESSION_get_time(session);
  entry.expires_s = now_s + SSL_SESSION_get_timeout(session);

  const std::lock_guard lock(mutex_);
  while (!order_.empty() && (sessions_.size() >= max_sessions_ || sessions_.at(order_.front()).expires_s < now_s)) {
    erase_oldest();
  }
  const Id key = to_id({id, id_bytes});
  if (sessions_.try_emplace(key, std::move(entry)).second) order_.push_back(key);
}

SessionPtr SessionCache::find(Bytes id) {
  if (id.empty() || id.size() > SSL_MAX_SSL_SESSION_ID_LENGTH) return nullptr;
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(to_id(id));
  if (found == sessions_.end()) return nullptr;
  const unsigned char* at = found->second.der.data();
  return SessionPtr{d2i_SSL_SESSION(nullptr, &at, static_cast<long>(found->second.der.size()))};
}

std::size_t SessionCache::size() {
  const std::lock_guard lock(mutex_);
  return sessions_.size();
}

std::size_t SessionCache::IdHash::operator()(const Id& id) const noexcept {
  // IDs are our own random bytes, so their first eight are a hash already.
  std::size_t hash;
  std::memcpy(&hash, id.data(), sizeof hash);
  return hash;
}

SessionCache::Id SessionCache::to_id(Bytes id) noexcept {
  Id key{};
  std::copy_n(id.begin(), std::min(id.size(), key.size()), key.begin());
  return key;
}

void SessionCache::erase_oldest() {
  const auto oldest = sessions_.find(order_.front());
  wipe(oldest->second.der.data(), oldest->second.der.size());
  sessions_.erase(oldest);
  order_.pop_front();
}

}  // namespace cutwater::secure
