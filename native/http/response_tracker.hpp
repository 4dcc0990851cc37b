// Follows the answer to one request as its bytes go by: interim responses, head, body, and where it ends.
// Thread: owning worker. Implements: A10.
#pragma once

#include "http/body_reader.hpp"
#include "http/head.hpp"

namespace cutwater::http {

class ResponseTracker {
 public:
  enum class State : std::uint8_t {
    idle,      // nothing was asked
    head,
    body,
    complete,
    tunnel,    // 101, or 2xx to CONNECT: no HTTP any more
    broken,
  };

  void start(std::uint32_t max_head_bytes) noexcept;
  /// A request goes out. Requires: idle or complete.
  void expect(const Asked& asked) noexcept;
  /// Takes all of the bytes. Returns: false when they are no answer to what was asked; the tracker is broken then.
  bool take(Bytes bytes) noexcept;
  /// The server has ended its stream.
  void end() noexcept;

  [[nodiscard]] State state() const noexcept { return state_; }
  [[nodiscard]] HttpError error() const noexcept { return error_; }
  /// Whether a byte of the final response has come.
  [[nodiscard]] bool has_begun() const noexcept { return state_ == State::body || state_ == State::complete || state_ == State::tunnel || !buffer_.empty(); }
  /// Whether the server leaves the connection open behind it, by its own word.
  [[nodiscard]] bool is_persistent() const noexcept { return head_.is_persistent; }
  [[nodiscard]] std::uint16_t status() const noexcept { return head_.status; }

 private:
  bool refuse(HttpError error) noexcept;
  bool finish_head() noexcept;

  HeadBuffer buffer_;
  ResponseHead head_;
  BodyReader body_;
  Asked asked_;
  std::uint32_t max_head_bytes_ = 0;
  State state_ = State::idle;
  HttpError error_ = HttpError::none;
};

}  // namespace cutwater::http
