// The compiled XDP program as bytes: written at build time by native/port/build.cmake from native/xdp/redirect.bpf.c.
#pragma once

#include <cstddef>

extern "C" {
extern const unsigned char cutwater_xdp_object[];
extern const std::size_t cutwater_xdp_object_bytes;
}
