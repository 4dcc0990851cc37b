// What a client costs that sends a valid hello and never goes on, beside a whole handshake, in one run: core time and
// instructions of Path::run for its SYN, its server's SYN-ACK, its ACK, and its hello, answered with a HelloRetryRequest, from a
// template (RSA key exchange) or refused; what a secure processor uses for a full ECDSA P-256 handshake; and the memory that so many half-open clients take.
// Not timed: making the packets. Instructions are counted by callgrind in a second run of this program, where valgrind is
// installed; there the processor lacks AVX-512, and so is each ratio.
// Run: hello_flood_bench [--json] [CLIENTS]
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>

#include "native/secure/test_pki.hpp"
#include "port/port.hpp"
#include "secure/first_flight.hpp"
#include "support/native/path_rig.hpp"

#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_TOGGLE_COLLECT ((void)0)
#define CALLGRIND_DUMP_STATS_AT(name) ((void)0)
#endif

namespace {

using namespace cutwater;
using namespace cutwater::support;
using path::Side;

/// Core time of this thread between start() and stop(), added up; callgrind collects meanwhile.
class Meter {
 public:
  void start() {
    CALLGRIND_TOGGLE_COLLECT;
    ns_ -= now();
  }
  void stop() {
    ns_ += now();
    CALLGRIND_TOGGLE_COLLECT;
  }
  [[nodiscard]] double ns() const { return ns_; }

 private:
  static double now() {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return static_cast<double>(used.tv_sec) * 1e9 + static_cast<double>(used.tv_nsec);
  }
  double ns_ = 0;
};

[[noreturn]] void stop(const char* why) {
  std::fprintf(stderr, "hello_flood_bench: %s\n", why);
  std::exit(1);
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

secure::ServiceTls legacy_shop() {
  secure::ServiceTls service = secure::test::shop(secure::test::KeyType::rsa);
  service.legacy_rsa_key_exchange = true;
  return service;
}

/// A path whose clients know nothing but RSA key exchange. A block each.
RigPlan legacy_plan(std::uint32_t clients) {
  RigPlan plan{.suite = 0x009c, .chunks = 4096, .max_flows = 1024, .max_half_open = clients, .blocks = {16, clients, 16}, .aead = record::find_aead("openssl")};
  plan.adjust = [](path::Services& services) { services.list.front().hello.rsa_flights = secure::first_flights(legacy_shop()); };
  return plan;
}

/// Many clients at one path, each with an address of its own; they share a hello, as a flood's do.
class Flood {
 public:
  Flood(std::uint32_t clients, path::Retry retry)
      : Flood(clients, {.chunks = 4096, .max_flows = 1024, .max_half_open = clients, .blocks = {clients, 512, 16}, .retry = retry, .aead = record::find_aead("openssl")}) {}
  Flood(std::uint32_t clients, const RigPlan& plan) : rig_(plan), clients_(clients) {
    rig_.tls().step();
    hello_ = rig_.tls().take();
  }
  void damage_hello() { hello_[9 + 2 + 32] = 33; }  // a session ID longer than there are

  /// One step of every client, in bursts.
  template <class Make>
  void each(Side side, Meter& meter, Make make) {
    for (std::uint32_t at = 0; at < clients_; at += port::kBurst) {
      std::vector<port::Packet> burst;
      for (std::uint32_t i = at; i < std::min<std::uint32_t>(at + port::kBurst, clients_); ++i) burst.push_back(load(make(i)));
      meter.start();
      rig_.path().run(side, burst, now_);
      meter.stop();
      rig_.discard_sent();
      now_ = now_ + 10;
    }
  }
  void connect(Meter& meter) {
    each(Side::client, meter, [&](std::uint32_t i) { return from(i, rig_.client.syn(sim::kSyn)); });
    each(Side::server, meter, [&](std::uint32_t i) { return to(i, rig_.server.syn(sim::kSyn | sim::kAck)); });
    each(Side::client, meter, [&](std::uint32_t i) { return from(i, client_segment({})); });
  }
  void greet(Meter& meter) {
    each(Side::client, meter, [&](std::uint32_t i) { return from(i, client_segment(hello_)); });
  }
  [[nodiscard]] std::uint64_t count(Count c) const { return rig_.count(c); }
  [[nodiscard]] std::uint32_t live() { return rig_.path().live_flows(); }
  [[nodiscard]] double clients() const { return clients_; }

 private:
  static IpAddress address(std::uint32_t i) {
    const std::array<std::uint8_t, 4> bytes{10, static_cast<std::uint8_t>(64 + (i >> 16)), static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)};
    return IpAddress::from_v4(bytes.data());
  }
  sim::Segment client_segment(Bytes payload) {
    sim::Segment s = rig_.client.segment(0, 0);
    s.ack = rig_.server.isn + 1U;
    s.payload = payload;
    return s;
  }
  static sim::Segment from(std::uint32_t i, sim::Segment s) { return s.source = address(i), s; }
  sim::Segment to(std::uint32_t i, sim::Segment s) const {
    s.target = address(i);
    s.ack = rig_.client.isn + 1U;
    return s;
  }
  port::Packet load(const sim::Segment& segment) { return rig_.load(segment, sim::Padding::none); }

  PathRig rig_;
  std::uint32_t clients_;
  ByteVector hello_;
  Tick now_{1'000'000};
};

/// A secure processor's share of full handshakes.
void shake_hands(Meter& meter, int handshakes) {
  const auto pool = make_secure_pool(0, [] { return Tick{1'000'000}; });
  for (int i = 0; i < handshakes; ++i) {
    secure::test::TlsClient client([](SSL_CTX* context) { SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION); });
    for (int flight = 0; flight < 2; ++flight) {
      client.step();
      auto request = std::make_unique<secure::Request>();
      request->kind = flight == 0 ? secure::Request::Kind::start : secure::Request::Kind::input;
      request->token = {static_cast<std::uint32_t>(i), 1};
      request->bytes = client.take();
      (void)pool->link(0).post(std::move(request));
      meter.start();
      pool->run_pending();
      meter.stop();
      for (auto reply = pool->link(0).poll(); reply != nullptr; reply = pool->link(0).poll()) client.give(reply->bytes);
    }
  }
  if (pool->stats().handshakes != static_cast<std::uint64_t>(handshakes)) stop("handshakes failed");
}

constexpr int kHandshakes = 300;
constexpr std::uint32_t kDeferred = 2'048;
constexpr std::uint32_t kRefused = 2'048;  // few: who is refused gets an alert, as long as there is room for its flow

/// Core time of each stage, all clients together, and what memory they took.
struct Figures {
  Meter handshake, tcp, retried, deferred, refused;
  double open_bytes = 0, answered_bytes = 0;
};

Figures measure(std::uint32_t clients, int handshakes) {
  Figures m;
  shake_hands(m.handshake, handshakes);
  CALLGRIND_DUMP_STATS_AT("handshake");
  {
    const std::size_t before = resident_bytes();
    Flood flood(clients, path::Retry::always);
    const std::size_t empty = resident_bytes();
    flood.connect(m.tcp);
    CALLGRIND_DUMP_STATS_AT("tcp");
    m.open_bytes = static_cast<double>(resident_bytes() - empty) / clients;
    flood.greet(m.retried);
    CALLGRIND_DUMP_STATS_AT("retried");
    m.answered_bytes = static_cast<double>(resident_bytes() - before) / clients;
    if (flood.count(Count::hellos_retried) != clients || flood.live() != clients) stop("not all were retried");
  }
  Meter unused;
  {
    Flood legacy(kDeferred, legacy_plan(kDeferred));
    legacy.connect(unused);
    CALLGRIND_DUMP_STATS_AT("unused");
    legacy.greet(m.deferred);
    CALLGRIND_DUMP_STATS_AT("deferred");
    if (legacy.count(Count::hellos_deferred) != kDeferred || legacy.live() != kDeferred) stop("not all were deferred");
  }
  Flood bad(kRefused, path::Retry::never);
  bad.damage_hello();
  bad.connect(unused);
  CALLGRIND_DUMP_STATS_AT("unused");
  bad.greet(m.refused);
  CALLGRIND_DUMP_STATS_AT("refused");
  return m;
}

/// Instructions of each stage, by its name: a second run under callgrind, which writes one file for each. Empty without valgrind.
std::map<std::string, double> count_instructions(const char* program, std::uint32_t clients, int handshakes) {
  std::map<std::string, double> counts;
  char folder[] = "/tmp/hello-flood-XXXXXX";
  if (mkdtemp(folder) == nullptr) return counts;
  const std::string command = "valgrind --quiet --tool=callgrind --collect-atstart=no --callgrind-out-file=" + std::string(folder) + "/out " + program +
                              " --counted " + std::to_string(clients) + " " + std::to_string(handshakes) + " >" + folder + "/log 2>&1";
  const int result = std::system(command.c_str());
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    std::ifstream lines(file.path());
    std::string name;
    constexpr std::string_view kTrigger = "desc: Trigger: Client Request: ", kTotals = "totals: ";
    for (std::string line; result == 0 && std::getline(lines, line);) {
      if (line.starts_with(kTrigger)) name = line.substr(kTrigger.size());
      if (line.starts_with(kTotals) && !name.empty()) counts[name] = std::atof(line.c_str() + kTotals.size());
    }
  }
  std::filesystem::remove_all(folder);
  return counts;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view first = argc > 1 ? argv[1] : "";
  if (first == "--counted" && argc == 4) return measure(static_cast<std::uint32_t>(std::atoi(argv[2])), std::atoi(argv[3])), 0;
  const bool is_json = first == "--json";
  const auto clients = static_cast<std::uint32_t>(argc > (is_json ? 2 : 1) ? std::atoi(argv[argc - 1]) : 200'000);
  const Figures m = measure(clients, kHandshakes);
  constexpr std::uint32_t kCounted = 2'048;
  constexpr int kCountedHandshakes = 20;
  auto counts = count_instructions(argv[0], kCounted, kCountedHandshakes);
  struct Row {
    const char* name;
    double ns, instructions;
  };
  const double each = kCounted;
  const std::array<Row, 5> rows{{{"handshake", m.handshake.ns() / kHandshakes, counts["handshake"] / kCountedHandshakes},
                                 {"tcp", m.tcp.ns() / clients, counts["tcp"] / each},
                                 {"retried", m.retried.ns() / clients, counts["retried"] / each},
                                 {"deferred", m.deferred.ns() / kDeferred, counts["deferred"] / kDeferred},
                                 {"refused", m.refused.ns() / kRefused, counts["refused"] / kRefused}}};
  const Row& whole = rows[0];
  if (is_json) {
    std::printf("{\"clients\":%u,\"halfOpenBytes\":%.0f,\"answeredBytes\":%.0f", clients, m.open_bytes, m.answered_bytes);
    for (const Row& row : rows) std::printf(",\"%s\":{\"ns\":%.0f,\"instructions\":%.0f}", row.name, row.ns, row.instructions);
    std::printf("}\n");
    return 0;
  }
  constexpr std::array<const char*, 5> kLabels{"full ECDSA P-256 handshake", "TCP: SYN, SYN-ACK, ACK", "a hello retried", "a hello deferred (RSA)", "a hello refused"};
  std::printf("%-32s %10s %14s %10s %14s\n", "", "ns", "instructions", "cheaper", "in instr.");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::printf("%-32s %10.0f %14.0f %9.1fx", kLabels[i], rows[i].ns, rows[i].instructions, whole.ns / rows[i].ns);
    if (rows[i].instructions != 0) std::printf(" %13.1fx", whole.instructions / rows[i].instructions);
    std::printf("\n");
  }
  std::printf("%-32s %10.0f   resident, its table entries and timer with it; %u at once\n", "bytes a half-open client", m.open_bytes, clients);
  std::printf("%-32s %10.0f   the empty tables with it\n", "bytes with an answer on its way", m.answered_bytes);
  return 0;
}
