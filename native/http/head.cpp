#include "http/head.hpp"

#include <algorithm>
#include <optional>

#include "base/host_name.hpp"

namespace cutwater::http {
namespace {

constexpr std::size_t kKeptBytes = 2048;  // of memory, from one head to the next
constexpr std::size_t kMaxDigits = 18;    // of a length: below 2^63

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
constexpr bool is_visible(char c) noexcept { return c > ' ' && c < 0x7f; }
bool is_name_of_host(char c) noexcept { return is_token_byte(c) || c == ':' || c == '[' || c == ']'; }

// What the header lines say together.
struct Fields {
  std::string_view host;
  std::uint64_t length = 0;
  bool has_host = false, has_length = false, is_chunked = false, has_close = false, has_keep_alive = false;
  bool has_upgrade_option = false, has_upgrade = false;
};

Failure<HttpError> refused(HttpError error) noexcept { return Failure<HttpError>{error}; }

// The next line, without its CR LF. HeadBuffer has seen to it that there are no others.
std::string_view next_line(std::string_view& rest) noexcept {
  const std::size_t end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, end);
  rest.remove_prefix(end + 2);
  return line;
}

HttpError take_host(std::string_view value, Fields& out) noexcept {
  if (out.has_host) return HttpError::host_repeated;
  if (value.empty()) return HttpError::host_missing;
  if (!std::all_of(value.begin(), value.end(), is_name_of_host)) return HttpError::bad_field;
  out.has_host = true;
  out.host = value;
  return HttpError::none;
}

HttpError take_length(std::string_view value, Fields& out) noexcept {
  const bool is_number = !value.empty() && value.size() <= kMaxDigits && std::all_of(value.begin(), value.end(), is_digit);
  if (out.has_length || !is_number) return HttpError::bad_length;
  out.has_length = true;
  for (const char c : value) out.length = out.length * 10 + static_cast<std::uint64_t>(c - '0');
  return HttpError::none;
}

// A header that Connection names is dropped by the next proxy on the way: nobody may have ours dropped.
bool is_ours(std::string_view option) noexcept {
  return is_same_ignoring_case(option.substr(0, 11), "x-forwarded") || is_same_ignoring_case(option, "forwarded") ||
         is_same_ignoring_case(option, "host") || is_same_ignoring_case(option, "content-length") || is_same_ignoring_case(option, "transfer-encoding");
}

HttpError take_connection(std::string_view value, Fields& out) noexcept {
  while (!value.empty()) {
    const std::size_t comma = std::min(value.find(','), value.size());
    std::string_view option = value.substr(0, comma);
    value.remove_prefix(std::min(comma + 1, value.size()));
    while (!option.empty() && (option.front() == ' ' || option.front() == '\t')) option.remove_prefix(1);
    while (!option.empty() && (option.back() == ' ' || option.back() == '\t')) option.remove_suffix(1);
    if (!std::all_of(option.begin(), option.end(), is_token_byte) || is_ours(option)) return HttpError::bad_field;
    if (is_same_ignoring_case(option, "close")) out.has_close = true;
    if (is_same_ignoring_case(option, "keep-alive")) out.has_keep_alive = true;
    if (is_same_ignoring_case(option, "upgrade")) out.has_upgrade_option = true;
  }
  return HttpError::none;
}

HttpError take_field(std::string_view name, std::string_view value, Fields& out) noexcept {
  if (is_same_ignoring_case(name, "host")) return take_host(value, out);
  if (is_same_ignoring_case(name, "content-length")) return take_length(value, out);
  if (is_same_ignoring_case(name, "connection")) return take_connection(value, out);
  if (is_same_ignoring_case(name, "upgrade")) out.has_upgrade = true;
  if (is_same_ignoring_case(name, "transfer-encoding")) {
    if (out.is_chunked || !is_same_ignoring_case(value, "chunked")) return HttpError::bad_coding;
    out.is_chunked = true;
  }
  return HttpError::none;
}

HttpError parse_fields(std::string_view fields, Fields& out) noexcept {
  for (std::string_view rest = fields; !rest.empty();) {
    const std::string_view line = next_line(rest);
    if (line.front() == ' ' || line.front() == '\t') return HttpError::folded;
    const std::size_t colon = line.find(':');
    if (colon == 0 || colon == std::string_view::npos) return HttpError::bad_field;
    const std::string_view name = line.substr(0, colon), value = line.substr(colon + 1);
    if (!std::all_of(name.begin(), name.end(), is_token_byte)) return HttpError::bad_field;
    if (!std::all_of(value.begin(), value.end(), is_value_byte)) return HttpError::bad_field;
  }
  HttpError error = HttpError::none;
  each_field(fields, [&](std::string_view name, std::string_view value, std::string_view) {
    error = take_field(name, value, out);
    return error == HttpError::none;
  });
  if (error == HttpError::none && out.is_chunked && out.has_length) return HttpError::length_and_coding;
  return error;
}

bool is_persistent(bool is_http10, const Fields& fields) noexcept {
  return !fields.has_close && (!is_http10 || fields.has_keep_alive);
}

// "HTTP/1.0" or "HTTP/1.1". Returns: whether it is 1.0; nullopt for anything else.
std::optional<bool> version_of(std::string_view text) noexcept {
  if (text == "HTTP/1.1") return false;
  if (text == "HTTP/1.0") return true;
  return std::nullopt;
}

std::string_view without_port(std::string_view host) noexcept {
  const std::size_t colon = host.rfind(':');
  const bool is_port = colon != std::string_view::npos && std::all_of(host.begin() + static_cast<std::ptrdiff_t>(colon) + 1, host.end(), is_digit);
  return is_port ? host.substr(0, colon) : host;
}

bool is_same_host(std::string_view a, std::string_view b) noexcept {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

// origin-form, absolute-form, authority-form or "*" (RFC 9112 3.2). An absolute target names the host once more: the same one.
bool take_target(const Fields& fields, RequestHead& out) noexcept {
  const std::string_view target = out.target;
  if (target.empty() || !std::all_of(target.begin(), target.end(), is_visible) || target.find('#') != std::string_view::npos) return false;
  out.path = target;
  if (out.method == "CONNECT") return std::all_of(target.begin(), target.end(), is_name_of_host) && is_same_host(target, fields.host);
  if (target == "*") return out.method == "OPTIONS";
  if (target.front() != '/') {
    const std::size_t scheme = target.starts_with("http://") ? 7 : target.starts_with("https://") ? 8 : 0;
    if (scheme == 0) return false;
    const std::size_t slash = std::min(target.find_first_of("/?", scheme), target.size());
    if (!is_same_host(target.substr(scheme, slash - scheme), fields.host)) return false;
    out.path = slash == target.size() || target[slash] == '?' ? std::string_view("/") : target.substr(slash);
  }
  out.path = out.path.substr(0, out.path.find('?'));
  return true;
}

}  // namespace

bool is_token_byte(char c) noexcept {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c != '\0' && std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos);
}

bool is_value_byte(char c) noexcept {
  const auto byte = static_cast<std::uint8_t>(c);
  return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

void HeadBuffer::start(std::uint32_t max_bytes) noexcept {
  if (text_.capacity() > kKeptBytes) std::vector<std::uint8_t>().swap(text_);
  text_.clear();
  max_bytes_ = max_bytes;
  at_ = At::line_start;
  status_ = Status::more;
  error_ = HttpError::none;
}

void HeadBuffer::refuse(HttpError error) noexcept {
  status_ = Status::refused;
  error_ = error;
}

HeadBuffer::At HeadBuffer::step(std::uint8_t byte) noexcept {
  const bool is_after_cr = at_ == At::after_cr || at_ == At::after_last_cr;
  if (byte == 0 || is_after_cr != (byte == '\n')) {
    refuse(HttpError::bare_line_end);
    return at_;
  }
  if (byte == '\r') return at_ == At::line_start ? At::after_last_cr : At::after_cr;
  if (byte != '\n') return At::in_line;
  if (at_ == At::after_last_cr) status_ = Status::whole;
  return At::line_start;
}

std::size_t HeadBuffer::take(Bytes bytes) noexcept {
  std::size_t used = 0;
  // An empty line in front of a message: not every reader skips it.
  if (text_.empty() && !bytes.empty() && (bytes[0] == '\r' || bytes[0] == '\n')) refuse(HttpError::bad_line);
  while (used < bytes.size() && status_ == Status::more) {
    if (text_.size() + used == max_bytes_) {
      refuse(HttpError::head_too_long);
      break;
    }
    at_ = step(bytes[used]);
    if (status_ != Status::refused) ++used;
  }
  text_.insert(text_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(used));
  return used;
}

Result<RequestHead, HttpError> parse_request(std::string_view head) noexcept {
  std::string_view rest = head.substr(0, head.size() - 2);
  const std::string_view line = next_line(rest);
  RequestHead out;
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == 0 || last <= first + 1) return refused(HttpError::bad_line);
  out.method = line.substr(0, first);
  out.target = line.substr(first + 1, last - first - 1);
  out.fields = rest;
  const auto is_http10 = version_of(line.substr(last + 1));
  if (!is_http10 || !std::all_of(out.method.begin(), out.method.end(), is_token_byte)) return refused(HttpError::bad_line);
  Fields fields;
  if (const HttpError error = parse_fields(rest, fields); error != HttpError::none) return refused(error);
  if (!fields.has_host && !*is_http10) return refused(HttpError::host_missing);
  if (fields.is_chunked && *is_http10) return refused(HttpError::bad_coding);  // HTTP/1.0 has none (RFC 9112 6.1)
  if (!take_target(fields, out)) return refused(HttpError::bad_target);
  out.host = without_port(fields.host);
  if (fields.is_chunked) out.framing = {Framing::Kind::chunked, 0};
  else if (fields.length != 0) out.framing = {Framing::Kind::length, fields.length};
  out.is_persistent = is_persistent(*is_http10, fields);
  out.is_upgrade = fields.has_upgrade && fields.has_upgrade_option && !*is_http10;
  return out;
}

Result<ResponseHead, HttpError> parse_response(std::string_view head, const Asked& asked) noexcept {
  std::string_view rest = head.substr(0, head.size() - 2);
  const std::string_view line = next_line(rest);
  constexpr std::size_t kStatusAt = 9, kStatusEnd = 12;
  const auto is_http10 = version_of(line.substr(0, std::min<std::size_t>(8, line.size())));
  const bool has_status = line.size() >= kStatusEnd && line[8] == ' ' && line[kStatusAt] >= '1' && line[kStatusAt] <= '9' && is_digit(line[10]) &&
                          is_digit(line[11]) && (line.size() == kStatusEnd || line[kStatusEnd] == ' ');
  if (!is_http10 || !has_status || !std::all_of(line.begin(), line.end(), is_value_byte)) return refused(HttpError::bad_line);
  Fields fields;
  if (const HttpError error = parse_fields(rest, fields); error != HttpError::none) return refused(error);
  ResponseHead out;
  out.status = static_cast<std::uint16_t>((line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0'));
  out.is_persistent = is_persistent(*is_http10, fields);
  const bool is_interim = out.status < 200;
  const bool is_tunnel = out.status == 101 || (asked.is_connect && out.status < 300);
  if (out.status == 101 && !asked.is_upgrade) return refused(HttpError::bad_line);
  if (is_interim || is_tunnel || asked.is_head || out.status == 204 || out.status == 304) return out;
  if (fields.is_chunked) out.framing = {Framing::Kind::chunked, 0};
  else if (!fields.has_length) out.framing = {Framing::Kind::until_close, 0}, out.is_persistent = false;
  else if (fields.length != 0) out.framing = {Framing::Kind::length, fields.length};
  return out;
}

}  // namespace cutwater::http
