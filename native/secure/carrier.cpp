#include "secure/carrier.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>

#include "secure/hand_off.hpp"
#include "secure/processor.hpp"

namespace cutwater::secure {

namespace {

constexpr std::size_t kMaxUnsentBytes = 256 * 1024;  // past it requests stay in their lanes
constexpr std::size_t kMaxHeldReplies = 4096;        // per lane: a processor's window cannot fill it in good order

}  // namespace

Carrier::Carrier(ProcessorShared& shared, std::vector<Lane*> lanes)
    : shared_(shared), lanes_(std::move(lanes)), replies_(lanes_.begin(), lanes_.end()) {}

Carrier::~Carrier() {
  shared_.alive -= handshakes_.size();
  if (const int file = offered_.exchange(-1); file >= 0) ::close(file);
}

bool Carrier::run(std::size_t budget, const Wake& wake) {
  adopt();
  bool has_worked = receive();
  has_worked = take_requests(budget) || has_worked;
  if (socket_.is_open() && !socket_.flush()) lose();
  for (ReplyQueue& queue : replies_) queue.flush();
  return tell(wake) || has_worked;
}

void Carrier::reap() {}  // deadlines are the processor's; when it is gone, lose() has ended all

bool Carrier::has_requests() const noexcept {
  if (offered_.load(std::memory_order_relaxed) >= 0) return true;
  if (!socket_.is_open() || unanswered_ >= kWindow || socket_.unsent_bytes() > kMaxUnsentBytes) return false;
  return std::any_of(lanes_.begin(), lanes_.end(), [](const Lane* lane) { return lane->to.size() != 0; });
}

int Carrier::sleep_ms() const noexcept {
  return std::any_of(replies_.begin(), replies_.end(), [](const ReplyQueue& queue) { return queue.held() != 0; }) ? ReplyQueue::kRetryMs : -1;
}

LaneServer::Source Carrier::source() const noexcept {
  return {socket_.file(), static_cast<short>(POLLIN | (socket_.has_unsent() ? POLLOUT : 0))};
}

void Carrier::connect(int file) noexcept {
  const int old = offered_.exchange(file, std::memory_order_acq_rel);  // pairs with adopt()
  if (old >= 0) ::close(old);
}

bool Carrier::is_stuck(Tick now, std::uint64_t patience_us) const noexcept {
  const std::uint64_t since_us = waiting_since_us_.load(std::memory_order_relaxed);
  return since_us != 0 && now - Tick{since_us} > patience_us;
}

void Carrier::adopt() {
  const int file = offered_.exchange(-1, std::memory_order_acq_rel);
  if (file < 0) return;
  lose();
  socket_ = FrameSocket(file, kMaxDataFrameBytes);
}

/// The processor is gone, or no longer to be believed: its handshakes end, nothing else does.
void Carrier::lose() {
  socket_.close();
  unanswered_ = 0;
  waiting_since_us_.store(0, std::memory_order_relaxed);
  for (const auto& [key, generation] : handshakes_) {
    auto reply = std::make_unique<Reply>();
    reply->kind = Reply::Kind::failed;
    reply->token = {static_cast<std::uint32_t>(key), generation};
    reply->failure = HandshakeFailure::processor_lost;
    reply->detail = "the secure processor ended";
    shared_.failed.fetch_add(1, std::memory_order_relaxed);
    replies_[static_cast<std::uint32_t>(key >> 32)].push(std::move(reply));
  }
  shared_.alive.fetch_sub(handshakes_.size(), std::memory_order_relaxed);
  handshakes_.clear();
}

bool Carrier::take_requests(std::size_t budget) {
  bool has_worked = false;
  for (std::uint32_t lane = 0; lane < lanes_.size(); ++lane) {
    std::unique_ptr<Request> request;
    for (std::size_t n = 0; n < budget && socket_.is_open() && unanswered_ < kWindow; ++n) {
      if (socket_.unsent_bytes() > kMaxUnsentBytes || !lanes_[lane]->to.pop(request)) break;
      send(lane, *request);
      has_worked = true;
    }
  }
  return has_worked;
}

void Carrier::send(std::uint32_t lane, const Request& request) {
  const std::uint64_t key = key_of(lane, request.token.flow);
  if (is_beginning(request.kind)) {
    if (handshakes_.insert_or_assign(key, request.token.generation).second) shared_.alive.fetch_add(1, std::memory_order_relaxed);
  } else {
    const auto known = handshakes_.find(key);
    if (known == handshakes_.end() || known->second != request.token.generation) return;  // it has ended, and the worker was told
    if (request.kind == Request::Kind::cancel) {
      handshakes_.erase(known);
      shared_.alive.fetch_sub(1, std::memory_order_relaxed);
    }
  }
  const Tick now = shared_.clock();
  write(socket_.out(), lane, request, now);
  if (++unanswered_ == 1) waiting_since_us_.store(now.us, std::memory_order_relaxed);
}

bool Carrier::receive() {
  if (!socket_.is_open()) return false;
  bool has_worked = false;
  const auto take = [&](FrameKind kind, Bytes body) {
    has_worked = true;
    return take_frame(kind, body);
  };
  if (!socket_.receive(take)) lose();
  return has_worked;
}

bool Carrier::take_frame(FrameKind kind, Bytes body) {
  FrameReader in(body);
  std::uint32_t taken = 0;
  if (kind == FrameKind::reply) return take_reply(in);
  if (kind != FrameKind::taken || !read_taken(in, taken)) return false;
  served(taken);
  return true;
}

bool Carrier::take_reply(FrameReader& in) {
  std::uint32_t lane = 0, taken = 0;
  auto reply = std::make_unique<Reply>();
  if (!read(in, lane, taken, *reply) || lane >= lanes_.size() || replies_[lane].held() >= kMaxHeldReplies) return false;
  served(taken);
  const auto known = handshakes_.find(key_of(lane, reply->token.flow));
  if (known == handshakes_.end() || known->second != reply->token.generation) return true;  // cancelled meanwhile
  if (reply->kind != Reply::Kind::output) {
    handshakes_.erase(known);
    shared_.alive.fetch_sub(1, std::memory_order_relaxed);
    count(*reply);
  }
  replies_[lane].push(std::move(reply));
  return true;
}

void Carrier::count(const Reply& reply) noexcept {
  constexpr auto relaxed = std::memory_order_relaxed;
  if (reply.kind == Reply::Kind::failed) {
    shared_.failed.fetch_add(1, relaxed);
  } else {
    shared_.handshakes.fetch_add(1, relaxed);
    if (reply.established->is_resumed) shared_.resumed.fetch_add(1, relaxed);
  }
}

void Carrier::served(std::uint32_t requests) noexcept {
  unanswered_ -= std::min(unanswered_, requests);
  waiting_since_us_.store(unanswered_ == 0 ? 0 : shared_.clock().us, std::memory_order_relaxed);
}

bool Carrier::tell(const Wake& wake) {
  bool has_told = false;
  for (std::size_t lane = 0; lane < replies_.size(); ++lane) {
    if (!replies_[lane].take_news()) continue;
    has_told = true;
    if (wake) wake(static_cast<std::uint32_t>(lane));
  }
  return has_told;
}

}  // namespace cutwater::secure
