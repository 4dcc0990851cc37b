// What is wrong with a request or a response, one word each. Every one of them is a shape by which two readers of one stream can
// come to disagree where a message ends (request smuggling); we never guess.
// Thread: any. Implements: A10.
#pragma once

#include <cstdint>

namespace cutwater::http {

#define CUTWATER_HTTP_ERRORS(X)                                                                        \
  X(none, "nothing")                                                                                   \
  X(bad_line, "a first line that is none of HTTP/1.1 or 1.0")                                          \
  X(bad_target, "a request target that is malformed, or another host than the Host header")            \
  X(bad_field, "a header line without a sound name, colon and value")                                  \
  X(folded, "a header continued on the next line (obs-fold)")                                          \
  X(bare_line_end, "a CR or LF by itself, or a NUL")                                                   \
  X(host_missing, "no Host")                                                                           \
  X(host_repeated, "more than one Host")                                                               \
  X(bad_length, "a Content-Length that is no number, or more than one")                                \
  X(length_and_coding, "Content-Length and Transfer-Encoding together")                                \
  X(bad_coding, "a transfer coding other than chunked")                                                \
  X(bad_chunk, "a chunk size, its line's end, or a trailer that is malformed")                         \
  X(head_too_long, "a head longer than http.maxHead")                                                  \
  X(not_asked_for, "bytes of a server that belong to no request")

enum class HttpError : std::uint8_t {
#define X(name, text) name,
  CUTWATER_HTTP_ERRORS(X)
#undef X
      count_
};

}  // namespace cutwater::http
