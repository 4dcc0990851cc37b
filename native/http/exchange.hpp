// Requests and answers of one connection as the splice sees them: which bytes of the client may go to the server yet, and whether
// what the server says is the answer to what was asked. One request at a time is with a server; what the client says behind
// it waits in custody until the answer is whole. So answers come in order, and the next request may go to another server.
// What becomes of a request is decided above (path/layer7.cpp). Thread: owning worker. Implements: A10.
#pragma once

#include "base/seq_num.hpp"
#include "http/request_gate.hpp"
#include "http/response_tracker.hpp"

namespace cutwater::http {

class Exchange {
 public:
  /// Begins with the stream towards the server at `at`.
  void start(SeqNum at, std::uint32_t max_head_bytes) noexcept {
    gate_.start(max_head_bytes);
    tracker_.start(max_head_bytes);
    read_ = allowed_ = asked_from_ = at;
    is_asked_ = is_last_ = has_kept_end_ = is_client_done_ = has_answered_ = false;
  }

  // Asked by the splice, per packet.
  /// Whether so many bytes of the stream's next may go to the server as they come: they are body of a request under way.
  [[nodiscard]] bool may_pass(std::size_t bytes) const noexcept { return gate_.known_bytes() >= bytes; }
  /// Plaintext that goes to the server now, next in order. Requires: may_pass().
  void take_body(Bytes plain) noexcept {
    (void)gate_.take(plain);
    read_ += static_cast<std::uint32_t>(plain.size());
    allowed_ = read_;
  }
  /// Plaintext of the server, next in order. Returns: false when it may not go to the client.
  bool take_answer(Bytes plain) noexcept {
    if (!tracker_.take(plain)) return false;
    has_answered_ = has_answered_ || tracker_.has_begun();
    return true;
  }
  /// The end of what may go to the server.
  [[nodiscard]] SeqNum allowed() const noexcept { return allowed_; }
  /// The server has ended its stream. Returns: whether that is kept from the client: no answer is under way, and it may go on asking.
  bool keeps_end() noexcept {
    if (has_kept_end_) return true;
    tracker_.end();
    const bool is_under_way = has_answered_ && tracker_.state() != ResponseTracker::State::complete;
    const bool is_answered = is_asked_ && tracker_.state() == ResponseTracker::State::complete;
    const bool is_final = is_last_ || (is_answered && (!may_go_on() || gate_.state() != RequestGate::State::complete));
    has_kept_end_ = !is_under_way && !is_final && !is_client_done_;
    return has_kept_end_;
  }
  /// What follows the head that was read last moves: the head became longer, or shorter.
  void shift_read(std::uint32_t by) noexcept { read_ += by; }
  /// All positions move by as much.
  void shift(std::uint32_t by) noexcept {
    read_ += by;
    allowed_ += by;
    asked_from_ += by;
  }

  // Used by the path.
  [[nodiscard]] RequestGate& gate() noexcept { return gate_; }
  [[nodiscard]] const RequestGate& gate() const noexcept { return gate_; }
  [[nodiscard]] const ResponseTracker& tracker() const noexcept { return tracker_; }
  /// How far the client's stream was read.
  [[nodiscard]] SeqNum read() const noexcept { return read_; }
  /// Reads on. Requires: the bytes follow read(). Returns: how many were used.
  std::size_t read_on(Bytes bytes) noexcept {
    const std::size_t used = gate_.take(bytes);
    read_ += static_cast<std::uint32_t>(used);
    return used;
  }
  /// Everything that was read may go.
  void allow() noexcept { allowed_ = read_; }
  /// The request whose head was read goes to a server; it begins at `from`. Requires: gate().state() is `decide`.
  void ask(SeqNum from) noexcept;
  /// The request goes to a server once more, from its beginning; none of its answer has come.
  void ask_again() noexcept { tracker_.expect(asked_), has_kept_end_ = has_answered_ = false; }
  [[nodiscard]] SeqNum asked_from() const noexcept { return asked_from_; }
  [[nodiscard]] bool is_asked() const noexcept { return is_asked_; }
  /// Whether bytes of the final answer went to the client.
  [[nodiscard]] bool has_answered() const noexcept { return has_answered_; }
  /// Whether the answer and the request are whole.
  [[nodiscard]] bool is_over() const noexcept {
    return is_asked_ && gate_.state() == RequestGate::State::complete && tracker_.state() == ResponseTracker::State::complete;
  }
  /// Goes on to the next request, unless this was the last. Requires: is_over().
  void go_on() noexcept;
  /// The connection speaks something else now. Requires: the tracker says so.
  void become_tunnel() noexcept { gate_.become_tunnel(); }
  [[nodiscard]] bool has_kept_end() const noexcept { return has_kept_end_; }
  /// Nobody answers any more: the next server begins anew.
  void forget_server() noexcept {
    has_kept_end_ = false;
    if (!is_asked_) tracker_.start(max_head());
  }
  void note_client_done() noexcept { is_client_done_ = true; }

 private:
  [[nodiscard]] bool may_go_on() const noexcept { return gate_.head().is_persistent && tracker_.is_persistent(); }
  [[nodiscard]] std::uint32_t max_head() const noexcept { return gate_.max_head_bytes(); }

  RequestGate gate_;
  ResponseTracker tracker_;
  Asked asked_;
  SeqNum read_, allowed_, asked_from_;
  bool is_asked_ = false;        // a request is with a server
  bool is_last_ = false;         // its ends agreed that nothing follows
  bool has_answered_ = false, has_kept_end_ = false, is_client_done_ = false;
};

}  // namespace cutwater::http
