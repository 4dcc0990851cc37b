// A request's head as its server gets it: told who the client is, by the usual headers, and without what the client said there.
// Thread: any. Implements: A10.
#pragma once

#include <string_view>
#include <vector>

#include "http/head.hpp"

namespace cutwater::http {

/// `text`: the whole head; `request`: what parse_request() made of it. `client`: its address as text.
std::vector<std::uint8_t> with_forwarded(std::string_view text, const RequestHead& request, std::string_view client);

}  // namespace cutwater::http
