// The heads of HTTP/1.1 messages: collected as their bytes come, then read once, strictly. What two readers could read in two ways
// is refused: no folded headers, no line ends but CR LF, no space before a colon, one Host, one length.
// Sources: RFC 9110, RFC 9112. Thread: any. Implements: A10.
#pragma once

#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "http/http_error.hpp"

namespace cutwater::http {

/// Collects bytes up to and including the empty line that ends a head.
class HeadBuffer {
 public:
  enum class Status : std::uint8_t { more, whole, refused };

  void start(std::uint32_t max_bytes) noexcept;
  /// Returns: how many bytes were used; never one behind the head's end.
  std::size_t take(Bytes bytes) noexcept;
  [[nodiscard]] Status status() const noexcept { return status_; }
  [[nodiscard]] HttpError error() const noexcept { return error_; }
  [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
  /// With the empty line.
  [[nodiscard]] std::string_view text() const noexcept { return {reinterpret_cast<const char*>(text_.data()), text_.size()}; }

 private:
  enum class At : std::uint8_t { in_line, after_cr, line_start, after_last_cr };
  void refuse(HttpError error) noexcept;
  At step(std::uint8_t byte) noexcept;

  std::vector<std::uint8_t> text_;  // keeps its memory between messages, unless it grew large
  std::uint32_t max_bytes_ = 0;
  At at_ = At::line_start;
  Status status_ = Status::more;
  HttpError error_ = HttpError::none;
};

/// How long a body is.
struct Framing {
  enum class Kind : std::uint8_t { none, length, chunked, until_close };
  Kind kind = Kind::none;
  std::uint64_t bytes = 0;  // with `length`; never 0
};

/// What a request says. Views into the head's text.
struct RequestHead {
  std::string_view method, target;
  std::string_view path;    // of the target, without its query; "*" and an authority stand as they are
  std::string_view host;    // without its port
  std::string_view fields;  // all header lines with their CR LF, without the empty line
  Framing framing;
  bool is_persistent = true;
  bool is_upgrade = false;  // asks for another protocol on this connection
};
struct ResponseHead {
  std::uint16_t status = 0;
  Framing framing;
  bool is_persistent = true;
};
/// What decides whether a response has a body (RFC 9112 6.3).
struct Asked {
  bool is_head = false, is_connect = false, is_upgrade = false;
};

/// Requires: a whole head.
Result<RequestHead, HttpError> parse_request(std::string_view head) noexcept;
Result<ResponseHead, HttpError> parse_response(std::string_view head, const Asked& asked) noexcept;

/// Calls visit(name, value, line) for each line of `fields` until it returns false; `line` is the whole of it.
/// Requires: fields of a head that was parsed.
template <class Visit>
void each_field(std::string_view fields, Visit&& visit) {
  while (!fields.empty()) {
    const std::size_t end = fields.find("\r\n") + 2;
    const std::string_view line = fields.substr(0, end);
    const std::size_t colon = line.find(':');
    std::string_view value = line.substr(colon + 1, end - 2 - colon - 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    if (!visit(line.substr(0, colon), value, line)) return;
    fields.remove_prefix(end);
  }
}

/// Whether a byte may be part of a token, such as a header's name (RFC 9110 5.6.2).
[[nodiscard]] bool is_token_byte(char c) noexcept;
/// Whether a byte may be part of a header's value (RFC 9110 5.5).
[[nodiscard]] bool is_value_byte(char c) noexcept;

}  // namespace cutwater::http
