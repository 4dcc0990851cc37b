// OpenSSL hands out TLS 1.3 secrets only as key log lines, and prints each of their bytes by its own sprintf("%02x"):
// some 320 calls and a twelfth of a full handshake (bench/micro/handshake_bench.cpp). The linker sends those calls here
// (build.cmake: --wrap); the result is sprintf's own, for every format. Without the option all works, more slowly.
// Thread: any.
#include <cstdarg>
#include <cstdio>
#include <cstring>

// The names are the linker's: __wrap_X takes the calls of X. Same contract as libc's sprintf under _FORTIFY_SOURCE.
extern "C" int __wrap___sprintf_chk(char* out, int flag, std::size_t room, const char* format, ...) {
  constexpr char kDigits[] = "0123456789abcdef";
  va_list values;
  va_start(values, format);
  int written;
  if (std::strcmp(format, "%02x") == 0 && room >= 3) {
    const unsigned value = va_arg(values, unsigned);
    written = 2;
    if (value < 256) {
      out[0] = kDigits[value >> 4];
      out[1] = kDigits[value & 15];
      out[2] = '\0';
    } else {
      written = std::snprintf(out, room > 16 ? 16 : room, "%02x", value);  // eight digits at most
    }
  } else {
    written = __builtin___vsprintf_chk(out, flag, room, format, values);
  }
  va_end(values);
  return written;
}
