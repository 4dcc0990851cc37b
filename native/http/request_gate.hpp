// Reads the requests of one connection, one after the other, as their bytes come: head, then body. It stops behind each head,
// until somebody has decided what becomes of the request, and behind each request, until its answer is whole.
// Thread: owning worker. Implements: A10.
#pragma once

#include "http/body_reader.hpp"
#include "http/head.hpp"

namespace cutwater::http {

class RequestGate {
 public:
  enum class State : std::uint8_t {
    head,      // of the next request, maybe none of it yet
    decide,    // a whole head: pass() lets the body come
    body,
    complete,  // next() begins another
    tunnel,    // no HTTP any more
    refused,
  };

  void start(std::uint32_t max_head_bytes) noexcept;
  /// Returns: how many bytes were used. None in `decide`, `complete` and `refused`.
  std::size_t take(Bytes bytes) noexcept;
  /// The request may go. Requires: `decide`.
  void pass() noexcept;
  /// Requires: `complete`.
  void next() noexcept;
  void become_tunnel() noexcept { state_ = State::tunnel; }

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] HttpError error() const noexcept { return error_; }
  /// Of the current request, from `decide` on.
  [[nodiscard]] const RequestHead& head() const noexcept { return head_; }
  [[nodiscard]] std::string_view text() const noexcept { return buffer_.text(); }
  /// So many of the next bytes may pass unread.
  [[nodiscard]] std::uint64_t known_bytes() const noexcept;
  [[nodiscard]] std::uint32_t max_head_bytes() const noexcept { return max_head_bytes_; }
  /// Whether no request has begun.
  [[nodiscard]] bool is_between() const noexcept { return state_ == State::head && buffer_.empty(); }

 private:
  void refuse(HttpError error) noexcept;
  std::size_t take_head(Bytes bytes) noexcept;

  HeadBuffer buffer_;
  RequestHead head_;
  BodyReader body_;
  std::uint32_t max_head_bytes_ = 0;
  State state_ = State::head;
  HttpError error_ = HttpError::none;
};

}  // namespace cutwater::http
