// Which of a service's certificates serve a name: one for each type of key, the best match of each.
// Not here: reading them (certificate.hpp), the contexts made of them (service_context.hpp). Thread: any (pure functions).
// Implements: H9.
#pragma once

#include <string>
#include <vector>

#include "secure/certificate.hpp"

namespace cutwater::secure {

using Bundle = std::vector<const Certificate*>;  // at most one for each key type

/// For clients that name nobody: the first, and of the others what covers its first name with another type of key.
Bundle default_bundle(const std::vector<Certificate>& certificates);

/// For one name: per key type the first that names it exactly, else the first whose wildcard covers it.
Bundle bundle_for(const std::vector<Certificate>& certificates, const std::string& name);

}  // namespace cutwater::secure
