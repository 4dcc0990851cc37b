// Opens many connections, holds them idle, and tells on request how many still live.
// Standard output: {"event":"held",...} when all stand; on a line "check" at standard input a request goes over each and
// {"event":"checked",...} follows; at the end of standard input it closes them in good order.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "stream.hpp"

namespace load {
namespace {

class Held : public Task {
 public:
  Held(const Options& options, Tls& tls, const Loop& loop, std::uint32_t index) : stream_(options, tls, index) {
    loop.add(*this, stream_.fd());
  }
  int fd() const override { return stream_.fd(); }
  void advance() override {
    if (is_failed) return;
    if (!is_established) {
      const Io io = stream_.establish();
      if (io == Io::again) return;
      if (io != Io::ok) {
        is_failed = true;
        return;
      }
      is_established = true;
    }
    char buffer[8192];
    std::size_t got = 0;
    Io io = Io::ok;
    while ((io = stream_.read(buffer, got)) == Io::ok) received += got;
    if (io != Io::again) is_failed = true;
  }
  void ask(const std::string& request) {
    std::size_t put = 0;
    received = 0;
    if (!is_failed && stream_.write(request, put) != Io::ok) is_failed = true;
  }
  void finish() { stream_.finish(); }
  [[nodiscard]] std::string failure() const { return stream_.failure(); }
  std::uint64_t received = 0;
  bool is_established = false, is_failed = false;

 private:
  Stream stream_;
};

using All = std::vector<std::unique_ptr<Held>>;

void report(const char* event, const All& all) {
  std::size_t established = 0, failed = 0, answered = 0;
  std::string failure;
  for (const auto& h : all) {
    established += h->is_established && !h->is_failed ? 1 : 0;
    failed += h->is_failed ? 1 : 0;
    answered += h->received > 0 ? 1 : 0;
    if (h->is_failed) failure = h->failure();
  }
  std::printf("{\"event\":\"%s\",\"established\":%zu,\"failed\":%zu,\"answered\":%zu,\"failure\":\"%s\"}\n", event, established,
              failed, answered, failure.c_str());
  std::fflush(stdout);
}

/// Opens connections so that at most a few are in their handshake at once. Returns: whether all stand.
bool open_all(const Options& options, Tls& tls, const Loop& loop, All& all) {
  constexpr std::size_t kOpening = 64;  // more would only fill the backlog
  const auto start = Clock::now();
  std::size_t settled = 0;
  while (settled < options.connections && seconds_since(start) < options.seconds) {
    while (all.size() < options.connections && all.size() - settled < kOpening) {
      all.push_back(std::make_unique<Held>(options, tls, loop, static_cast<std::uint32_t>(all.size())));
    }
    loop.run_once(50);
    while (settled < all.size() && (all[settled]->is_established || all[settled]->is_failed)) ++settled;
  }
  return settled == options.connections;
}

}  // namespace

int run_hold(const Options& options) {
  Tls tls(options);
  Loop loop;
  All all;
  all.reserve(options.connections);
  open_all(options, tls, loop, all);
  report("held", all);
  const std::string request = "GET " + options.path + " HTTP/1.1\r\nHost: " + options.server_name + "\r\n\r\n";
  char line[64];
  for (;;) {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, 0) > 0) {
      if (::read(STDIN_FILENO, line, sizeof line) <= 0) break;
      for (auto& h : all) h->ask(request);
      const auto start = Clock::now();
      const auto is_silent = [](const auto& h) { return !h->is_failed && h->received == 0; };
      while (seconds_since(start) < 20 && std::any_of(all.begin(), all.end(), is_silent)) loop.run_once(50);
      report("checked", all);
    }
    loop.run_once(50);
  }
  for (auto& h : all) h->finish();
  return 0;
}

}  // namespace load
