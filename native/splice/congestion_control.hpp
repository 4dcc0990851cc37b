// By which rules custody decides how much it sends to a server. Thread: any.
#pragma once

#include <cstdint>

namespace cutwater::splice {

enum class CongestionControl : std::uint8_t { cubic, bbr };

}  // namespace cutwater::splice
