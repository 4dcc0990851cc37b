#include "secure/processor.hpp"

#include "secure/first_record.hpp"

namespace cutwater::secure {

namespace {

constexpr int kReapEveryMs = 100;  // how often a sleeping thread looks for handshakes past their deadline
constexpr std::size_t kReapedPerCall = 64;  // the default of 8,192 are looked through in 128 turns

Progress feed(OpensslSession& session, const Request& request, std::vector<std::uint8_t>& out) {
  const Bytes bytes = request.bytes;
  if (request.kind == Request::Kind::call) return session.call(request.protocol, out);
  if (request.kind == Request::Kind::start_retried) return session.feed_second_hello(bytes, out);
  if (request.kind != Request::Kind::start_deferred) return session.feed(bytes, out);
  return session.feed_deferred(bytes.first(request.hello_bytes), request.flight, bytes.subspan(request.hello_bytes), out);
}

}  // namespace

Processor::Processor(ProcessorShared& shared, std::vector<Lane*> lanes)
    : shared_(shared), lanes_(std::move(lanes)), replies_(lanes_.begin(), lanes_.end()) {}

Processor::~Processor() { shared_.alive -= handshakes_.size(); }

bool Processor::run(std::size_t budget, const Wake& wake) {
  bool has_worked = false;
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    // A lane whose worker does not take its replies gets no more of them: what is held stays bounded.
    bool has_room = replies_[lane].flush();
    std::unique_ptr<Request> request;
    for (std::size_t n = 0; n < budget && has_room && lanes_[lane]->to.pop(request); ++n) {
      serve(lane, *request);
      has_worked = true;
      has_room = replies_[lane].held() == 0;
      tell(lane, wake);  // after each: the client works on this flight while we sign the next
    }
    has_worked = tell(lane, wake) || has_worked;
  }
  return has_worked;
}

bool Processor::tell(std::size_t lane, const Wake& wake) {
  if (!replies_[lane].take_news()) return false;
  if (wake) wake(static_cast<std::uint32_t>(lane));
  return true;
}

void Processor::reap() {
  if (handshakes_.empty()) return;
  const Tick now = shared_.clock();
  for (std::size_t n = 0; n < kReapedPerCall && !handshakes_.empty(); ++n) {
    if (next_reap_ == handshakes_.end()) next_reap_ = handshakes_.begin();
    const auto at = next_reap_++;
    if (now <= at->deadline) continue;
    const FailureReport late{HandshakeFailure::deadline, 0, "the client did not finish in time"};
    reply_failure(at->lane, at->token, late, {}, at->session->consumed_bytes());
    erase(at);
  }
}

bool Processor::has_requests() const noexcept {
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
    if (replies_[lane].held() == 0 && lanes_[lane]->to.size() != 0) return true;
  }
  return false;
}

int Processor::sleep_ms() const noexcept {
  for (const ReplyQueue& queue : replies_) {
    if (queue.held() != 0) return ReplyQueue::kRetryMs;
  }
  return handshakes_.empty() ? -1 : kReapEveryMs;
}

void Processor::serve(std::size_t lane, Request& request) {
  if (is_beginning(request.kind)) return start(lane, request);
  const auto at = find(lane, request.token);
  if (at == handshakes_.end()) return;  // it has ended, and a reply that says so is on its way
  if (request.kind == Request::Kind::cancel) return erase(at);
  feed(at, request);
}

void Processor::start(std::size_t lane, Request& request) {
  // The worker has reused the flow's place without a cancel: what was there is gone.
  if (const auto old = by_flow_.find(key_of(lane, request.token)); old != by_flow_.end()) erase(old->second);
  const bool is_call = request.kind == Request::Kind::call;
  if (const auto refusal = is_call ? std::nullopt : refuse_first_record(request.bytes)) {
    std::vector<std::uint8_t> bytes;
    if (refusal->failure == HandshakeFailure::bad_record) {
      const auto alert = plain_alert(refusal->alert);
      bytes.assign(alert.begin(), alert.end());
    }
    return reply_failure(lane, request.token, *refusal, std::move(bytes));
  }
  auto service = shared_.services.find(request.service);
  if (service == nullptr) {
    return reply_failure(lane, request.token, {HandshakeFailure::internal, 0, "the service has no TLS context"});
  }
  if (is_call && service->towards_servers() == nullptr) {
    return reply_failure(lane, request.token, {HandshakeFailure::internal, 0, "the service has no TLS towards servers"});
  }
  if (!make_room()) {
    return reply_failure(lane, request.token, {HandshakeFailure::overload, 0, "too many handshakes under way"});
  }
  handshakes_.push_back(
      {lane, request.token, request.deadline, std::make_unique<OpensslSession>(std::move(service), shared_.key_log)});
  const auto at = std::prev(handshakes_.end());
  by_flow_[key_of(lane, request.token)] = at;
  feed(at, request);
}

/// Counts one more. At the cap the client that has been waited for the longest gives way: who means it answers in a round trip,
/// so it is one that does not. Returns: false when all the others are with other threads.
bool Processor::make_room() {
  if (shared_.alive.fetch_add(1, std::memory_order_relaxed) < shared_.max_handshakes) return true;
  const auto oldest = handshakes_.begin();
  if (oldest == handshakes_.end()) {
    shared_.alive.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  const FailureReport given_up{HandshakeFailure::overload, 0, "gave way to a newer one: as many were under way as may be"};
  reply_failure(oldest->lane, oldest->token, given_up, {}, oldest->session->consumed_bytes());
  erase(oldest);
  return true;
}

void Processor::feed(Handshakes::iterator at, const Request& request) {
  const std::size_t lane = at->lane;
  OpensslSession& session = *at->session;
  // Before any signature: an answer that comes too late costs as much as one in time.
  if (shared_.clock() > at->deadline) {
    reply_failure(lane, request.token, {HandshakeFailure::deadline, 0, "waited too long for a processor"}, {},
                  session.consumed_bytes());
    return erase(at);
  }
  std::vector<std::uint8_t> out;
  const Progress progress = secure::feed(session, request, out);
  if (progress == Progress::failed) {
    reply_failure(lane, request.token, session.failure(), std::move(out), session.consumed_bytes());
    return erase(at);
  }
  if (progress == Progress::waiting && out.empty()) return;
  auto answer = std::make_unique<Reply>();
  answer->token = request.token;
  answer->bytes = std::move(out);
  answer->consumed_bytes = session.consumed_bytes();
  if (progress == Progress::established) {
    answer->kind = Reply::Kind::established;
    answer->established = session.take_established(answer->detail);
    shared_.handshakes.fetch_add(1, std::memory_order_relaxed);
    if (answer->established->is_resumed) shared_.resumed.fetch_add(1, std::memory_order_relaxed);
    erase(at);
  }
  replies_[lane].push(std::move(answer));
}

Processor::Handshakes::iterator Processor::find(std::size_t lane, Token token) noexcept {
  const auto found = by_flow_.find(key_of(lane, token));
  const bool is_its_own = found != by_flow_.end() && found->second->token == token;  // a stale token belongs to nobody
  return is_its_own ? found->second : handshakes_.end();
}

void Processor::erase(Handshakes::iterator at) noexcept {
  by_flow_.erase(key_of(at->lane, at->token));
  if (next_reap_ == at) ++next_reap_;
  handshakes_.erase(at);
  shared_.alive.fetch_sub(1, std::memory_order_relaxed);
}

void Processor::reply_failure(std::size_t lane, Token token, const FailureReport& report,
                              std::vector<std::uint8_t> bytes, std::uint32_t consumed_bytes) {
  auto answer = std::make_unique<Reply>();
  answer->kind = Reply::Kind::failed;
  answer->token = token;
  answer->bytes = std::move(bytes);
  answer->consumed_bytes = consumed_bytes;
  answer->failure = report.failure;
  answer->alert = report.alert;
  answer->detail = report.detail;
  shared_.failed.fetch_add(1, std::memory_order_relaxed);
  replies_[lane].push(std::move(answer));
}

}  // namespace cutwater::secure
