// The whole packet path over memory: Path::run on bursts, from the Ethernet packet that came to the Ethernet packet to send,
// beside the bare AEAD on the same bytes in the same run. What lasts is the ratio; nanoseconds are this machine's, today.
//   up    a record of the client in one packet, opened in place           down  a segment of the server, sealed in place
//   ack   a pure acknowledgement of the client, translated for the server
// Sizes are TCP payload towards the client: 64, 512, 1,460 bytes hold 42, 490, 1,438 bytes of plaintext under TLS 1.3.
// Timed: Path::run alone. Not timed: writing the packets, taking what it sent, acknowledgements that free spans (see `ack`).
// Packets are hot in the cache when the path gets them, and so are the AEAD's; a NIC with DDIO comes near to that.
//
//   path_bench [--json] [--aead NAME]
//   valgrind --tool=callgrind --toggle-collect='cutwater::path::Path::run*' path_bench --callgrind-friendly up|down|ack 64|512|1460
//     a fixed number of packets for instruction counts; OpenSSL's backend, because valgrind cannot run IPsec-MB's AVX-512 code
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "support/native/allocations.hpp"
#include "support/native/path_rig.hpp"

namespace {

using namespace cutwater;
using namespace cutwater::support;
using path::Side;
using Clock = std::chrono::steady_clock;

constexpr int kRounds = 15, kBurstsPerRound = 40, kCallgrindBursts = 200;
constexpr std::size_t kPayloads[] = {64, 512, 1460}, kBursts[] = {32, 64};
constexpr std::size_t kOverhead = 22;  // of a TLS 1.3 record
enum class Work { up, down, ack };
constexpr const char* kNames[] = {"up", "down", "ack"};

[[noreturn]] void stop(const char* why) {
  std::fprintf(stderr, "path_bench: %s\n", why);
  std::exit(1);
}

struct Sum {
  double ns = 0;
  std::uint64_t allocations = 0;
};

// An established flow, fed by hand: nothing here grows, whatever number of packets goes through.
class Subject {
 public:
  explicit Subject(const record::Aead& aead) : rig_({.aead = &aead}), words_(PathRig::pattern(kPayloads[2])) {
    rig_.establish();
    client_seq_ = rig_.client.seq_at(rig_.client.out.size());
    client_ack_ = rig_.client.ack_number();
    server_seq_ = rig_.server.seq_at(0);
    server_ack_ = rig_.server.ack_number();
  }

  /// One burst. Returns: what Path::run took for it.
  Sum run(Work work, std::size_t payload, std::size_t burst) {
    std::vector<port::Packet> packets;
    for (std::size_t i = 0; i < burst; ++i) packets.push_back(work == Work::up ? up_packet(payload) : down_packet(payload));
    if (work == Work::ack) {
      pass(Side::server, packets);
      packets = ack_packets(payload, burst);
    }
    const Sum sum = pass(work == Work::down ? Side::server : Side::client, packets);
    if (work == Work::up) settle(Side::server, server_segment());
    if (work == Work::down) settle(Side::client, client_segment(client_ack_));
    return sum;
  }

  [[nodiscard]] const PathRig& rig() const { return rig_; }

 private:
  sim::Segment client_segment(std::uint32_t ack) {
    sim::Segment s = rig_.client.segment(0, 0);
    s.seq = client_seq_;
    s.ack = ack;
    return s;
  }
  sim::Segment server_segment() {
    sim::Segment s = rig_.server.segment(0, 0);
    s.seq = server_seq_;
    s.ack = server_ack_;
    return s;
  }
  port::Packet load(const sim::Segment& segment) { return rig_.load(segment, sim::Padding::none); }
  port::Packet up_packet(std::size_t payload) {
    rig_.tls().write(std::string_view(words_).substr(0, payload - kOverhead));
    const ByteVector record = rig_.tls().take();
    if (record.size() != payload) stop("the client's record has another length");
    sim::Segment s = client_segment(client_ack_);
    s.payload = record;
    client_seq_ += static_cast<std::uint32_t>(record.size());
    server_ack_ += static_cast<std::uint32_t>(payload - kOverhead);
    return load(s);
  }
  port::Packet down_packet(std::size_t payload) {
    sim::Segment s = server_segment();
    s.payload = Bytes(reinterpret_cast<const std::uint8_t*>(words_.data()), payload - kOverhead);
    server_seq_ += static_cast<std::uint32_t>(payload - kOverhead);
    client_ack_ += static_cast<std::uint32_t>(payload);
    return load(s);
  }
  std::vector<port::Packet> ack_packets(std::size_t payload, std::size_t burst) {
    std::vector<port::Packet> packets;
    const std::uint32_t from = client_ack_ - static_cast<std::uint32_t>(payload * burst);
    for (std::size_t i = 1; i <= burst; ++i) packets.push_back(load(client_segment(from + static_cast<std::uint32_t>(payload * i))));
    return packets;
  }
  Sum pass(Side side, std::vector<port::Packet>& packets) {
    now_ = now_ + 10;
    const std::uint64_t allocations_before = allocations();
    const auto start = Clock::now();
    rig_.path().run(side, packets, now_);
    const auto end = Clock::now();
    const Sum sum{std::chrono::duration<double, std::nano>(end - start).count(), allocations() - allocations_before};
    rig_.discard_sent();
    return sum;
  }
  void settle(Side side, const sim::Segment& ack) {
    std::vector<port::Packet> packets{load(ack)};
    pass(side, packets);
  }

  PathRig rig_;
  std::string words_;
  Tick now_{10'000'000};
  std::uint32_t client_seq_ = 0, client_ack_ = 0, server_seq_ = 0, server_ack_ = 0;
};

// The bare AEAD over as many buffers as a burst has, in place.
class Bare {
 public:
  explicit Bare(const record::Aead& aead) : aead_(aead), memory_(kBursts[1] * port::kChunkBytes), tags_(kBursts[1]) {
    aead.expand(*record::find_suite(0x1301, record::Version::tls13), keys_, key_);
  }
  double seal_ns(std::size_t bytes, std::size_t burst) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < burst; ++i) {
      if (!aead_.encrypt(key_, keys_.iv, Bytes(memory_).first(5), piece(i, bytes), tags_[i].data())) stop("encrypt failed");
    }
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  }
  double open_ns(std::size_t bytes, std::size_t burst) {
    (void)seal_ns(bytes, burst);
    const auto start = Clock::now();
    for (std::size_t i = 0; i < burst; ++i) {
      if (!aead_.decrypt(key_, keys_.iv, Bytes(memory_).first(5), piece(i, bytes), tags_[i].data())) stop("decrypt failed");
    }
    return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
  }

 private:
  MutableBytes piece(std::size_t i, std::size_t bytes) { return MutableBytes(memory_).subspan(i * port::kChunkBytes + 256 + 66, bytes); }
  const record::Aead& aead_;
  record::TrafficKeys keys_{};
  record::ExpandedKey key_;
  std::vector<std::uint8_t> memory_;
  std::vector<std::array<std::uint8_t, 16>> tags_;
};

struct Spread {
  double median = 0, low = 0, high = 0;
};
Spread spread_of(std::vector<double> rounds) {
  std::sort(rounds.begin(), rounds.end());
  return {rounds[rounds.size() / 2], rounds.front(), rounds.back()};
}

struct Row {
  Work work;
  std::size_t payload, burst;
  Spread path, bare;
  double allocations_per_packet;
  [[nodiscard]] double share() const { return bare.median / path.median; }
};

Row measure(Subject& subject, Bare& bare, Work work, std::size_t payload, std::size_t burst) {
  for (int i = 0; i < 4; ++i) (void)subject.run(work, payload, burst);  // pools grow once
  std::vector<double> path_ns, bare_ns;
  std::uint64_t counted = 0;
  const double packets = static_cast<double>(kBurstsPerRound * static_cast<int>(burst));
  for (int round = 0; round < kRounds; ++round) {
    Sum sum;
    double alone = 0;
    for (int i = 0; i < kBurstsPerRound; ++i) {
      const Sum one = subject.run(work, payload, burst);
      sum.ns += one.ns;
      counted += one.allocations;
      alone += work == Work::up ? bare.open_ns(payload - kOverhead, burst) : bare.seal_ns(payload - kOverhead, burst);
    }
    path_ns.push_back(sum.ns / packets);
    bare_ns.push_back(alone / packets);
  }
  return {work, payload, burst, spread_of(path_ns), spread_of(bare_ns), static_cast<double>(counted) / (packets * kRounds)};
}

// Every packet must have gone the way that was meant to be measured.
void check_paths(const PathRig& rig, std::uint64_t up, std::uint64_t down) {
  if (rig.count(Count::cut_through_up_packets) != up || rig.count(Count::records_sealed) != down || rig.count(Count::held_down_packets) != 0 ||
      rig.count(Count::custody_entered) != 0) {
    stop("packets left the path that is measured");
  }
}

void print_row(const Row& row, bool is_json, bool is_first) {
  const bool has_bare = row.work != Work::ack;
  if (is_json) {
    std::printf("%s\n  {\"work\":\"%s\",\"payloadBytes\":%zu,\"burst\":%zu,\"nsPerPacket\":%.1f,\"lowNs\":%.1f,\"highNs\":%.1f,\"allocationsPerPacket\":%.4f",
                is_first ? "" : ",", kNames[static_cast<int>(row.work)], row.payload, row.burst, row.path.median, row.path.low, row.path.high,
                row.allocations_per_packet);
    if (has_bare) std::printf(",\"aeadNs\":%.1f,\"aeadLowNs\":%.1f,\"aeadHighNs\":%.1f,\"shareOfAead\":%.3f", row.bare.median, row.bare.low, row.bare.high, row.share());
    std::printf("}");
    return;
  }
  std::printf("%-5s %6zu %6zu %9.0f %7.0f..%-7.0f", kNames[static_cast<int>(row.work)], row.payload, row.burst, row.path.median, row.path.low, row.path.high);
  if (has_bare) std::printf(" %9.0f %8.0f %%", row.bare.median, 100 * row.share());
  else std::printf(" %9s %10s", "-", "-");
  std::printf(" %12.4f\n", row.allocations_per_packet);
}

int count_instructions(const char* work_name, const char* payload_text) {
  const auto* const found = std::find_if(std::begin(kNames), std::end(kNames), [&](const char* n) { return std::strcmp(n, work_name) == 0; });
  const auto payload = static_cast<std::size_t>(std::atoi(payload_text));
  if (found == std::end(kNames) || std::find(std::begin(kPayloads), std::end(kPayloads), payload) == std::end(kPayloads)) stop("up|down|ack 64|512|1460");
  Subject subject(*record::find_aead("openssl"));
  for (int i = 0; i < kCallgrindBursts; ++i) (void)subject.run(static_cast<Work>(found - std::begin(kNames)), payload, 32);
  std::printf("%d packets %s of %zu bytes in bursts of 32, OpenSSL's AEAD; %s\n", kCallgrindBursts * 32, work_name, payload,
              std::strcmp(work_name, "ack") == 0 ? "as many sealed segments are in the count: take off what `down` gives"
                                                 : "one acknowledgement a burst is in the count");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool is_json = false;
  const record::Aead* aead = &record::default_aead();
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument{argv[i]};
    if (argument == "--callgrind-friendly" && i + 2 < argc) return count_instructions(argv[i + 1], argv[i + 2]);
    if (argument == "--json") is_json = true;
    else if (argument == "--aead" && i + 1 < argc) aead = record::find_aead(argv[++i]);
    else stop("[--json] [--aead NAME] | --callgrind-friendly up|down|ack 64|512|1460");
  }
  if (aead == nullptr) stop("no such AEAD backend here");
  Subject subject(*aead);
  Bare bare(*aead);
  if (is_json) std::printf("{\"aead\":\"%s\",\"suite\":\"TLS_AES_128_GCM_SHA256\",\"rounds\":%d,\"rows\":[", aead->name.data(), kRounds);
  else std::printf("TLS_AES_128_GCM_SHA256 by %s; medians of %d rounds; share = bare AEAD / path\n%-5s %6s %6s %9s %16s %9s %10s %12s\n", aead->name.data(),
                   kRounds, "work", "bytes", "burst", "ns/packet", "low..high", "AEAD ns", "share", "allocations");
  bool is_first = true;
  std::uint64_t up = 0, down = 0;
  for (const std::size_t payload : kPayloads) {
    for (const std::size_t burst : kBursts) {
      for (const Work work : {Work::up, Work::down, Work::ack}) {
        print_row(measure(subject, bare, work, payload, burst), is_json, is_first);
        is_first = false;
        (work == Work::up ? up : down) += (4 + kRounds * kBurstsPerRound) * burst;
      }
    }
  }
  if (is_json) std::printf("\n]}\n");
  check_paths(subject.rig(), up, down);
}
