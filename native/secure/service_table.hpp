// The services' contexts by index, replaced while handshakes run; each handshake keeps the one it started with.
// Thread: any (one lock, held for a copy).
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "secure/service_context.hpp"

namespace cutwater::secure {

class ServiceTable {
 public:
  void put(std::uint32_t index, std::shared_ptr<const ServiceContext> context) {
    const std::lock_guard lock(mutex_);
    if (contexts_.size() <= index) contexts_.resize(index + 1U);
    contexts_[index].swap(context);  // the old one is released by the caller's argument, outside the lock's use
  }
  /// nullptr when nothing was put there.
  [[nodiscard]] std::shared_ptr<const ServiceContext> find(std::uint32_t index) const {
    const std::lock_guard lock(mutex_);
    return index < contexts_.size() ? contexts_[index] : nullptr;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<const ServiceContext>> contexts_;
};

}  // namespace cutwater::secure
