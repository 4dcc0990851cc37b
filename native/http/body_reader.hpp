// Finds the end of a body: by its length, by its chunks, or not at all. Keeps no byte of it.
// Source: RFC 9112 6 and 7.1. Thread: any. Implements: A10.
#pragma once

#include "base/bytes.hpp"
#include "http/head.hpp"

namespace cutwater::http {

class BodyReader {
 public:
  enum class Status : std::uint8_t { more, done, refused };

  void start(const Framing& framing) noexcept;
  /// Returns: how many bytes were used; never one behind the body's end.
  std::size_t take(Bytes bytes) noexcept;
  /// The stream has ended: a body until the close is whole now.
  void end() noexcept;
  [[nodiscard]] Status status() const noexcept { return status_; }
  /// So many of the next bytes are body for sure, whatever they are.
  [[nodiscard]] std::uint64_t known_bytes() const noexcept;

 private:
  enum class At : std::uint8_t {
    length, until_close,
    size_start, size, extension, size_lf, data, data_cr, data_lf,          // chunks
    trailer_start, trailer_name, trailer_value, trailer_lf, last_lf,        // behind the last one
  };
  At step(std::uint8_t byte) noexcept;
  At take_size_digit(std::uint8_t byte) noexcept;
  At take_trailer(std::uint8_t byte) noexcept;
  At refuse() noexcept;

  std::uint64_t left_ = 0;     // of the body, or of the chunk
  std::uint32_t line_bytes_ = 0;  // of a size line, or of all trailers
  At at_ = At::until_close;
  Status status_ = Status::done;
};

}  // namespace cutwater::http
