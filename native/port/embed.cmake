# Writes a file as a C++ byte array. Called by build.cmake with -DOBJECT=<file> -DOUTPUT=<file.cpp>.
file(READ ${OBJECT} digits HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${digits}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "// Generated from the compiled native/xdp/redirect.bpf.c. Do not edit.
#include \"port/xdp_object.hpp\"
extern \"C\" {
alignas(8) const unsigned char cutwater_xdp_object[] = {
${bytes}};
const std::size_t cutwater_xdp_object_bytes = sizeof(cutwater_xdp_object);
}
")
