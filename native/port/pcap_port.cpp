// Capture files by libpcap.
// Thread: owning worker.
#include "port/pcap_port.hpp"

#include <pcap/pcap.h>

#include <cstring>

namespace cutwater::port {

Result<std::unique_ptr<PcapPort>, std::string> PcapPort::open(const PcapConfig& config, ChunkPool& pool) {
  std::unique_ptr<PcapPort> port(new PcapPort(pool));
  port->report_.kind = "pcap";
  port->report_.device = config.replay_path.empty() ? config.record_path : config.replay_path;
  if (!config.replay_path.empty()) {
    if (auto done = port->open_replay(config.replay_path); !done) return Failure{done.error()};
  }
  if (!config.record_path.empty()) {
    if (auto done = port->open_record(config.record_path); !done) return Failure{done.error()};
  }
  return port;
}

PcapPort::~PcapPort() {
  if (record_ != nullptr) pcap_dump_close(record_);
  if (format_ != nullptr) pcap_close(format_);
  if (replay_ != nullptr) pcap_close(replay_);
}

Result<bool, std::string> PcapPort::open_replay(const std::string& path) {
  char why[PCAP_ERRBUF_SIZE] = {};
  replay_ = pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, why);
  if (replay_ == nullptr) return Failure{std::string(why).find(path) == 0 ? std::string(why) : path + ": " + why};
  if (pcap_datalink(replay_) != DLT_EN10MB) return Failure{path + ": not a capture of Ethernet packets"};
  is_at_end_ = false;
  return true;
}

Result<bool, std::string> PcapPort::open_record(const std::string& path) {
  format_ = pcap_open_dead_with_tstamp_precision(DLT_EN10MB, kLargeChunkBytes, PCAP_TSTAMP_PRECISION_NANO);
  if (format_ == nullptr) return Failure{path + ": out of memory"};
  record_ = pcap_dump_open(format_, path.c_str());
  if (record_ == nullptr) return Failure{std::string(pcap_geterr(format_))};
  return true;
}

std::size_t PcapPort::rx(std::span<Packet> burst) noexcept {
  std::size_t count = 0;
  while (count < burst.size() && !is_at_end_) {
    auto packet = pool_.take();
    if (!packet) {
      ++counters_.rx_pool_dry;
      break;
    }
    pcap_pkthdr* header = nullptr;
    const std::uint8_t* bytes = nullptr;
    is_at_end_ = pcap_next_ex(replay_, &header, &bytes) != 1;
    if (is_at_end_ || header->caplen != header->len || header->len > pool_.max_packet_bytes()) {
      if (!is_at_end_) ++counters_.rx_oversize;
      pool_.put(packet->chunk);
      continue;
    }
    std::memcpy(packet->data, bytes, header->caplen);
    packet->bytes = header->caplen;
    seconds_ = header->ts.tv_sec;
    nanoseconds_ = header->ts.tv_usec;  // nanoseconds: that precision was asked for
    burst[count++] = *packet;
  }
  return count;
}

std::size_t PcapPort::tx(std::span<const Packet> burst) noexcept {
  for (const Packet& packet : burst) {
    if (record_ != nullptr) {
      pcap_pkthdr header{};
      header.ts.tv_sec = seconds_;
      header.ts.tv_usec = nanoseconds_;
      header.caplen = header.len = packet.bytes;
      pcap_dump(reinterpret_cast<std::uint8_t*>(record_), &header, packet.data);
    }
    pool_.put(packet.chunk);
  }
  return burst.size();
}

bool PcapPort::flush() noexcept { return record_ == nullptr || pcap_dump_flush(record_) == 0; }

}  // namespace cutwater::port
