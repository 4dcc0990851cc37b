#include "http/body_reader.hpp"

#include <algorithm>
#include <limits>

namespace cutwater::http {
namespace {

constexpr std::uint32_t kMaxSizeLine = 256;    // digits and extensions of one chunk; nobody uses extensions
constexpr std::uint32_t kMaxTrailers = 8192;
constexpr std::uint32_t kMaxSizeDigits = 15;   // below 2^60

constexpr int hex_value(std::uint8_t byte) noexcept {
  if (byte >= '0' && byte <= '9') return byte - '0';
  const int letter = (byte | 0x20) - 'a';
  return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

}  // namespace

void BodyReader::start(const Framing& framing) noexcept {
  left_ = framing.bytes;
  line_bytes_ = 0;
  status_ = Status::more;
  switch (framing.kind) {
    case Framing::Kind::none: status_ = Status::done; break;
    case Framing::Kind::length: at_ = At::length; break;
    case Framing::Kind::chunked: at_ = At::size_start; break;
    case Framing::Kind::until_close: at_ = At::until_close; break;
  }
}

std::uint64_t BodyReader::known_bytes() const noexcept {
  if (status_ != Status::more) return 0;
  if (at_ == At::until_close) return std::numeric_limits<std::uint64_t>::max();
  return at_ == At::length || at_ == At::data ? left_ : 0;
}

std::size_t BodyReader::take(Bytes bytes) noexcept {
  std::size_t used = 0;
  while (used < bytes.size() && status_ == Status::more) {
    if (at_ == At::until_close) return bytes.size();
    if (at_ == At::length || at_ == At::data) {
      const std::size_t n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size() - used));
      left_ -= n;
      used += n;
      if (left_ != 0) continue;
      if (at_ == At::length) status_ = Status::done;
      else at_ = At::data_cr;
      continue;
    }
    at_ = step(bytes[used]);
    if (status_ != Status::refused) ++used;
  }
  return used;
}

void BodyReader::end() noexcept {
  if (status_ == Status::more && at_ == At::until_close) status_ = Status::done;
}

BodyReader::At BodyReader::refuse() noexcept {
  status_ = Status::refused;
  return at_;
}

// 1*HEXDIG [ extension ] CR LF, nothing else: no spaces, no sign, no bare LF.
BodyReader::At BodyReader::take_size_digit(std::uint8_t byte) noexcept {
  const int digit = hex_value(byte);
  if (digit >= 0) {
    if (++line_bytes_ > kMaxSizeDigits) return refuse();
    left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
    return At::size;
  }
  if (at_ == At::size_start) return refuse();
  if (byte == ';') return At::extension;
  return byte == '\r' ? At::size_lf : refuse();
}

BodyReader::At BodyReader::take_trailer(std::uint8_t byte) noexcept {
  const auto c = static_cast<char>(byte);
  if (++line_bytes_ > kMaxTrailers) return refuse();
  switch (at_) {
    case At::trailer_start:
      if (byte == '\r') return At::last_lf;
      return is_token_byte(c) ? At::trailer_name : refuse();
    case At::trailer_name:
      if (byte == ':') return At::trailer_value;
      return is_token_byte(c) ? At::trailer_name : refuse();
    default:
      if (byte == '\r') return At::trailer_lf;
      return is_value_byte(c) ? At::trailer_value : refuse();
  }
}

BodyReader::At BodyReader::step(std::uint8_t byte) noexcept {
  switch (at_) {
    case At::size_start:
    case At::size: return take_size_digit(byte);
    case At::extension:
      if (byte == '\r') return At::size_lf;
      return is_value_byte(static_cast<char>(byte)) && ++line_bytes_ <= kMaxSizeLine ? At::extension : refuse();
    case At::size_lf:
      line_bytes_ = 0;
      if (byte != '\n') return refuse();
      return left_ == 0 ? At::trailer_start : At::data;
    case At::data_cr: return byte == '\r' ? At::data_lf : refuse();
    case At::data_lf: return byte == '\n' ? At::size_start : refuse();
    case At::trailer_lf: return byte == '\n' ? At::trailer_start : refuse();
    case At::last_lf:
      if (byte != '\n') return refuse();
      status_ = Status::done;
      return at_;
    case At::trailer_start:
    case At::trailer_name:
    case At::trailer_value: return take_trailer(byte);
    case At::length:
    case At::until_close:
    case At::data: break;
  }
  return refuse();
}

}  // namespace cutwater::http
