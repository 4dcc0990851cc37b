// Objects that come and go with what a flow is doing. Grows to its high-water mark and never past its cap; what was given
// back is used again, so steady traffic allocates nothing.
// Thread: owning worker.
#pragma once

#include <memory>
#include <vector>

namespace cutwater {

template <class T>
class ObjectPool {
 public:
  explicit ObjectPool(std::size_t cap) : cap_(cap) {}
  /// Returns: an object as its last user left it (callers start it), or nullptr at the cap.
  T* take() noexcept {
    if (!free_.empty()) {
      T* object = free_.back();
      free_.pop_back();
      return object;
    }
    if (all_.size() == cap_) return nullptr;
    all_.push_back(std::make_unique<T>());
    free_.reserve(all_.capacity());
    return all_.back().get();
  }
  void put(T* object) noexcept { free_.push_back(object); }
  [[nodiscard]] std::size_t in_use() const noexcept { return all_.size() - free_.size(); }

 private:
  std::size_t cap_;
  std::vector<std::unique_ptr<T>> all_;
  std::vector<T*> free_;
};

}  // namespace cutwater
