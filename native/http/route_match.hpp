// Whether a request is one that a route means. Thread: any. Implements: A10.
#pragma once

#include "http/head.hpp"
#include "http/request_match.hpp"

namespace cutwater::http {

[[nodiscard]] bool matches(const RequestMatch& match, const RequestHead& request) noexcept;

}  // namespace cutwater::http
