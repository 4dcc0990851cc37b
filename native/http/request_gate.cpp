#include "http/request_gate.hpp"

#include <limits>

namespace cutwater::http {

void RequestGate::start(std::uint32_t max_head_bytes) noexcept {
  max_head_bytes_ = max_head_bytes;
  error_ = HttpError::none;
  state_ = State::complete;
  next();
}

void RequestGate::next() noexcept {
  buffer_.start(max_head_bytes_);
  head_ = {};
  state_ = State::head;
}

void RequestGate::refuse(HttpError error) noexcept {
  state_ = State::refused;
  error_ = error;
}

std::size_t RequestGate::take_head(Bytes bytes) noexcept {
  const std::size_t used = buffer_.take(bytes);
  if (buffer_.status() == HeadBuffer::Status::refused) refuse(buffer_.error());
  if (buffer_.status() != HeadBuffer::Status::whole) return used;
  const auto head = parse_request(buffer_.text());
  if (!head) return refuse(head.error()), used;
  head_ = *head;
  state_ = State::decide;
  return used;
}

std::size_t RequestGate::take(Bytes bytes) noexcept {
  switch (state_) {
    case State::head: return take_head(bytes);
    case State::body: {
      const std::size_t used = body_.take(bytes);
      if (body_.status() == BodyReader::Status::refused) refuse(HttpError::bad_chunk);
      if (body_.status() == BodyReader::Status::done) state_ = State::complete;
      return used;
    }
    case State::tunnel: return bytes.size();
    case State::decide:
    case State::complete:
    case State::refused: break;
  }
  return 0;
}

void RequestGate::pass() noexcept {
  body_.start(head_.framing);
  state_ = body_.status() == BodyReader::Status::done ? State::complete : State::body;
}

std::uint64_t RequestGate::known_bytes() const noexcept {
  if (state_ == State::tunnel) return std::numeric_limits<std::uint64_t>::max();
  return state_ == State::body ? body_.known_bytes() : 0;
}

}  // namespace cutwater::http
