// A capture file as a port: rx replays it, tx is written to another file. As fast as the worker asks; no waiting, no
// clock (I7). Thread: owning worker.
#pragma once

#include <memory>
#include <string>

#include "port/port.hpp"

struct pcap;
struct pcap_dumper;

namespace cutwater::port {

struct PcapConfig {
  std::string replay_path;  // pcap or pcapng with Ethernet packets; "" replays nothing
  std::string record_path;  // pcap; overwritten; "" records nothing
};

class PcapPort final : public Port {
 public:
  /// Errors: a file that cannot be read or written, or holds no Ethernet packets.
  static Result<std::unique_ptr<PcapPort>, std::string> open(const PcapConfig& config, ChunkPool& pool);
  ~PcapPort() override;  // writes out what is buffered
  PcapPort(const PcapPort&) = delete;
  PcapPort& operator=(const PcapPort&) = delete;

  /// Packets that were captured only in part are left out and counted with the oversized.
  std::size_t rx(std::span<Packet> burst) noexcept override;
  /// Each packet is written with the time of the packet replayed last.
  std::size_t tx(std::span<const Packet> burst) noexcept override;
  [[nodiscard]] int fd() const noexcept override { return -1; }
  [[nodiscard]] const PortReport& report() const noexcept override { return report_; }
  [[nodiscard]] PortCounters counters() const noexcept override { return counters_; }

  /// True when the replay has come to its end, or to a place where the file is damaged.
  [[nodiscard]] bool is_at_end() const noexcept { return is_at_end_; }
  /// Makes what was sent so far visible in the file. Returns: false when the disk refuses.
  bool flush() noexcept;

 private:
  explicit PcapPort(ChunkPool& pool) : pool_(pool) {}
  Result<bool, std::string> open_replay(const std::string& path);
  Result<bool, std::string> open_record(const std::string& path);

  ChunkPool& pool_;
  pcap* replay_ = nullptr;
  pcap* format_ = nullptr;  // says what the recorded file's header says
  pcap_dumper* record_ = nullptr;
  bool is_at_end_ = true;
  std::int64_t seconds_ = 0, nanoseconds_ = 0;  // time of the packet replayed last
  PortReport report_;
  PortCounters counters_;
};

}  // namespace cutwater::port
