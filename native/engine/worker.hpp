// One pinned thread that runs packets to completion: its ports, its path, its flows. Nobody else touches them; the control
// side posts commands into a mailbox and reads counters.
// Thread: start(), post() and the readers by the control side; the rest is the worker's own.
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/handover.hpp"
#include "path/path.hpp"
#include "port/port.hpp"

namespace cutwater::engine {

inline constexpr std::uint32_t kMaxWorkers = 64;  // keep_own() has one bit for each; as in src/config/schema.ts

struct WorkerConfig {
  std::uint32_t index = 0;
  std::uint32_t workers = 1;
  int cpu = -1;                       // -1: not pinned
  std::uint32_t busy_poll_us = 50;
  bool shares_core = false;           // with a secure processor: what it polls away is taken from handshakes
};

/// What a worker owns, made by the control side before the thread starts.
struct WorkerParts {
  std::unique_ptr<port::ChunkPool> pool;
  std::unique_ptr<port::Port> client_port;
  std::unique_ptr<port::Port> server_port;       // nullptr: one arm, the client port serves both sides
  std::unique_ptr<path::Path> path;
  secure::Pool* secure = nullptr;
  secure::Link* link = nullptr;
  std::vector<Handover*> inbound, outbound;      // by worker index; nullptr for itself
};

/// A flow event without strings, so that it fits a ring; text is cut.
struct EventNote {
  path::FlowEvent event;
  std::array<char, 120> text{};
};

/// Gauges a worker publishes now and then.
struct WorkerGauges {
  std::atomic<std::uint64_t> live_flows{0}, free_chunks{0}, turns{0}, busy_us{0}, handed_over{0}, handover_full{0};
  std::atomic<std::uint64_t> half_open{0}, hellos_waiting{0}, hello_blocks{0};
};

class Worker final : path::EventSink, splice::TraceSink {
 public:
  using Command = std::function<void(path::Path&, Tick now)>;

  Worker(const WorkerConfig& config, WorkerParts parts);
  ~Worker() override;  // stops
  /// All workers by index, so that one can wake the owner of packets it hands over. Before start().
  void set_peers(std::vector<Worker*> peers) { peers_ = std::move(peers); }
  void start();
  /// Stops the thread after its flows were reset; what is staged is still sent.
  void stop();
  /// Returns: false when the mailbox is full.
  bool post(Command command);
  /// Wakes the worker if it sleeps.
  void wake() noexcept;

  [[nodiscard]] const Counters& counters() const noexcept;
  [[nodiscard]] const Counters& server_tls_counters() const noexcept;
  [[nodiscard]] const WorkerGauges& gauges() const noexcept { return gauges_; }
  [[nodiscard]] port::PortCounters client_port_counters() const { return parts_.client_port->counters(); }
  [[nodiscard]] port::PortCounters server_port_counters() const {
    return parts_.server_port ? parts_.server_port->counters() : port::PortCounters{};
  }
  bool take_event(EventNote& out) noexcept { return events_.pop(out); }
  bool take_trace(splice::TraceRecord& out) noexcept { return trace_.pop(out); }
  void trace(bool on);

 private:
  void run() noexcept;
  [[nodiscard]] bool yields_to_processor() const noexcept;
  [[nodiscard]] bool has_polled_enough(Tick now) const noexcept;
  std::size_t turn(Tick now) noexcept;
  std::size_t receive(port::Port& port, path::Side side, Tick now) noexcept;
  std::size_t receive_one_arm(Tick now) noexcept;
  std::size_t take_handover(Tick now) noexcept;
  void keep_own(path::Side side, std::span<port::Packet>& burst) noexcept;
  [[nodiscard]] bool has_waiting() const noexcept;
  void transmit() noexcept;
  void drain_mailbox(Tick now) noexcept;
  void sleep(Tick now) noexcept;
  void publish(Tick now, std::size_t worked) noexcept;
  void event(const path::FlowEvent& e) noexcept override;
  void record(const splice::TraceRecord& entry) noexcept override;

  WorkerConfig config_;
  WorkerParts parts_;
  std::vector<Worker*> peers_;
  SpscRing<std::unique_ptr<Command>, 256> mailbox_;
  SpscRing<EventNote, 1024> events_;
  SpscRing<splice::TraceRecord, 16384> trace_;
  WorkerGauges gauges_;
  std::atomic<bool> is_stopping_{false}, is_asleep_{false};
  int wake_fd_ = -1;
  Tick last_work_, busy_since_;
  std::thread thread_;
};

}  // namespace cutwater::engine
