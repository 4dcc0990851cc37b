// cutwater-load MODE [--option value]…: the load tool of the end-to-end tests and benches. One line of JSON is its result.
// Modes: handshakes, arrivals, requests, bulk, hold, flood, sink, syns.
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "stream.hpp"

namespace {

constexpr const char* kUsage =
    "cutwater-load handshakes|arrivals|requests|bulk|hold|flood|sink|syns\n"
    "  --connect ADDRESS --port N --name SNI --bind ADDRESS (repeatable) --plain --tls 1.2|1.3 --suite NAME --congestion NAME\n"
    "  --connections N --seconds S --path /1k --resume --direction down|up --bytes N --hash --reconnect --read-ahead\n"
    "  arrivals: --bind-range PREFIX --rate N --patience S   flood: --device NAME --gateway ADDRESS --bind-range PREFIX --rate N\n"
    "  syns: --device NAME --mac ADDRESS --most N\n";

bool set_value(load::Options& o, std::string_view key, const char* value) {
  if (key == "--connect") o.connect = value;
  else if (key == "--port") o.port = static_cast<std::uint16_t>(std::atoi(value));
  else if (key == "--name") o.server_name = value;
  else if (key == "--bind") o.bind.emplace_back(value);
  else if (key == "--bind-range") o.bind_range = value;
  else if (key == "--device") o.device = value;
  else if (key == "--gateway") o.gateway = value;
  else if (key == "--rate") o.rate = std::atof(value);
  else if (key == "--most") o.most = std::atof(value);
  else if (key == "--patience") o.patience = std::atof(value);
  else if (key == "--tls") o.tls = value;
  else if (key == "--suite") o.suite = value;
  else if (key == "--connections") o.connections = static_cast<std::uint32_t>(std::strtoul(value, nullptr, 10));
  else if (key == "--seconds") o.seconds = std::atof(value);
  else if (key == "--congestion") o.congestion = value;
  else if (key == "--path") o.path = value;
  else if (key == "--mac") o.mac = value;
  else if (key == "--direction") o.direction = value;
  else if (key == "--bytes") o.bytes = std::strtoull(value, nullptr, 10);
  else return false;
  return true;
}

bool set_flag(load::Options& o, std::string_view key) {
  if (key == "--plain") o.is_plain = true;
  else if (key == "--resume") o.is_resuming = true;
  else if (key == "--hash") o.is_hashing = true;
  else if (key == "--reconnect") o.is_reconnecting = true;
  else if (key == "--read-ahead") o.is_reading_ahead = true;
  else return false;
  return true;
}

bool parse(load::Options& o, int argc, char** argv) {
  if (argc < 2) return false;
  o.mode = argv[1];
  for (int i = 2; i < argc; ++i) {
    if (set_flag(o, argv[i])) continue;
    if (i + 1 >= argc || !set_value(o, argv[i], argv[i + 1])) return false;
    ++i;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  load::Options options;
  if (parse(options, argc, argv)) {
    if (options.mode == "handshakes") return load::run_handshakes(options);
    if (options.mode == "arrivals") return load::run_arrivals(options);
    if (options.mode == "flood") return load::run_flood(options);
    if (options.mode == "requests") return load::run_requests(options);
    if (options.mode == "bulk") return load::run_bulk(options);
    if (options.mode == "hold") return load::run_hold(options);
    if (options.mode == "sink") return load::run_sink(options);
    if (options.mode == "syns") return load::run_syns(options);
  }
  std::fputs(kUsage, stderr);
  return 2;
}
