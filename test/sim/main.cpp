// cutwater_sim: random connections over bad networks, by the thousand, each repeatable from its seed.
//   cutwater_sim --seeds 1..100000 --profile all --json
//   cutwater_sim --seed 4711 --profile loss-5 --trace
// With --profile all, seed n runs on profile n modulo their number.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <string>

#include "sim/run.hpp"

namespace {

using namespace cutwater;
using Clock = std::chrono::steady_clock;

struct Arguments {
  std::uint64_t first = 1, last = 1'000;
  std::string profile = "all", device = "path";
  bool json = false, trace = false, list = false, digests = false;
  std::uint64_t stop_after = 10;  // failures
};

int usage() {
  std::fputs(
      "usage: cutwater_sim [--seeds A..B | --seed N] [--profile NAME|all] [--device path|reference|router]\n"
      "                    [--trace] [--json] [--digests] [--stop-after N] [--list]\n",
      stderr);
  return 2;
}

bool parse(int argc, char** argv, Arguments& a) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    if (name == "--json") a.json = true;
    else if (name == "--trace") a.trace = true;
    else if (name == "--list") a.list = true;
    else if (name == "--digests") a.digests = true;
    else if (i + 1 == argc) return false;
    else if (name == "--seed") a.first = a.last = std::stoull(argv[++i]);
    else if (name == "--profile") a.profile = argv[++i];
    else if (name == "--device") a.device = argv[++i];
    else if (name == "--stop-after") a.stop_after = std::stoull(argv[++i]);
    else if (name == "--seeds") {
      const std::string range = argv[++i];
      const auto dots = range.find("..");
      if (dots == std::string::npos) return false;
      a.first = std::stoull(range.substr(0, dots));
      a.last = std::stoull(range.substr(dots + 2));
    } else {
      return false;
    }
  }
  return a.first <= a.last;
}

struct Totals {
  std::uint64_t runs = 0, connections = 0, completed = 0, packets = 0, bytes = 0, failures = 0;
  std::map<std::string, std::uint64_t> failures_by_profile;
  Clock::time_point start = Clock::now();
  std::clock_t cpu_start = std::clock();
  [[nodiscard]] double minutes() const { return std::chrono::duration<double>(Clock::now() - start).count() / 60; }
  /// Of one core: what the machine did beside it does not count.
  [[nodiscard]] double per_core_minute() const {
    return static_cast<double>(connections) * 60 * CLOCKS_PER_SEC / static_cast<double>(std::max<std::clock_t>(std::clock() - cpu_start, 1));
  }
};

void report_failure(const sim::RunResult& r, std::uint64_t seed, const std::string& profile, const std::string& device) {
  std::printf("FAIL seed %llu profile %s\n", static_cast<unsigned long long>(seed), profile.c_str());
  for (const auto& f : r.findings.list()) {
    std::printf("  %-8s connection %zu at %.6f s: %s\n", f.invariant.c_str(), f.connection, static_cast<double>(f.at_us) / 1e6, f.what.c_str());
  }
  std::printf("  replay: cutwater_sim --seed %llu --profile %s%s --trace\n", static_cast<unsigned long long>(seed), profile.c_str(),
              device == "path" ? "" : (" --device " + device).c_str());
  std::fflush(stdout);  // a run of hours may be ended from outside
}

void report_progress(const Totals& t, std::uint64_t seed) {
  std::fprintf(stderr, "seed %llu: %llu connections, %llu failures, %.0f connections/min\n", static_cast<unsigned long long>(seed),
               static_cast<unsigned long long>(t.connections), static_cast<unsigned long long>(t.failures),
               static_cast<double>(t.connections) / t.minutes());
}

void report_totals(const Totals& t, const Arguments& a) {
  const auto rate = static_cast<double>(t.connections) / t.minutes();
  if (a.json) {
    std::printf("{\"seeds\":\"%llu..%llu\",\"profile\":\"%s\",\"device\":\"%s\",\"runs\":%llu,\"connections\":%llu,\"completed\":%llu,"
                "\"packets\":%llu,\"bytes\":%llu,\"failures\":%llu,\"connections_per_min\":%.0f,\"connections_per_core_min\":%.0f,\"failures_by_profile\":{",
                static_cast<unsigned long long>(a.first), static_cast<unsigned long long>(a.last), a.profile.c_str(), a.device.c_str(),
                static_cast<unsigned long long>(t.runs), static_cast<unsigned long long>(t.connections),
                static_cast<unsigned long long>(t.completed), static_cast<unsigned long long>(t.packets),
                static_cast<unsigned long long>(t.bytes), static_cast<unsigned long long>(t.failures), rate, t.per_core_minute());
    const char* comma = "";
    for (const auto& [name, count] : t.failures_by_profile) {
      std::printf("%s\"%s\":%llu", comma, name.c_str(), static_cast<unsigned long long>(count));
      comma = ",";
    }
    std::printf("}}\n");
    return;
  }
  std::printf("%llu runs, %llu connections (%llu clean on both ends), %llu packets, %llu bytes, %llu failed runs; %.0f connections/min, %.0f a minute of one core\n",
              static_cast<unsigned long long>(t.runs), static_cast<unsigned long long>(t.connections),
              static_cast<unsigned long long>(t.completed), static_cast<unsigned long long>(t.packets),
              static_cast<unsigned long long>(t.bytes), static_cast<unsigned long long>(t.failures), rate, t.per_core_minute());
}

int run_all(const Arguments& a) {
  const auto kind = a.device == "router" ? sim::DeviceKind::router : a.device == "reference" ? sim::DeviceKind::reference : sim::DeviceKind::path;
  sim::Rig rig{kind};
  const auto profiles = sim::all_profiles();
  Totals totals;
  for (auto seed = a.first; seed <= a.last; ++seed) {
    const auto* profile = a.profile == "all" ? &profiles[seed % profiles.size()] : sim::find_profile(a.profile);
    if (profile == nullptr) {
      std::fprintf(stderr, "no profile %s; --list names them\n", a.profile.c_str());
      return 2;
    }
    const auto result = sim::run(rig, {.seed = seed, .profile = profile, .tracing = a.trace ? sim::Tracing::on : sim::Tracing::off, .wrap = {}});
    if (a.trace) std::fputs(result.trace.c_str(), stdout);
    if (a.digests) std::printf("%llu %s %016llx\n", static_cast<unsigned long long>(seed), profile->name.c_str(), static_cast<unsigned long long>(result.digest));
    ++totals.runs;
    totals.connections += result.connections;
    totals.completed += result.completed;
    totals.packets += result.packets;
    totals.bytes += result.bytes;
    if (!result.findings.empty()) {
      ++totals.failures;
      ++totals.failures_by_profile[profile->name];
      report_failure(result, seed, profile->name, a.device);
      if (totals.failures >= a.stop_after) break;
    }
    if (totals.runs % 5'000 == 0) report_progress(totals, seed);
  }
  report_totals(totals, a);
  return totals.failures == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  if (!parse(argc, argv, arguments)) return usage();
  if (arguments.list) {
    for (const auto& p : sim::all_profiles()) std::puts(p.name.c_str());
    return 0;
  }
  return run_all(arguments);
}
