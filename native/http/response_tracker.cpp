#include "http/response_tracker.hpp"

namespace cutwater::http {

void ResponseTracker::start(std::uint32_t max_head_bytes) noexcept {
  max_head_bytes_ = max_head_bytes;
  state_ = State::idle;
  error_ = HttpError::none;
  head_ = {};
  buffer_.start(max_head_bytes);
}

void ResponseTracker::expect(const Asked& asked) noexcept {
  start(max_head_bytes_);
  asked_ = asked;
  state_ = State::head;
}

bool ResponseTracker::refuse(HttpError error) noexcept {
  state_ = State::broken;
  error_ = error;
  return false;
}

bool ResponseTracker::finish_head() noexcept {
  const auto head = parse_response(buffer_.text(), asked_);
  if (!head) return refuse(head.error());
  head_ = *head;
  buffer_.start(max_head_bytes_);
  if (head_.status == 101 || (asked_.is_connect && head_.status >= 200 && head_.status < 300)) {
    state_ = State::tunnel;
  } else if (head_.status >= 200) {
    body_.start(head_.framing);
    state_ = body_.status() == BodyReader::Status::done ? State::complete : State::body;
  }  // else an interim response: the final one is still to come (RFC 9110 15.2)
  return true;
}

bool ResponseTracker::take(Bytes bytes) noexcept {
  while (!bytes.empty()) {
    std::size_t used = 0;
    switch (state_) {
      case State::head:
        used = buffer_.take(bytes);
        if (buffer_.status() == HeadBuffer::Status::refused) return refuse(buffer_.error());
        if (buffer_.status() == HeadBuffer::Status::whole && !finish_head()) return false;
        break;
      case State::body:
        used = body_.take(bytes);
        if (body_.status() == BodyReader::Status::refused) return refuse(HttpError::bad_chunk);
        if (body_.status() == BodyReader::Status::done) state_ = State::complete;
        break;
      case State::tunnel: return true;
      case State::idle:
      case State::complete: return refuse(HttpError::not_asked_for);
      case State::broken: return false;
    }
    bytes = bytes.subspan(used);
  }
  return true;
}

void ResponseTracker::end() noexcept {
  if (state_ != State::body) return;
  body_.end();
  if (body_.status() == BodyReader::Status::done) state_ = State::complete;
}

}  // namespace cutwater::http
