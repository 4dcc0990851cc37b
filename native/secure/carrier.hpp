// The dataplane's end of one secure processor in another process: takes requests from lanes, has them answered there, pushes the
// replies. It knows which handshakes are there, so that each of them ends when the processor does; what has not been sent waits in
// the lanes for the next one. Bounded: at most kWindow requests are unanswered, so that a backlog stays where it is ordered.
// Not here: starting processes (processor_process.hpp), the bytes of frames (hand_off.hpp).
// Thread: its pool thread; connect() and is_stuck() by the keeper. Implements: H4, H5.
#pragma once

#include <atomic>
#include <unordered_map>
#include <vector>

#include "secure/frame_socket.hpp"
#include "secure/lane_server.hpp"
#include "secure/reply_queue.hpp"

namespace cutwater::secure {

struct ProcessorShared;

class Carrier final : public LaneServer {
 public:
  static constexpr std::uint32_t kWindow = 64;

  Carrier(ProcessorShared& shared, std::vector<Lane*> lanes);
  ~Carrier() override;

  bool run(std::size_t budget, const Wake& wake) override;
  void reap() override;
  [[nodiscard]] bool has_requests() const noexcept override;
  [[nodiscard]] int sleep_ms() const noexcept override;
  [[nodiscard]] Source source() const noexcept override;

  /// Gives it a new connection; the one before is over. The caller rings its thread's bell afterwards.
  void connect(int file) noexcept;
  /// Whether requests have been with the processor for longer than `patience_us` without a word from it.
  [[nodiscard]] bool is_stuck(Tick now, std::uint64_t patience_us) const noexcept;

 private:
  static std::uint64_t key_of(std::uint32_t lane, std::uint32_t flow) noexcept { return std::uint64_t{lane} << 32 | flow; }
  void adopt();
  void lose();
  bool take_requests(std::size_t budget);
  void send(std::uint32_t lane, const Request& request);
  bool receive();
  bool take_frame(FrameKind kind, Bytes body);
  bool take_reply(FrameReader& in);
  void count(const Reply& reply) noexcept;
  void served(std::uint32_t requests) noexcept;
  bool tell(const Wake& wake);

  ProcessorShared& shared_;
  std::vector<Lane*> lanes_;
  std::vector<ReplyQueue> replies_;                              // per lane
  FrameSocket socket_;
  std::unordered_map<std::uint64_t, std::uint32_t> handshakes_;  // at the processor: lane and flow -> generation
  std::uint32_t unanswered_ = 0;
  std::atomic<int> offered_{-1};                                 // a connection to change to; -1: none
  std::atomic<std::uint64_t> waiting_since_us_{0};               // since when the processor owes a word; 0: it owes none
};

}  // namespace cutwater::secure
