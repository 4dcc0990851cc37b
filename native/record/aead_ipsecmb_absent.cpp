// Stands in for aead_ipsecmb.cpp in builds without IPsec-MB (build.cmake chooses): there is no such backend.
#include "record/backends.hpp"

namespace cutwater::record {

const Aead* ipsecmb_aead() noexcept { return nullptr; }

}  // namespace cutwater::record
