#include "support/native/allocations.hpp"

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define CUTWATER_OWN_MALLOC 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define CUTWATER_OWN_MALLOC 0
#endif
#endif
#ifndef CUTWATER_OWN_MALLOC
#define CUTWATER_OWN_MALLOC 1
#endif

namespace {
thread_local std::uint64_t count = 0;
}

#if CUTWATER_OWN_MALLOC
// glibc's own entry points; free() stays glibc's.
extern "C" {
void* __libc_malloc(std::size_t bytes);
void* __libc_calloc(std::size_t n, std::size_t bytes);
void* __libc_realloc(void* p, std::size_t bytes);

__attribute__((visibility("default"))) void* malloc(std::size_t bytes) {
  ++count;
  return __libc_malloc(bytes);
}
__attribute__((visibility("default"))) void* calloc(std::size_t n, std::size_t bytes) {
  ++count;
  return __libc_calloc(n, bytes);
}
__attribute__((visibility("default"))) void* realloc(void* p, std::size_t bytes) {
  ++count;
  return __libc_realloc(p, bytes);
}
}
#endif

namespace cutwater::support {

bool is_counting_allocations() noexcept { return CUTWATER_OWN_MALLOC == 1; }
std::uint64_t allocations() noexcept { return count; }

}  // namespace cutwater::support
