// One secure processor: the handshakes of one thread, and what it answers to requests.
// Not here: threads and sleep (pool.cpp), TLS (openssl_session.hpp). Thread: its own; counters are read by any.
// Implements: A5, H4, H8.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "secure/lane_server.hpp"
#include "secure/openssl_session.hpp"
#include "secure/reply_queue.hpp"
#include "secure/service_table.hpp"

namespace cutwater::secure {

/// What the processors of a pool share.
struct ProcessorShared {
  std::function<Tick()> clock;
  std::uint32_t max_handshakes = 0;
  KeyLog* key_log = nullptr;  // may be nullptr
  ServiceTable services;
  std::atomic<std::uint64_t> alive{0};  // TLS objects, over all threads; a counter, ordered with nothing
  std::atomic<std::uint64_t> handshakes{0}, resumed{0}, failed{0};
};

class Processor final : public LaneServer {
 public:
  /// `lanes` are this processor's, one per link. They and `shared` outlive it.
  Processor(ProcessorShared& shared, std::vector<Lane*> lanes);
  ~Processor() override;
  Processor(const Processor&) = delete;
  Processor& operator=(const Processor&) = delete;

  bool run(std::size_t budget, const Wake& wake) override;
  void reap() override;
  [[nodiscard]] bool has_requests() const noexcept override;
  [[nodiscard]] int sleep_ms() const noexcept override;
  [[nodiscard]] bool has_handshakes() const noexcept { return !handshakes_.empty(); }

 private:
  struct Handshake {
    std::size_t lane;
    Token token;
    Tick deadline;
    std::unique_ptr<OpensslSession> session;
  };
  using Handshakes = std::list<Handshake>;
  static std::uint64_t key_of(std::size_t lane, Token token) noexcept {
    return static_cast<std::uint64_t>(lane) << 32 | token.flow;
  }
  /// Wakes the link's worker when it has got replies. Returns: whether it had.
  bool tell(std::size_t lane, const Wake& wake);
  void serve(std::size_t lane, Request& request);
  void start(std::size_t lane, Request& request);
  bool make_room();
  void feed(Handshakes::iterator at, const Request& request);
  Handshakes::iterator find(std::size_t lane, Token token) noexcept;
  void erase(Handshakes::iterator at) noexcept;
  void reply_failure(std::size_t lane, Token token, const FailureReport& report, std::vector<std::uint8_t> bytes = {},
                     std::uint32_t consumed_bytes = 0);

  ProcessorShared& shared_;
  std::vector<Lane*> lanes_;
  std::vector<ReplyQueue> replies_;  // per lane; one that holds some waits
  Handshakes handshakes_;  // each waits for its client; oldest first
  std::unordered_map<std::uint64_t, Handshakes::iterator> by_flow_;
  Handshakes::iterator next_reap_ = handshakes_.end();
};

}  // namespace cutwater::secure
