// How often this thread has asked for memory: malloc and all that comes to it, operator new and OpenSSL included.
// Under sanitizers, which own malloc, it cannot be counted: is_counting_allocations() says so.
#pragma once

#include <cstdint>

namespace cutwater::support {

bool is_counting_allocations() noexcept;
std::uint64_t allocations() noexcept;

}  // namespace cutwater::support
