#include "secure/certificate_choice.hpp"

#include <algorithm>

namespace cutwater::secure {

Bundle default_bundle(const std::vector<Certificate>& certificates) {
  const Certificate& first = certificates.front();
  Bundle bundle{&first};
  if (first.names.empty()) return bundle;
  for (const Certificate* other : bundle_for(certificates, first.names.front())) {
    if (other->key_type != first.key_type) bundle.push_back(other);
  }
  return bundle;
}

Bundle bundle_for(const std::vector<Certificate>& certificates, const std::string& name) {
  Bundle bundle;
  const auto add = [&bundle](const Certificate& certificate) {
    const auto is_same_type = [&](const Certificate* other) { return other->key_type == certificate.key_type; };
    if (std::none_of(bundle.begin(), bundle.end(), is_same_type)) bundle.push_back(&certificate);
  };
  for (const Certificate& certificate : certificates) {
    const auto& names = certificate.names;
    if (std::find(names.begin(), names.end(), name) != names.end()) add(certificate);
  }
  for (const Certificate& certificate : certificates) {
    const auto covers_name = [&name](const std::string& pattern) { return covers(pattern, name); };
    if (std::any_of(certificate.names.begin(), certificate.names.end(), covers_name)) add(certificate);
  }
  return bundle;
}

}  // namespace cutwater::secure
